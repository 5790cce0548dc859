package sim

import (
	"time"

	"github.com/quorate/quorate/director/vrrp"
	"github.com/quorate/quorate/fsm"
)

// isAble reports whether a host could serve: it is connected on each segment, and its keeper runs. Where the
// owner of a pair is cut off on one segment only, it takes a control that runs to see that, and a quorum to do
// something about it.
func (x *watch) isAble(h *host) bool {
	w := x.w
	if w.onLoss == fsm.LetGo && !w.quorate(h) {
		return false // it is asked not to
	}
	if w.pair && w.newest().Members[h.name].Draining {
		return false
	}
	if h.witness || !h.up || h.stalls > 0 || !h.keeping.runs() || w.pair && (!h.controlling.runs() || !w.quorate(h) || !h.control.hasQuorum()) {
		return false
	}
	for _, r := range w.routers {
		if !h.plugs[r.on].there() {
			return false
		}
	}
	return true
}

// How long the answer of a segment and of another agent may take for a host to be calm: those who look wait for no more, or
// for little.
const (
	slowAnswer = 200 * time.Millisecond
	slowAgent  = 300 * time.Millisecond
)

// isCalm reports whether nothing is wrong with a host and its connections, and nobody has asked it to own
// nothing. That VRRP does not pass is nothing that is wrong with it: its agent and its kernel are there to ask.
func (x *watch) isCalm(h *host) bool {
	w := x.w
	if !x.isAble(h) || !h.controlling.runs() || h.control.leaving || w.asks > 0 || h.control.status == nil {
		return false
	}
	if m := w.newest().Members[h.name]; m.Draining || 2*w.slow >= slowAgent {
		return false
	}
	for _, o := range w.hosts {
		if o == h || !o.up {
			continue
		}
		if x.twice(h, o) {
			return false
		}
		if o.controlling.alive && !(w.opens(h.index, o.index) && w.opens(o.index, h.index)) {
			return false
		}
		for _, r := range w.routers {
			if o.plugs[r.on].there() && w.attached(o) && !w.both(r.on, arpKind, h.index, o.index) {
				return false
			}
		}
	}
	for _, r := range w.routers {
		if !w.both(r.on, arpKind, h.index, client) || 2*w.wires[r.on].delay[h.index][client] >= slowAnswer {
			return false
		}
	}
	return w.quorate(h) && w.sees(h)
}

// wasCalm reports whether a host has been calm for so long that nothing before that counts.
func (x *watch) wasCalm(h *host) bool {
	s := x.calm[h.index]
	return s.is && x.w.now-s.at > calmTime && x.isCalm(h)
}

// owns reports whether a host's keeper is VRRP's Active.
func (h *host) owns() bool {
	if !h.keeping.alive {
		return false
	}
	for _, g := range h.keeper.groups {
		if g.machine.State() == vrrp.Active {
			return true
		}
	}
	return false
}

// quorate reports whether a majority is in touch with a host.
func (w *world) quorate(h *host) bool {
	reached := 0
	for _, o := range w.hosts {
		if w.touches(h.index, o.index) {
			reached++
		}
	}
	return reached >= w.majority()
}

// isClear reports whether what one host advertises reaches another at once.
func (x *watch) isClear(from, to *host) bool {
	w := x.w
	for _, r := range w.routers {
		if !w.passes(r.on, vrrpKind, from.index, to.index) || w.wires[r.on].delay[from.index][to.index] > 0 {
			return false
		}
	}
	return from.keeping.runs() && from.stalls == 0 && to.stalls == 0
}
