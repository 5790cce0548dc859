package vrrp

import (
	"cmp"
	"slices"
	"time"
)

// Effect is an action of one router of a group. Router is empty for what concerns all of them.
type Effect struct {
	Router string
	Action Action
}

// Group is the state machine of a sync group: routers that change state together. A router that is
// in no sync group is a group of one. Like [Machine] it does no I/O and reads no clock.
//
// One router that becomes Active takes all with it, one that yields gives all up, and a fault of one
// puts all in Initialize. No router waits for another one's timer: all that keeps a router whose
// timer has fired from taking the group is that another router of the group hears a better Active
// router now, which the group could not take from anyway.
type Group struct {
	members  []member
	state    State
	reason   string
	started  bool
	hold     time.Time
	question question
	retold   time.Time // when all announced because one of them heard a rival
}

type member struct {
	name    string
	machine *Machine
	fault   string // empty: fit
	// guest is a Backup that came to an Active group and hears a better router: the group neither
	// takes from that one nor falls for it, and goes on without the guest until it is silent.
	guest bool
	waits time.Time // the deadline of a Backup whose timer has fired while it was held
}

// NewGroup returns a group without routers, in Initialize.
func NewGroup() *Group { return &Group{reason: "not started"} }

// State returns the state that all routers of the group have.
func (g *Group) State() State { return g.state }

// Reason returns why the group has the state that it has. In Initialize that is a fault, as long as there is one:
// others may have come and gone since the first.
func (g *Group) Reason() string {
	if f := g.faulty(); g.started && g.state == Initialize && f != "" {
		return f
	}
	return g.reason
}

// Priority returns the priority that the group works with, 0 without routers.
func (g *Group) Priority() uint8 {
	if len(g.members) == 0 {
		return 0
	}
	return g.members[0].machine.cfg.Priority
}

// Machine returns the machine of a router, to look at and not to step; nil if there is none.
func (g *Group) Machine(router string) *Machine {
	for _, m := range g.members {
		if m.name == router {
			return m.machine
		}
	}
	return nil
}

// Fault returns the fault of a router, or "".
func (g *Group) Fault(router string) string {
	for _, m := range g.members {
		if m.name == router {
			return m.fault
		}
	}
	return ""
}

// Late reports whether the driver is so late that the group must start again, with Stalled: an Active
// group whose peers may have lost patience meanwhile, a Backup that was not there to hear. Long says
// that it is late by more than Active_Down_Interval. Asleep is for how long the host was suspended, by which now
// does not count: a router that resumes has heard nobody meanwhile, while nothing that was said to one that was frozen is lost.
func (g *Group) Late(now time.Time, asleep time.Duration) (late, long bool) {
	for _, m := range g.members {
		d := m.machine.deadline
		switch {
		case d.IsZero():
		case m.machine.resume:
			long = long || asleep > 0
		default:
			by := now.Add(asleep).Sub(d)
			long = long || by > m.machine.Down()
			late = late || m.machine.state == Active && by > 2*m.machine.cfg.Interval
		}
	}
	return late || long, long
}

// Deadline returns when the group wants to be told that time has passed; zero for never.
func (g *Group) Deadline() time.Time {
	var first time.Time
	for _, m := range g.members {
		if d := m.machine.Deadline(); !d.IsZero() && (first.IsZero() || d.Before(first)) {
			first = d
		}
	}
	return first
}

// Step advances the group by one event at time now. Router names whom a Received, Fault, Fit, Carrier,
// SetInterval, SetSource or Silent is about, and is empty for all other events.
func (g *Group) Step(now time.Time, router string, ev Event) []Effect {
	return g.inStep(now, g.step(now, router, ev))
}

