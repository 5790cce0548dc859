package checks

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

const idle = time.Hour // how long the loop sleeps with nothing on the schedule

// Run probes until ctx ends. It returns nil when all that it started has ended.
func (r *Runner) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer r.abandon()
	defer wg.Wait()
	wg.Go(func() { r.report(ctx) })
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		case <-r.wake:
		}
		timer.Reset(r.step(ctx, &wg))
	}
}

// step queues what is due, starts what there is room for, and returns how long there is nothing to
// do.
func (r *Runner) step(ctx context.Context, wg *sync.WaitGroup) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	index, count := r.cfg.Spread()
	epoch := time.Duration(r.start.UnixNano())
	overdue := 0
	var first *item
	for len(r.schedule) > 0 && r.schedule[0].next <= now {
		it := r.schedule[0]
		if !it.overdue && now-it.begun > 2*it.check.Interval {
			it.overdue = true
			if overdue++; first == nil {
				first = it
			}
		}
		it.lane.add(it)
		raster := newGrid(epoch, it.check.Interval, it.target, index, count)
		it.next = raster.following(it.next, now)
		heap.Fix(&r.schedule, it.index)
	}
	if overdue > 0 {
		r.cfg.Log.Warn("checks were not made for two intervals", "observer", r.cfg.Observer, "checks", overdue,
			"first", first.key, "waiting", len(r.network.queue)+len(r.scripts.queue))
	}
	for _, l := range []*lane{&r.network, &r.scripts} {
		for it := l.take(); it != nil; it = l.take() {
			r.begin(ctx, it, wg)
		}
	}
	if len(r.schedule) == 0 {
		return idle
	}
	return max(r.schedule[0].next-r.now(), 0)
}

// begin starts an attempt.
func (r *Runner) begin(ctx context.Context, it *item, wg *sync.WaitGroup) {
	ctx, it.cancel = context.WithCancel(ctx)
	it.running, it.overdue, it.begun = true, false, r.now()
	it.lane.running++
	a := &run{confirm: it.confirm, waiters: it.waiters, timeout: it.check.Timeout, prober: it.prober}
	it.confirm, it.waiters = false, nil
	wg.Go(func() {
		res := a.prober.Probe(ctx)
		r.finish(ctx, it, a, res)
	})
}

// run is an attempt under way.
type run struct {
	prober  Prober
	timeout time.Duration
	confirm bool
	waiters []chan struct{}
}

// finish takes in the result of an attempt.
func (r *Runner) finish(ctx context.Context, it *item, a *run, res Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	stopped := ctx.Err() != nil // the result is of our own making
	it.cancel()
	it.running, it.cancel = false, nil
	it.lane.running--
	defer poke(r.wake)
	if stopped || it.removed {
		release(a.waiters)
		return
	}
	if r.late(it, a, res) {
		it.confirm = it.confirm || a.confirm
		it.waiters = append(it.waiters, a.waiters...)
		it.lane.add(it)
		return
	}
	defer release(a.waiters)
	r.logLocal(it, res)
	if a.confirm {
		it.tracker.Confirm(time.Now(), res)
	} else {
		it.tracker.Observe(time.Now(), res)
	}
	if sv := r.servers[it.key]; sv != nil {
		r.look(it.key, sv, sv.seen.Checks)
	}
	if it.confirm {
		it.lane.add(it)
	}
}

// late reports whether a failure came so long after its deadline that it was this host that slept,
// and not the server. It is not believed, and the attempt is made again at once; a second in a row is
// believed, so that a host that is always late still finds dead servers.
func (r *Runner) late(it *item, a *run, res Result) bool {
	overrun := r.now() - it.begun - a.timeout
	if res.OK || overrun <= max(a.timeout/2, 250*time.Millisecond) || it.stalled {
		it.stalled = false
		return false
	}
	it.stalled = true
	r.cfg.Log.Warn("a failed check is made again: this host was late", "server", it.key, "by", overrun, "cause", res.Cause)
	return true
}

// logLocal tells once when a check fails for want of something on this host, and when that is over.
func (r *Runner) logLocal(it *item, res Result) {
	switch {
	case res.Local && !it.local:
		r.cfg.Log.Warn("a check says nothing: this host could not make it", "server", it.key, "check", it.check.Kind, "cause", res.Cause)
	case !res.Local && it.local:
		r.cfg.Log.Info("a check can be made again", "server", it.key, "check", it.check.Kind)
	}
	it.local = res.Local
}

// abandon lets go of whoever waits for a confirm probe that will not come.
func (r *Runner) abandon() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, it := range r.items {
		release(it.waiters)
		it.waiters, it.confirm = nil, false
	}
}
