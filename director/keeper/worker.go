package keeper

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/quorate/quorate/director/accept"
	"github.com/quorate/quorate/director/address"
)

// worker does the kernel's part for the loop: it adds, renews, announces and removes addresses, and the
// routes and rules that go with them. It is
// told what is wanted, never what to do, so that the loop never waits and no queue can grow.
type worker struct {
	host   Host
	screen screen
	log    hclog.Logger
	poke   chan struct{} // capacity 1: look again
	report chan<- []report
	// beat is when the loop last ran. Nothing is added, renewed or announced for a loop that does not
	// run: somebody else may be the owner by now.
	beat moment

	batch sync.Mutex // held while the loop changes what is wanted of many routers
	mu    sync.Mutex
	want  map[identity]want
	gen   uint64

	rate     address.Pace // as it is wanted; guarded by mu
	refusing accept.Table // likewise

	have map[identity]*holding // owned by run
	pace address.Pace          // owned by run
}

// want is what the loop wants for one router. Values are never changed, only replaced.
type want struct {
	addresses []address.Address
	wants     map[address.Address]bool // the same
	paths     address.Paths            // that go with them
	refresh   time.Duration            // between announcements when nothing has happened; 0 for never
	lifetime  time.Duration
	patience  time.Duration // how old the beat may be
	spoke     *moment       // when an Active router was last to send an advert; none: it is not Active
	silence   time.Duration // how long ago that may be
	interval  time.Duration // between its adverts
	gen       uint64        // counts every call about any router
	announce  uint64        // generation of the last call to announce
	quiet     bool          // hush was called since then
	ends      bool          // shorten was called since the last call to own
	check     uint64        // generation of the last call to check
	granted   uint64        // generation of the last call to own: renewing what has lapsed needs a new one
}

// holding is what the worker has done for one router.
type holding struct {
	lifetime  time.Duration
	renewed   time.Time
	slots     map[address.Address]*slot
	paths     address.Paths // added, and not known to be gone
	pathRetry time.Time
	pathError string
	announce  uint64
	quiet     bool
	check     uint64
	granted   uint64
	lapsed    bool
	retry     time.Time
	reported  uint64
	lastError string
}

// slot is one address and its place in the schedule of announcements.
type slot struct {
	next, last time.Time
	since      time.Time // when this round was asked for
	count      int
	said       bool // in this round, or so shortly before that it need not be
}

// report tells the loop what was done for a router.
type report struct {
	id       identity
	gen      uint64 // all up to this generation is done, if err is nil
	err      error
	paths    string            // what is wrong with routes and rules, or empty
	restored []address.Address // removed by somebody else, and added again
	lost     address.Paths     // routes and rules likewise
	lapsed   bool              // the kernel let the addresses go
	screen   *screened         // the report is about the screen, and no router
}

const (
	retryAfter = 200 * time.Millisecond // after an error of the kernel
	staleAfter = 10 * time.Millisecond  // to look for the loop's next beat
)

func newWorker(host Host, s Screen, log hclog.Logger, reports chan<- []report) *worker {
	return &worker{
		host: host, screen: screen{Screen: s, log: log}, log: log, report: reports, poke: make(chan struct{}, 1),
		want: map[identity]want{}, have: map[identity]*holding{},
	}
}

// own asks for a router's addresses to be on the host, and returns the generation that reports it
// done.
func (w *worker) own(id identity, r Router, spoke *moment) uint64 {
	return w.change(id, func(v *want, gen uint64) {
		v.addresses, v.lifetime, v.granted, v.ends = r.Kept(), r.lifetime(), gen, false
		v.wants = make(map[address.Address]bool, len(v.addresses))
		for _, a := range v.addresses {
			v.wants[a] = true
		}
		v.paths, v.refresh = r.paths(), r.refresh()
		v.spoke, v.silence, v.interval = spoke, r.Interval+spare, r.Interval
		v.patience = min(2*r.Interval, r.Interval+spare)
	})
}

// shorten asks for the shortest lifetime of a router's addresses, after which they go unless own is called again.
func (w *worker) shorten(id identity) {
	w.change(id, func(v *want, _ uint64) { v.lifetime, v.ends = Shortest, true })
}

// announce asks for a new round of announcements, and returns the generation that reports it done.
func (w *worker) announce(id identity) uint64 {
	return w.change(id, func(v *want, gen uint64) { v.announce, v.quiet = gen, false })
}

// hush asks for silence about a router's addresses, which stay, until announce is called again.
func (w *worker) hush(id identity) {
	w.change(id, func(v *want, _ uint64) { v.quiet = true })
}

// may reports whether an address of a router may be announced at this moment, whatever was wanted when the
// pass began. The beat is looked at first: a loop that has run again has also said what it wants.
func (w *worker) may(id identity, a address.Address) bool {
	age := w.age(time.Now())
	w.mu.Lock()
	defer w.mu.Unlock()
	v := w.want[id]
	return v.wants[a] && !v.quiet && age <= v.patience
}

// check asks to look whether the addresses are there. Restore adds those that are not; without it
// they are reported as lapsed.
func (w *worker) check(id identity, restore bool) uint64 {
	return w.change(id, func(v *want, gen uint64) {
		v.check = gen
		if restore {
			v.granted = gen
		}
	})
}

