package keeper

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/quorate/quorate/director/address"
)

// worker does the kernel's part for the loop: it adds, renews, announces and removes addresses. It is
// told what is wanted, never what to do, so that the loop never waits and no queue can grow.
type worker struct {
	host   Host
	log    hclog.Logger
	poke   chan struct{} // capacity 1: look again
	report chan<- report
	// beat is when the loop last ran. Addresses are not renewed for a loop that does not run.
	beat atomic.Int64

	mu   sync.Mutex
	want map[identity]want
	gen  uint64

	have map[identity]*holding // owned by run
}

// want is what the loop wants for one router. Values are never changed, only replaced.
type want struct {
	addresses []address.Address
	lifetime  time.Duration
	gen       uint64 // counts every call about any router
	announce  uint64 // generation of the last call to announce
	check     uint64 // generation of the last call to check
	granted   uint64 // generation of the last call to own: renewing what has lapsed needs a new one
}

// holding is what the worker has done for one router.
type holding struct {
	lifetime  time.Duration
	renewed   time.Time
	slots     map[address.Address]*slot
	announce  uint64
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
	count      int
}

// report tells the loop what was done for a router.
type report struct {
	id       identity
	gen      uint64 // all up to this generation is done, if err is nil
	err      error
	restored []address.Address // removed by somebody else, and added again
	lapsed   bool              // the kernel let the addresses go
}

const retryAfter = 200 * time.Millisecond

func newWorker(host Host, log hclog.Logger, reports chan<- report) *worker {
	return &worker{
		host: host, log: log, report: reports, poke: make(chan struct{}, 1),
		want: map[identity]want{}, have: map[identity]*holding{},
	}
}

// own asks for a router's addresses to be on the host.
func (w *worker) own(id identity, as []address.Address, lifetime time.Duration) {
	w.change(id, func(v *want, gen uint64) {
		v.addresses, v.lifetime, v.granted = slices.Clone(as), lifetime, gen
	})
}

// announce asks for a new round of announcements, and returns the generation that reports it done.
func (w *worker) announce(id identity) uint64 {
	return w.change(id, func(v *want, gen uint64) { v.announce = gen })
}

