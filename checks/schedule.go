package checks

import (
	"container/heap"
	"context"
	"hash/fnv"
	"reflect"
	"slices"
	"time"

	"github.com/quorate/quorate/fsm"
)

// item is one check of one real server on the runner's schedule. All of it is guarded by the
// runner's mutex.
type item struct {
	key     fsm.ServerKey
	id      string // of the check: its fingerprint
	check   fsm.Check
	lane    *lane
	prober  Prober
	tracker Tracker

	target uint64        // places it on its raster
	next   time.Duration // when it is due, since the runner was made
	index  int           // in the heap

	queued, running, removed bool
	begun                    time.Duration // when it was last started, or made
	overdue                  bool          // the watchdog has counted it since
	stalled                  bool          // its last failure came when this host was late
	local                    bool          // its last failure was of this host, and was logged
	cancel                   context.CancelFunc

	confirm bool            // the next attempt is a confirm probe
	waiters []chan struct{} // closed when that attempt has ended
}

// update makes the item follow an edited check that probes the same.
func (it *item) update(c fsm.Check, prober func() Prober) {
	if it.prober != nil && reflect.DeepEqual(it.check, c) {
		return
	}
	it.check, it.prober = c, prober()
	it.tracker.Rise, it.tracker.Fall = c.Rise, c.Fall
}

// schedule is a heap of items by the time they are due.
type schedule []*item

// Len implements [heap.Interface].
func (s schedule) Len() int { return len(s) }

// Less implements [heap.Interface].
func (s schedule) Less(i, j int) bool { return s[i].next < s[j].next }

// Swap implements [heap.Interface].
func (s schedule) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].index, s[j].index = i, j
}

// Push implements [heap.Interface].
func (s *schedule) Push(x any) {
	it := x.(*item)
	it.index = len(*s)
	*s = append(*s, it)
}

// Pop implements [heap.Interface].
func (s *schedule) Pop() any {
	last := len(*s) - 1
	it := (*s)[last]
	(*s)[last] = nil
	*s = (*s)[:last]
	return it
}

var _ heap.Interface = (*schedule)(nil)

// lane bounds how many attempts of a sort run at once; the others wait their turn.
type lane struct {
	limit, running int
	queue          []*item
}

// add queues an item: at the end, or for a confirm probe, which somebody waits for, at the front.
func (l *lane) add(it *item) {
	switch {
	case it.running, it.queued && !it.confirm:
		return
	case it.queued:
		at := slices.Index(l.queue, it)
		l.queue = slices.Delete(l.queue, at, at+1)
	}
	it.queued = true
	at := len(l.queue)
	if it.confirm {
		at = 0
	}
	l.queue = slices.Insert(l.queue, at, it)
}

// take returns the next item to run, or nil.
func (l *lane) take() *item {
	for l.running < l.limit && len(l.queue) > 0 {
		it := l.queue[0]
		l.queue[0] = nil
		l.queue = l.queue[1:]
		it.queued = false
		if !it.removed {
			return it
		}
	}
	return nil
}

// grid is the raster of times on which one target is probed. Rasters are laid over the wall clock,
// so that directors, whose clocks agree roughly, probe a target one after the other and not at once.
type grid struct {
	epoch    time.Duration // the wall clock when the runner was made; it is read once, so that steps of the clock move nothing
	interval time.Duration
	phase    time.Duration
}

// newGrid lays the raster of a target for director index of count.
func newGrid(epoch, interval time.Duration, target uint64, index, count int) grid {
	g := grid{epoch: epoch, interval: interval, phase: time.Duration(target % uint64(interval))}
	if count > 1 && index >= 0 {
		g.phase += interval / time.Duration(count) * time.Duration(index%count)
	}
	return g
}

// after returns the first time on the raster later than t.
func (g grid) after(t time.Duration) time.Duration {
	since := (g.epoch + t - g.phase) % g.interval
	if since < 0 {
		since += g.interval
	}
	return t + g.interval - since
}

// following returns when an attempt that was due at due comes again: an interval later as long as
// the raster stays; after it moved, at most half an interval earlier or later than that; and never
// in the past, so that what was missed is skipped and not bunched.
func (g grid) following(due, now time.Duration) time.Duration {
	next := g.after(due + g.interval/2)
	if next <= now {
		return g.after(now)
	}
	return next
}

// targetHash places a target on its raster, alike on every director.
func targetHash(key fsm.ServerKey, id string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(key.String()))
	h.Write([]byte(id))
	return h.Sum64()
}
