package sim

import (
	"slices"
	"time"

	"github.com/quorate/quorate/director/ownership"
)

// missed is how many halves of an interval pass after an advert until a Backup misses the next one.
const missed = 3

// lookBoth is the first invariant: on a whole segment no two hosts answer for an address for longer than a
// second while their agents reach each other.
func (x *watch) lookBoth(r *router) {
	w := x.w
	for i, a := range w.hosts {
		for _, b := range w.hosts[i+1:] {
			filtered := &x.filter[i][b.index]
			filtered.set(w.filtered(a, b) || w.filtered(b, a), w.now)
			is := a.kernel.has(r.index) && b.kernel.has(r.index) && w.both(r.on, arpKind, a.index, b.index) &&
				a.stalls == 0 && b.stalls == 0 && (w.speak(a, b) || (x.mute(a, b) || x.mute(b, a)) && !x.twice(a, b) || filtered.is)
			x.both[r.index][i][b.index].set(is, w.now)
			s := x.both[r.index][i][b.index]
			limit := bothLimit + w.slack()
			switch {
			case w.speak(a, b):
			case !x.mute(a, b) && !x.mute(b, a):
				limit += ownership.Mute       // who is not reached asks who is silent for it for so long
				s.at = max(s.at, filtered.at) // and while it stood still it asked nobody
			default:
				limit += w.renewal() // it froze between a renewal and the advert that would have told of it
				if x.untold(a, b) || x.untold(b, a) {
					limit += w.lifetime()
				}
			}
			x.must(s, limit, func() {
				x.fail("one owner", "%s and %s both answer for %s for over %v", a.name, b.name, r.name, bothLimit)
			})
		}
	}
}

// lookBoth's other side: where one's agent is silent altogether, only its kernel answers, and that must end within
// a second of somebody else's claim, counted from when nothing is wrong with that one.
func (x *watch) mute(a, b *host) bool {
	return !a.keeping.runs() && !a.controlling.runs() && x.well[b.index].is
}

// untold reports whether a host whose keeper does not run was not heard by another until it stopped, or the other took
// over before it could miss an advert, as the log wanted, or it ended before its kernel had done what it was asked to when it gave them
// up, or both owned the group by then, which each would have been told of by the other alone: then nobody can know when its kernel lets the addresses go, but that it is within their lifetime.
func (x *watch) untold(h, by *host) bool {
	q, took := x.quiet[h.index], x.tookLast(by)
	if !q.is {
		return false
	}
	for _, r := range x.w.routers {
		if x.heard[r.index][h.index][by.index] < q.at-x.w.intervalOf(x.w.newest(), r.group) {
			return true
		}
	}
	if took.is && x.asleep[by.index][h.index] {
		return true
	}
	if had := x.owns[h.index]; took.is && had.is && had.at < q.at && took.at < q.at {
		return true
	}
	if lost := x.owns[h.index]; !lost.is && q.at >= lost.at && q.at-lost.at < slowestKernel {
		return true
	}
	wanted := x.wants[by.index]
	return took.is && took.at >= q.at && took.at < q.at+missed*x.w.interval/2 && wanted.is && wanted.at <= took.at && took.at-wanted.at < wantTime
}

// tookLast is whether a host owns the group, and since when: it does until its kernel has let go.
func (x *watch) tookLast(h *host) since {
	s := x.owns[h.index]
	if !s.is && x.w.now-s.at <= splitLimit {
		return since{true, x.tookAt[h.index]}
	}
	return s
}

// within reports whether a host's machine answers another on each segment of the group.
func (w *world) within(h, o *host) bool {
	return !slices.ContainsFunc(w.routers, func(r *router) bool { return !w.answers(r.on, h.index, o.index) || w.tooSlow(r, h, o) })
}

// justBack reports whether a host's machine answers another again for so short a time that this one may not know it: it looks once
// a tick, and claims from the dead by what it saw last.
func (x *watch) justBack(h, o *host) bool {
	const lately = 3 * tickEvery / 2
	return slices.ContainsFunc(x.w.routers, func(r *router) bool {
		s := x.reach[r.index][h.index][o.index]
		return s.is && x.w.now-s.at < lately
	})
}

// tooSlow reports whether a segment answers when a Backup's first survey is over: it lasts for half an interval, since the
// timer waits for nobody.
func (w *world) tooSlow(r *router, h, o *host) bool {
	const packets = time.Millisecond
	wire := &w.wires[r.on]
	return wire.delay[h.index][o.index]+wire.delay[o.index][h.index]+packets >= w.intervalOf(w.newest(), r.group)/2
}

// advert is told of each advert that comes from one host to another.
func (x *watch) advert(from, to *host, r *router) {
	x.heard[r.index][from.index][to.index] = x.w.now
	x.meet(to, from, true)
}

// calmer reports whether nothing is wrong with a host but that others are not there.
func (x *watch) calmer(h *host) bool {
	return x.isAble(h) && h.controlling.runs() && h.control.status != nil && x.w.quorate(h)
}

// speak reports whether two agents' streams are open: what one says, the other hears now.
func (w *world) speak(a, b *host) bool {
	const lately = 3 * tickEvery / 2
	return w.touches(a.index, b.index) && w.now-a.control.heard[b.index] < lately && w.now-b.control.heard[a.index] < lately
}