// check asks to look whether the addresses are there. Restore adds those that are not; without it
// they are reported as lapsed.
func (w *worker) check(id identity, restore bool) {
	w.change(id, func(v *want, gen uint64) {
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

func (w *worker) wanted() map[identity]want {
	w.mu.Lock()
	defer w.mu.Unlock()
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
		for id, h := range w.have {
			if _, ok := wants[id]; !ok {
				w.drop(id, h, wants, now)
				left = left || w.have[id] != nil
			}
		}
		if !left {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// step does all that is due and returns how long nothing will be.
func (w *worker) step(ctx context.Context, now time.Time) time.Duration {
	wants := w.wanted()
	var next time.Time
	for id, h := range w.have {
		if _, ok := wants[id]; ok {
			continue
		}
		if !h.retry.After(now) {
			w.drop(id, h, wants, now)
		}
		next = earlier(next, h.retry)
	}
	for id, v := range wants {
		h := w.have[id]
		if h == nil {
			h = &holding{slots: map[address.Address]*slot{}}
			w.have[id] = h
		}
		if h.retry.After(now) && h.reported == v.gen {
			next = earlier(next, h.retry)
			continue
		}
		r := w.serve(id, v, h, wants, now)
		changed := r.gen != h.reported || r.lapsed || len(r.restored) > 0 || errorText(r.err) != h.lastError
		h.reported, h.lastError = r.gen, errorText(r.err)
		if changed {
			w.tell(ctx, r)
		}
		next = earlier(next, h.next())
	}
	if next.IsZero() {
		return time.Hour
	}
	return max(time.Until(next), 0)
}

// drop removes the addresses of a router that is not wanted any more. What another router has by now
// stays.
func (w *worker) drop(id identity, h *holding, wants map[identity]want, now time.Time) {
	var gone []address.Address
	for a := range h.slots {
		if !wantedBy(wants, a) {
			gone = append(gone, a)
		}
	}
	if err := w.host.Remove(gone); err != nil {
		w.log.Error("remove addresses", "router", id, "err", err)
		h.retry = now.Add(retryAfter)
		return
	}
	delete(w.have, id)
}

func wantedBy(wants map[identity]want, a address.Address) bool {
	for _, v := range wants {
		if slices.Contains(v.addresses, a) {
			return true
		}
	}
	return false
}

// serve does what is due for one router.
func (w *worker) serve(id identity, v want, h *holding, wants map[identity]want, now time.Time) report {
	r := report{id: id, gen: v.gen}
	h.retry = time.Time{}
	fresh := v.granted != h.granted
	h.granted = v.granted
	if fresh {
		h.lapsed = false
	}
	if v.check != h.check || w.late(h, now) && !fresh {
		h.check = v.check
		if r.err = w.look(v, h, fresh, &r); r.err != nil {
			h.retry = now.Add(retryAfter)
			return r
		}
	}
	if h.lapsed {
		return r
	}
	steps := []func(want, *holding, map[identity]want, time.Time) error{w.remove, w.add, w.renew, w.speak}
	for _, f := range steps {
		if r.err = f(v, h, wants, now); r.err != nil {
			w.log.Error("keep addresses", "router", id, "err", r.err)
			h.retry = now.Add(retryAfter)
			return r
		}
	}
	return r
}

// late reports whether the addresses were not renewed before the end of their lifetime: the process
// was frozen, and somebody else may have them by now.
func (w *worker) late(h *holding, now time.Time) bool {
	return len(h.slots) > 0 && !h.lapsed && now.Sub(h.renewed) >= h.lifetime
}

// look compares with the kernel. What is missing is added again if that is granted.
func (w *worker) look(v want, h *holding, restore bool, r *report) error {
	present, err := w.host.Present()
	if err != nil {
		return err
	}
	for a := range h.slots {
		if _, ok := present[a]; ok || !slices.Contains(v.addresses, a) {
			continue
		}
		if !restore {
			h.lapsed, r.lapsed = true, true
			continue
		}
		r.restored = append(r.restored, a)
		delete(h.slots, a)
	}
	return nil
}

func (w *worker) remove(v want, h *holding, wants map[identity]want, _ time.Time) error {
	var gone, free []address.Address
	for a := range h.slots {
		if slices.Contains(v.addresses, a) {
			continue
		}
		free = append(free, a)
		if !wantedBy(wants, a) {
			gone = append(gone, a)
		}
	}
	if len(gone) > 0 {
		if err := w.host.Remove(gone); err != nil {
			return err
		}
	}
	for _, a := range free {
		delete(h.slots, a)
	}
	return nil
}

func (w *worker) add(v want, h *holding, _ map[identity]want, now time.Time) error {
	var added []address.Address
	for _, a := range v.addresses {
		if h.slots[a] == nil {
			added = append(added, a)
		}
	}
	if len(added) == 0 {
		return nil
	}
	if err := w.host.Renew(added, v.lifetime); err != nil {
		return err
	}
	if len(h.slots) == 0 {
		h.renewed, h.lifetime = now, v.lifetime
	}
	for _, a := range added {
		h.slots[a] = &slot{next: now}
		if h.announce == 0 && v.announce == 0 { // adopted: they were there before
			h.slots[a].next = now.Add(refresh)
			h.slots[a].count = len(rounds)
		}
	}
	return nil
}

func (w *worker) renew(v want, h *holding, _ map[identity]want, now time.Time) error {
	if h.lifetime == v.lifetime && now.Sub(h.renewed) < v.lifetime/3 {
		return nil
	}
	if now.Sub(time.Unix(0, w.beat.Load())) > v.lifetime/3+spare {
		h.retry = now.Add(retryAfter)
		return nil // the loop hangs: the addresses end as those of a dead process do
	}
	if err := w.host.Renew(v.addresses, v.lifetime); err != nil {
		return err
	}
	h.renewed, h.lifetime = now, v.lifetime
	return nil
}

// rounds are the times of the announcements after the first.
var rounds = []time.Duration{
	0, 200 * time.Millisecond, 400 * time.Millisecond, 600 * time.Millisecond, 800 * time.Millisecond,
	5000 * time.Millisecond, 5200 * time.Millisecond, 5400 * time.Millisecond, 5600 * time.Millisecond, 5800 * time.Millisecond,
}

const (
	refresh = time.Minute            // between announcements when nothing has happened
	spare   = 100 * time.Millisecond // between announcements at least
)

// speak sends the announcements that are due.
func (w *worker) speak(v want, h *holding, _ map[identity]want, now time.Time) error {
	if v.announce != h.announce {
		h.announce = v.announce
		for _, s := range h.slots {
			s.count, s.next = 0, now
			if soonest := s.last.Add(spare); soonest.After(now) {
				s.next = soonest
			}
		}
	}
	var due []address.Address
	for _, a := range v.addresses {
		if s := h.slots[a]; s != nil && !s.next.After(now) {
			due = append(due, a)
			s.advance(now)
		}
	}
	if len(due) == 0 {
		return nil
	}
	return w.host.Announce(due)
}

func (s *slot) advance(now time.Time) {
	s.last = now
	s.count++
	if s.count < len(rounds) {
		s.next = now.Add(rounds[s.count] - rounds[s.count-1])
		return
	}
	s.next = now.Add(refresh)
}

// next returns when the router needs the worker again.
func (h *holding) next() time.Time {
	if !h.retry.IsZero() {
		return h.retry
	}
	if h.lapsed {
		return time.Time{}
	}
	var next time.Time
	if len(h.slots) > 0 {
		next = h.renewed.Add(h.lifetime / 3)
	}
	for _, s := range h.slots {
		next = earlier(next, s.next)
	}
	return next
}

func (w *worker) tell(ctx context.Context, r report) {
	select {
	case w.report <- r:
	case <-ctx.Done():
	}
}

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
