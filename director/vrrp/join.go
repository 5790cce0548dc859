package vrrp

import (
	"slices"
	"time"
)

// Add adds a router that is new. A fault that it has is told by fault. [Group.Join] must follow.
func (g *Group) Add(router string, cfg Config, fault string) {
	g.members = append(g.members, member{name: router, machine: NewMachine(cfg), fault: fault})
}

// Adopt adds a router that was in another group, with its machine. [Group.Join] must follow.
func (g *Group) Adopt(router string, m *Machine, fault string) {
	g.members = append(g.members, member{name: router, machine: m, fault: fault})
}

// Detach takes a router out without a word, and returns its machine; nil if there is none.
// [Group.Join] must follow.
func (g *Group) Detach(router string) *Machine {
	i := slices.IndexFunc(g.members, func(m member) bool { return m.name == router })
	if i < 0 {
		return nil
	}
	gone := g.members[i].machine
	g.members = slices.Delete(g.members, i, i+1)
	return gone
}

// Remove takes a router out with priority 0, and leaves the others alone. The machine is returned,
// since its goodbye is not said at once. [Group.Join] must follow.
func (g *Group) Remove(now time.Time, router string) (*Machine, []Effect) {
	gone := g.Detach(router)
	if gone == nil {
		return nil, nil
	}
	return gone, tag(router, gone.Step(now, Stop{}))
}

// Join brings the routers of a group that has got other ones to one state, and starts the group if
// it was not. An Active group stays so, and who comes is Active with it, but where it hears a better
// router: that one is waited for. Any other group becomes Active if one that comes is, and none
// hears a better router; else those that come with addresses are Backup but keep them, until they
// hear the new owner.
func (g *Group) Join(now time.Time, start Start) []Effect {
	fault := g.faulty()
	switch {
	case len(g.members) == 0:
		return g.empty()
	case fault != "":
		g.started = true
		return g.halt(now, Fault{Reason: fault}, "")
	case !slices.ContainsFunc(g.members, func(m member) bool { return m.machine.state != Initialize }):
		reason := "start"
		if g.started {
			reason = "fit again"
		}
		g.started = true
		return g.start(now, start, reason)
	}
	g.started = true
	stays := g.state == Active && slices.ContainsFunc(g.members, func(m member) bool { return m.machine.state == Active })
	take := stays || g.mayTake(now)
	var effects []Effect
	for i, m := range g.members {
		if m.machine.state == Initialize {
			effects = append(effects, tag(m.name, m.machine.Step(now, Start{}))...)
		}
		g.members[i].guest = stays && m.machine.bettered(now)
		switch {
		case g.members[i].guest:
		case take:
			effects = append(effects, tag(m.name, m.machine.Step(now, promote{}))...)
		case m.machine.state == Active:
			m.machine.retain(now)
		}
	}
	return g.inStep(now, g.settle(now, append(effects, g.became("", regrouped)...)))
}

// regrouped is the reason of a change of state that comes with the routers.
const regrouped = "regrouped"

// mayTake reports whether a router of the group is Active, and no other hears a better one.
func (g *Group) mayTake(now time.Time) bool {
	return slices.ContainsFunc(g.members, func(m member) bool { return m.machine.state == Active }) &&
		!slices.ContainsFunc(g.members, func(m member) bool { return m.machine.bettered(now) })
}

func (g *Group) empty() []Effect {
	from := g.state
	g.started, g.state, g.reason = false, Initialize, "no routers"
	if from == Initialize {
		return nil
	}
	return []Effect{{Action: Became{From: from, To: Initialize, Reason: g.reason}}}
}

// welcome makes guests one of the others when they have the group's state, or may have it.
func (g *Group) welcome(now time.Time) []Effect {
	var effects []Effect
	for i, m := range g.members {
		if !m.guest {
			continue
		}
		if g.state == Active && m.machine.beats() {
			effects = append(effects, tag(m.name, m.machine.Step(now, promote{}))...)
		}
		g.members[i].guest = m.machine.state != g.state
	}
	return effects
}

// beats reports whether a Backup would not lose to the router that it follows, however long ago that was
// heard. One that is silent or has resigned is left to the timer.
func (m *Machine) beats() bool {
	p := m.peer
	return m.state == Backup && p.Source.IsValid() && p.Priority > 0 && !m.loses(Received{Source: p.Source, Priority: p.Priority})
}