func (g *Group) step(now time.Time, router string, ev Event) []Effect {
	switch ev := ev.(type) {
	case Start:
		g.started = true
		if f := g.faulty(); f != "" {
			return g.halt(now, Fault{Reason: f}, "")
		}
		return g.start(now, ev, "start")
	case Stop:
		g.started = false
		return g.all(now, ev, "stopped")
	case Fault:
		return g.fail(now, router, ev)
	case Fit:
		return g.recover(now, router)
	case Carrier:
		return g.carrier(now, router, ev)
	case Hold:
		g.holdUntil(now, ev.Until)
		return nil
	case Expired:
		return g.expired(now, ev)
	case Answer:
		g.answer(now, ev)
		return nil
	case SetPriority:
		var effects []Effect
		for _, m := range g.members {
			effects = append(effects, tag(m.name, m.machine.Step(now, ev))...)
		}
		return effects
	case SetInterval, SetSource:
		if m := g.Machine(router); m != nil {
			return tag(router, m.Step(now, ev))
		}
		return nil
	case Received:
		m := g.Machine(router)
		if m == nil {
			return nil
		}
		resumed := m.resume
		effects := tag(router, m.Step(now, ev))
		if resumed && !m.resume && m.state == Backup { // one that must not go on keeps all from it
			effects = append(effects, g.all(now, Abandon{}, "")...)
		}
		return g.settle(now, g.retell(now, m, effects))
	case Claim:
		return g.all(now, ev, "claim")
	case Resign:
		return g.all(now, ev, cmp.Or(ev.Reason, "resigned"))
	case Concede:
		return g.all(now, ev, "conceded to a claim")
	case Stalled:
		g.question.since = time.Time{} // an advert may be lost
		return g.all(now, ev, "stalled")
	}
	return g.all(now, ev, "")
}

// all steps every machine. A reason that is not empty replaces the machines' own.
func (g *Group) all(now time.Time, ev Event, reason string) []Effect {
	var effects []Effect
	for _, m := range g.members {
		effects = append(effects, tag(m.name, m.machine.Step(now, ev))...)
	}
	return append(append(effects, g.became("", reason)...), g.welcome(now)...)
}

func (g *Group) start(now time.Time, ev Start, reason string) []Effect {
	effects := g.all(now, ev, reason)
	return g.settle(now, effects)
}

func (g *Group) faulty() string {
	for _, m := range g.members {
		if m.fault != "" {
			return m.fault
		}
	}
	return ""
}

func (g *Group) fail(now time.Time, router string, ev Fault) []Effect {
	for i := range g.members {
		if g.members[i].name == router {
			g.members[i].fault = ev.Reason
		}
	}
	if !g.started {
		return nil
	}
	return g.halt(now, ev, router)
}

// halt puts all routers in Initialize. Those that can still send say goodbye.
func (g *Group) halt(now time.Time, fault Fault, router string) []Effect {
	var effects []Effect
	for _, m := range g.members {
		var ev Event = Stop{}
		switch {
		case m.name == router:
			ev = fault
		case m.fault != "":
			ev = Fault{Reason: fault.Reason}
		}
		effects = append(effects, tag(m.name, m.machine.Step(now, ev))...)
	}
	return append(append(effects, g.became("", fault.Reason)...), g.welcome(now)...)
}

func (g *Group) recover(now time.Time, router string) []Effect {
	was := g.faulty()
	for i := range g.members {
		if g.members[i].name == router {
			g.members[i].fault = ""
		}
	}
	if was == "" || !g.started || g.faulty() != "" {
		return nil
	}
	return g.start(now, Start{}, "fit again")
}

func (g *Group) expired(now time.Time, ev Expired) []Effect {
	for _, m := range g.members { // before any other takes over
		m.machine.doubt(now)
		if m.machine.severed(now) {
			return g.fail(now, m.name, Fault{Reason: NoCarrier})
		}
	}
	var effects []Effect
	for i, m := range g.members {
		d := m.machine.Deadline()
		if d.IsZero() || d.After(now) {
			continue
		}
		if until := g.held(now, m); !until.IsZero() {
			m.machine.deadline, g.members[i].waits = until, until
		} else if ev.Unattended {
			effects = append(effects, g.ask(now, m.machine)...)
		}
		effects = append(effects, tag(m.name, m.machine.Step(now, Expired{}))...)
		if !m.guest && m.machine.state != g.state {
			break // the others follow in settle, with no second word of their own
		}
	}
	return g.settle(now, effects)
}

