package vrrp

import (
	"slices"
	"time"
)

// inStep has all routers of an Active group advertise when one does, whose timers run together from then on. One that
// has answered a rival or a resignation would speak at a time of its own for good; and since the keeper renews addresses
// just before an advert, those of one router would end before those of another where it dies or stands still. One of
// another interval speaks for itself.
//
// An advert that is drawn along answers rivals and resignations on its own segment as well: else what is received on each
// segment would decide how much is sent on all of them.
func (g *Group) inStep(now time.Time, effects []Effect) []Effect {
	if g.state != Active || len(g.members) < 2 {
		return effects
	}
	i := slices.IndexFunc(g.members, func(m member) bool { return m.beating() && speaks(effects, m.name) })
	if i < 0 {
		return effects
	}
	first := g.members[i].machine
	for _, m := range g.members {
		if !m.beating() || m.machine.cfg.Interval != first.cfg.Interval || m.machine.deadline.Equal(first.deadline) {
			continue
		}
		m.machine.deadline = first.deadline
		if !speaks(effects, m.name) {
			m.machine.drawn, m.machine.calmed = now, now
			effects = append(effects, Effect{m.name, Advertise{m.machine.cfg.Priority}})
		}
	}
	return effects
}

// beating reports whether a router is Active with the group, and advertises once in an interval: what a claim repeats is
// over in a moment.
func (m member) beating() bool { return !m.guest && m.machine.state == Active && m.machine.burst == 0 }

// speaks reports whether an advert of a router is among effects.
func speaks(effects []Effect, router string) bool {
	return slices.ContainsFunc(effects, func(e Effect) bool {
		_, ok := e.Action.(Advertise)
		return ok && e.Router == router
	})
}
