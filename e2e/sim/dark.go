package sim

import (
	"slices"
	"time"

	"github.com/quorate/quorate/fsm"
)

// slack is what the delays of the cluster's traffic add to a bound that needs it.
func (w *world) slack() time.Duration {
	d := w.slow
	if w.faster.is && w.now-w.faster.at < slackFor { // what was begun before took as long as that
		d = max(d, w.was)
	}
	return 4 * d
}

// lookDark is the second invariant: somebody answers within the bound.
func (x *watch) lookDark(r *router) {
	w := x.w
	var served *host
	kept, able := false, since{}
	for _, h := range w.hosts {
		if w.serves(r, client, h) {
			served = h
		}
		kept = kept || h.kernel.has(r.index)
	}
	for _, h := range w.hosts {
		if s := x.able[h.index]; s.is && (!kept || w.sees(h)) && (!able.is || s.at < able.at) {
			able = s
		}
	}
	whole := true
	for _, o := range w.routers {
		whole = whole && w.cuts[o.on][arpKind] == 0
	}
	if was := x.served[r.index]; was != nil && served == nil {
		x.breaks(r, was, whole)
	}
	x.served[r.index] = served
	x.dark[r.index].set(served == nil && able.is && whole && w.now > 0, w.now)
	x.dark[r.index].at = max(x.dark[r.index].at, x.taken(r.index))
	x.must(x.dark[r.index], w.bound(), func() {
		x.fail("somebody answers", "nobody answers for %s for over %v, though a director could", r.name, w.bound())
	})
}

// taken is when one was told of another VRID, with which its timer begins anew, or one was cut off, or stopped, that had just taken the group over from another such, or when the agent of one that
// is cut off and owns it fell silent, which said so until then: who finds that looks anew.
func (x *watch) taken(router int) time.Duration {
	at := time.Duration(0)
	for _, h := range x.w.hosts {
		s, took := x.able[h.index], x.owns[h.index]
		if h.renumbered > x.dark[router].at {
			at = max(at, h.renumbered)
		}
		if took.is && took.at > x.dark[router].at && !s.is && s.at > x.dark[router].at {
			at = max(at, s.at, took.at)
		}
		if says := x.says[h.index]; took.is && !s.is && h.keeping.runs() && !h.controlling.runs() && !says.is {
			at = max(at, says.at)
		}
	}
	return at
}

// tells reports whether one that could serve is told by a host whether that owns the group.
func (x *watch) tells(h *host) bool {
	return slices.ContainsFunc(x.w.others(h), func(o *host) bool { return x.able[o.index].is && x.w.touches(h.index, o.index) })
}

// sees reports whether a host can tell that it is not itself the one that is cut off: by a gateway, or by
// another host, that answers in time.
func (w *world) sees(h *host) bool {
	for _, r := range w.routers {
		in := func(o int) bool { return w.wires[r.on].delay[h.index][o]+w.wires[r.on].delay[o][h.index] < slowAnswer }
		sees := w.gateways && in(client)
		for _, o := range w.hosts {
			sees = sees || o != h && w.answers(r.on, h.index, o.index) && in(o.index)
		}
		if !sees {
			return false
		}
	}
	return true
}

// bound is how long nobody may answer while somebody could: the timer of VRRP at its longest, and what the
// guard holds it for at most. A pair of which the owner has lost one segment and the cluster is moved by the
// log, when the grace is over.
func (w *world) bound() time.Duration {
	b := 6*w.interval + time.Second + w.slack()
	if w.pair {
		b += quorumGrace + 3*reportEvery
	}
	if w.onLoss == fsm.LetGo { // who owns nothing without a quorum waits for a leader
		b += 2 * electionHigh
	}
	return b
}