// holdUntil holds, or ends a hold: who waited for its end, or for that of one before, does not wait on.
func (g *Group) holdUntil(now, until time.Time) {
	soonest := until
	if soonest.Before(now) {
		soonest = now
	}
	for i, m := range g.members {
		d := m.machine.deadline
		end := soonest.Add(m.machine.Skew())
		if m.machine.state != Backup || d.IsZero() || !d.Equal(m.waits) || !until.Before(g.hold) || !end.Before(d) {
			continue
		}
		m.machine.deadline, g.members[i].waits = end, end
	}
	g.hold = until
}

// held returns until when a Backup whose timer fires now must wait; zero if it need not.
func (g *Group) held(now time.Time, m member) time.Time {
	if m.machine.state != Backup || !due(m.machine.deadline, now) {
		return time.Time{}
	}
	if g.hold.After(now) { // the others wait too: the best comes first
		return g.hold.Add(m.machine.Skew())
	}
	for _, other := range g.members {
		if other.machine.cut.After(now) { // it is back by then, or a fault of the group
			return other.machine.cut
		}
	}
	for _, other := range g.members {
		if other.name != m.name && other.machine.bettered(now) && !m.machine.resigned(other.machine) {
			return now.Add(m.machine.cfg.Interval)
		}
	}
	return time.Time{}
}

// resigned reports whether a router's Active one has resigned, and was the one that another router of the group heard: who
// resigns on one resigns on all. Whoever is heard there since then has taken over.
func (m *Machine) resigned(other *Machine) bool {
	return m.peer.Source.IsValid() && m.peer.Priority == 0 && other.peer.Heard.Sub(m.peer.Heard) < m.learned
}

// bettered reports whether a Backup hears, now, an Active router that it would lose to.
func (m *Machine) bettered(now time.Time) bool {
	return m.state == Backup && !m.resume && m.peer.Source.IsValid() && m.peer.Priority > 0 &&
		now.Sub(m.peer.Heard) < m.learned*3/2 &&
		m.loses(Received{Source: m.peer.Source, Priority: m.peer.Priority})
}

// settle carries a change of one router to all others.
func (g *Group) settle(now time.Time, effects []Effect) []Effect {
	i := slices.IndexFunc(g.members, func(m member) bool { return !m.guest && m.machine.state != g.state })
	if i < 0 {
		return append(effects, g.welcome(now)...)
	}
	first := g.members[i].machine
	var ev Event = promote{}
	if first.state == Backup {
		ev = demote{linger: !first.linger.IsZero(), last: first.linger.IsZero() && first.peer.Member}
	}
	for j, m := range g.members {
		if j == i || m.guest || m.machine.state == first.state {
			continue
		}
		effects = append(effects, tag(m.name, m.machine.Step(now, ev))...)
	}
	effects = append(effects, g.became(g.members[i].name, first.reason)...)
	return append(effects, g.welcome(now)...)
}

// became takes note of a change of the group's state.
func (g *Group) became(router, reason string) []Effect {
	i := slices.IndexFunc(g.members, func(m member) bool { return !m.guest })
	if i < 0 || g.members[i].machine.state == g.state {
		return nil
	}
	from := g.state
	g.state, g.question = g.members[i].machine.state, question{}
	g.reason = cmp.Or(reason, g.members[i].machine.reason)
	return []Effect{{Action: Became{From: from, To: g.state, Router: router, Reason: g.reason}}}
}

func tag(router string, actions []Action) []Effect {
	effects := make([]Effect, len(actions))
	for i, a := range actions {
		effects[i] = Effect{Router: router, Action: a}
	}
	return effects
}

// Size returns how many routers the group has.
func (g *Group) Size() int { return len(g.members) }