// release asks for a router's addresses to be gone.
func (w *worker) release(id identity) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.want, id)
	poke(w.poke)
}

func (w *worker) change(id identity, f func(*want, uint64)) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := w.want[id]
	w.gen++
	v.gen = w.gen
	f(&v, w.gen)
	w.want[id] = v
	poke(w.poke)
	return w.gen
}

// setPace limits the announcements from now on.
func (w *worker) setPace(rate, burst int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rate.Rate, w.rate.Burst = rate, burst
}

func (w *worker) wanted() map[identity]want {
	w.batch.Lock()
	defer w.batch.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pace.Rate, w.pace.Burst = w.rate.Rate, w.rate.Burst
	out := make(map[identity]want, len(w.want))
	for id, v := range w.want {
		if len(v.addresses) > 0 {
			out[id] = v
		}
	}
	return out
}

// run works until ctx ends. It leaves the addresses as they are.
func (w *worker) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		next := w.step(ctx, time.Now())
		timer.Reset(next)
		select {
		case <-ctx.Done():
			return
		case <-w.poke:
		case <-timer.C:
		}
	}
}

// finish carries out, after run has ended, what was wanted last, or gives up at the deadline.
func (w *worker) finish(deadline time.Time) {
	for now := time.Now(); now.Before(deadline); now = time.Now() {
		wants, left := w.wanted(), false
		for _, h := range w.have {
			h.retry = time.Time{}
		}
		w.drop(wants, now)
		for id := range w.have {
			_, ok := wants[id]
			left = left || !ok
		}
		if !left {
			w.refuse(wants, now)
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// step does all that is due and returns how long nothing will be.
func (w *worker) step(ctx context.Context, now time.Time) time.Duration {
	wants := w.wanted()
	first := w.refuse(wants, now)
	next := w.drop(wants, now)
	p := pass{worker: w, wants: wants, now: now}
	for id, v := range wants {
		h := w.have[id]
		if h == nil {
			h = &holding{slots: map[address.Address]*slot{}}
			w.have[id] = h
		}
		if !h.retry.After(now) || h.reported != v.gen {
			p.begin(id, v, h)
		}
	}
	p.serve()
	last := w.refuse(wants, now) // what is gone by now
	w.tell(ctx, slices.Concat(first, p.reports(), last))
	next = earlier(next, w.screen.retry)
	for id := range wants {
		next = earlier(next, w.have[id].next(wants[id]))
	}
	if next.IsZero() {
		return time.Hour
	}
	return max(time.Until(next), 0)
}

// drop removes the addresses of routers that are not wanted any more, and returns when to try again
// what failed. What another router has by now stays.
func (w *worker) drop(wants map[identity]want, now time.Time) (next time.Time) {
	var gone []identity
	for id, h := range w.have {
		switch _, ok := wants[id]; {
		case ok:
		case h.retry.After(now):
			next = earlier(next, h.retry)
		default:
			gone = append(gone, id)
		}
	}
	if len(gone) == 0 {
		return next
	}
	stuck := w.dropPaths(gone, wants)
	kept := addressesOf(wants)
	surplus := func(id identity) (out []address.Address) {
		for a := range w.have[id].slots {
			if !kept[a] {
				out = append(out, a)
			}
		}
		return out
	}
	together(gone, surplus, w.host.Remove, func(id identity, err error) {
		err = errors.Join(err, stuck[id])
		if err == nil {
			delete(w.have, id)
			return
		}
		w.log.Error("remove addresses and routes", "router", id, "err", err)
		w.have[id].retry = now.Add(retryAfter)
		next = earlier(next, w.have[id].retry)
	})
	return next
}

func addressesOf(wants map[identity]want) map[address.Address]bool {
	out := map[address.Address]bool{}
	for _, v := range wants {
		for _, a := range v.addresses {
			out[a] = true
		}
	}
	return out
}

// together calls f once with what all have, and where that fails once for each, to know which one it was.
// Done is called for all of them.
func together[T, E any](all []T, of func(T) []E, f func([]E) error, done func(T, error)) {
	lists := make([][]E, len(all))
	for i, t := range all {
		lists[i] = of(t)
	}
	whole := slices.Concat(lists...)
	var err error
	if len(whole) > 0 {
		err = f(whole)
	}
	for i, t := range all {
		if err == nil || len(all) == 1 {
			done(t, err)
		} else if len(lists[i]) == 0 {
			done(t, nil)
		} else {
			done(t, f(lists[i]))
		}
	}
}

func (w *worker) tell(ctx context.Context, rs []report) {
	if len(rs) == 0 {
		return
	}
	select {
	case w.report <- rs:
	case <-ctx.Done():
	}
}

// stale reports whether the loop has not run for so long that nothing may be done for it.
func (w *worker) stale(v want, now time.Time) bool {
	spoke := v.spoke.load()
	return w.age(now) > v.patience || !spoke.IsZero() && now.Sub(spoke) > v.silence
}

// age is how long ago the loop last ran.
func (w *worker) age(now time.Time) time.Duration { return now.Sub(w.beat.load()) }

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
