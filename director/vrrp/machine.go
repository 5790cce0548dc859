package vrrp

import (
	"net/netip"
	"time"
)

const (
	// Linger is how long the addresses stay after a planned yield.
	Linger = 20 * time.Millisecond
	// repeat is the distance of the repeated adverts of a claim and of a resignation.
	repeat = 10 * time.Millisecond
	// repeats is how often they are repeated.
	repeats = 2
)

// Config is what a machine starts with.
type Config struct {
	// Source is the address that adverts leave from.
	Source netip.Addr
	// Interval is the router's own advertisement interval.
	Interval time.Duration
	// Priority is 1 to 254, or 255 for the RFC's address owner.
	Priority uint8
	// Preempt allows to take from foreign routers of lower priority.
	Preempt bool
	// PreemptDelay is for how long a foreign router of lower priority is followed before it is taken from.
	PreemptDelay time.Duration
	// Version is V2 where the skew does not go by the interval; zero is V3.
	Version Version
	// VirtualMAC says that the addresses have a MAC address that moves with them: no host has to be told
	// again because another router spoke for them.
	VirtualMAC bool
}

// Peer is the Active router that a machine last heard.
type Peer struct {
	Source   netip.Addr
	Priority uint8
	Member   bool
	Heard    time.Time
}

// Machine is the state machine of one virtual router (RFC 9568, section 6.4). It does no I/O, starts
// no goroutine and reads no clock: Step is told the time, and says what to do.
type Machine struct {
	cfg     Config
	state   State
	peer    Peer
	learned time.Duration // Active_Adver_Interval

	deadline time.Time // Active_Down_Timer or Adver_Timer; zero in Initialize only
	silent   time.Time // when to report that an advert is missing
	burst    int       // adverts of a claim that are still to be sent
	bye      int       // adverts of a resignation that are still to be sent
	byeAt    time.Time
	replied  time.Time // when a losing advert was last answered
	calmed   time.Time // when a resignation was last answered
	drawn    time.Time // when it last advertised because another router of the group did
	preempt  time.Time // from when on a router of lower priority is taken from; zero: none was heard
	cut      time.Time // until when the carrier must be back; zero: it is there
	excused  bool      // that was put off once

	owned   bool      // the addresses are on the host
	resume  bool      // Backup that keeps its addresses until deadline
	yielded time.Time // until when a yield is promised
	linger  time.Time // when the addresses go after a yield

	reason string // of the last change of state
}

// NewMachine returns a machine in Initialize.
func NewMachine(cfg Config) *Machine {
	return &Machine{cfg: cfg, learned: cfg.Interval}
}

// State returns the state.
func (m *Machine) State() State { return m.state }

// Peer returns the Active router that was last heard, zero if none was since the start.
func (m *Machine) Peer() Peer { return m.peer }

// Learned returns the Active router's interval: what its adverts say, and the own one until some were heard.
func (m *Machine) Learned() time.Duration { return m.learned }

// Reason returns why the machine has the state that it has.
func (m *Machine) Reason() string { return m.reason }

// Priority returns the priority that the machine works with.
func (m *Machine) Priority() uint8 { return m.cfg.Priority }

// Owned reports whether the addresses are to be on the host.
func (m *Machine) Owned() bool { return m.owned }

// Skew returns Skew_Time, exact to the nanosecond.
func (m *Machine) Skew() time.Duration {
	base := m.learned
	if m.cfg.Version == V2 {
		base = time.Second
	}
	return time.Duration(256-int(m.cfg.Priority)) * base / 256
}

// Down returns Active_Down_Interval.
func (m *Machine) Down() time.Duration { return 3*m.learned + m.Skew() }

// Deadline returns when the machine wants to be told that time has passed; zero for never.
func (m *Machine) Deadline() time.Time {
	d := m.deadline
	for _, t := range [...]time.Time{m.silent, m.linger, m.yielded, m.byeAt, m.cut} {
		if !t.IsZero() && (d.IsZero() || t.Before(d)) {
			d = t
		}
	}
	return d
}

// Step advances the machine by one event at time now, and returns what the caller must do, in order.
func (m *Machine) Step(now time.Time, ev Event) []Action {
	switch ev := ev.(type) {
	case SetPriority:
		return m.setPriority(now, ev)
	case SetInterval:
		return m.setInterval(now, ev)
	case SetSource:
		m.cfg.Source = ev.Source
		return nil
	case Expired:
		return m.expired(now)
	case Carrier:
		return m.carrier(now, ev)
	case Stop:
		return m.stop(now, "stopped", true)
	case Fault:
		return m.stop(now, ev.Reason, ev.CanSend)
	}
	switch m.state {
	case Initialize:
		return m.initialize(now, ev)
	case Backup:
		return m.backup(now, ev)
	case Active:
		return m.active(now, ev)
	}
	panic("vrrp: impossible state")
}

func (m *Machine) initialize(now time.Time, ev Event) []Action {
	if heard, ok := ev.(Received); ok && heard.Priority > 0 {
		m.bye, m.byeAt = 0, time.Time{} // who resigned has a successor
	}
	start, ok := ev.(Start)
	if !ok {
		return nil
	}
	m.peer, m.learned = Peer{}, m.cfg.Interval
	m.preempt, m.cut = time.Time{}, time.Time{}
	m.bye, m.byeAt = 0, time.Time{}
	if m.cfg.Priority == 255 {
		m.owned = start.Resume > 0
		return m.take(now, "address owner")
	}
	m.state, m.reason = Backup, "start"
	m.deadline = now.Add(m.Down())
	m.miss(now)
	if start.Resume > 0 {
		m.owned, m.resume = true, true
		m.deadline = now.Add(start.Resume)
	}
	return nil
}

func (m *Machine) backup(now time.Time, ev Event) []Action {
	switch ev := ev.(type) {
	case Received:
		return m.hear(now, ev)
	case Claim:
		m.cfg.Priority = ev.Priority
		m.burst = repeats
		return m.take(now, "claim")
	case promote:
		return m.take(now, "group")
	case Stalled:
		if m.resume { // it listens anew
			if end := now.Add(ev.Resume); end.After(m.deadline) {
				m.deadline = end
			}
			return nil
		}
		m.deadline = now.Add(m.Down())
		m.miss(now)
	case Abandon, Concede:
		if m.resume {
			return m.drop(now)
		}
	case Resign:
		m.deadline = now.Add(m.Down())
		if m.owned {
			return m.drop(now)
		}
	}
	return nil
}

// hear is an advert in Backup.
func (m *Machine) hear(now time.Time, ev Received) []Action {
	if ev.Priority == 0 {
		again := m.peer.Source == ev.Source && m.peer.Priority == 0 // it is said up to three times
		m.silent = time.Time{}
		m.peer.Heard, m.peer.Priority = now, 0
		if soon := now.Add(m.Skew()); !m.resume && !again && soon.Before(m.deadline) {
			m.deadline = soon // never later: who resigns over and over must not keep everybody waiting
		}
		return nil
	}
	m.bye, m.byeAt = 0, time.Time{}
	if m.preempts(now, ev) { // it will be taken from: the timer runs on
		if m.peer.Source == ev.Source || m.peer.Priority == 0 || now.Sub(m.peer.Heard) > 3*m.learned {
			m.note(now, ev) // not before: a stranger's word must not count for that of who is followed
		}
		return nil
	}
	m.note(now, ev)
	var actions []Action
	if m.resume {
		actions = m.drop(now)
	}
	m.follow(now, ev.Interval)
	return actions
}

func (m *Machine) active(now time.Time, ev Event) []Action {
	switch ev := ev.(type) {
	case Received:
		return m.contend(now, ev)
	case Claim:
		m.cfg.Priority = ev.Priority
		m.burst = repeats
		m.arm(now)
		return []Action{Advertise{m.cfg.Priority}, Announce{}}
	case Yield:
		m.yielded = now.Add(ev.Wait)
	case Renew:
		return m.renew(now)
	case Concede:
		return m.fall(now, "conceded to a claim", demote{linger: true})
	case Resign:
		actions := append([]Action{Advertise{0}}, m.fall(now, "resigned", demote{linger: ev.Linger})...)
		m.bye, m.byeAt = repeats, now.Add(repeat)
		return actions
	case demote:
		return m.fall(now, "group", ev)
	case Stalled:
		m.back(now, "stalled")
		m.resume = true
		m.deadline = now.Add(ev.Resume)
	}
	return nil
}

func (m *Machine) expired(now time.Time) []Action {
	var actions []Action
	if due(m.byeAt, now) {
		actions = append(actions, Advertise{0})
		m.bye--
		m.byeAt = now.Add(repeat)
		if m.bye <= 0 {
			m.byeAt = time.Time{}
		}
	}
	if due(m.linger, now) {
		actions = append(actions, m.drop(now)...)
	}
	if due(m.yielded, now) {
		m.yielded = time.Time{}
	}
	if due(m.silent, now) {
		m.silent = time.Time{}
		actions = append(actions, Silent{})
	}
	if m.severed(now) {
		return append(actions, m.stop(now, NoCarrier, false)...)
	}
	if !due(m.deadline, now) {
		return actions
	}
	switch m.state {
	case Backup:
		if !m.cut.IsZero() { // it could not have heard
			m.deadline = m.cut
			return actions
		}
		return append(actions, m.take(now, m.silence(now))...)
	case Active:
		m.next(now)
		return append(actions, Advertise{m.cfg.Priority})
	}
	return actions
}

// take makes the router Active. The advert goes first, so that a router that is still Active lets
// go before the addresses are added here.
func (m *Machine) take(now time.Time, reason string) []Action {
	actions := []Action{Advertise{m.cfg.Priority}}
	if !m.owned || !m.linger.IsZero() { // what lingers has a short lifetime
		actions = append(actions, Own{})
	}
	m.state, m.reason = Active, reason
	m.owned, m.resume = true, false
	m.silent, m.linger, m.yielded = time.Time{}, time.Time{}, time.Time{}
	m.replied, m.calmed, m.drawn, m.preempt = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	m.bye, m.byeAt = 0, time.Time{}
	m.arm(now)
	return append(actions, Announce{})
}

// fall makes an Active router Backup because somebody better spoke. A member that it did not yield to
// by agreement hears one last advert: only so does the winner of a healed cut learn that there were
// two, and announces again. Towards a foreign router it is silent, as RFC 9568 has it.
func (m *Machine) fall(now time.Time, reason string, how demote) []Action {
	var actions []Action
	if how.last {
		actions = append(actions, Advertise{m.cfg.Priority})
	}
	m.back(now, reason)
	if how.linger {
		m.linger = now.Add(Linger)
		return append(actions, Shorten{})
	}
	return append(actions, m.drop(now)...)
}

// back makes the router Backup with a full Active_Down_Interval. It leaves the addresses alone.
func (m *Machine) back(now time.Time, reason string) {
	m.state, m.reason = Backup, reason
	m.peer, m.learned = Peer{}, m.cfg.Interval
	m.burst, m.yielded, m.preempt = 0, time.Time{}, time.Time{}
	m.deadline = now.Add(m.Down())
	m.miss(now)
}

// retain makes an Active router Backup that keeps its addresses until it hears their new owner, and
// takes them again if it hears none for Active_Down_Interval.
func (m *Machine) retain(now time.Time) {
	m.back(now, regrouped)
	m.resume = true
}

// Heir returns the machine of a router that has m's addresses from now on, under another VRID. It is
// Active, and due to say so. Of a router that is not Active there is none, and Heir returns nil.
func (m *Machine) Heir(now time.Time) *Machine {
	if m.state != Active {
		return nil
	}
	heir := NewMachine(m.cfg)
	heir.state, heir.reason, heir.owned, heir.deadline = Active, m.reason, true, now
	return heir
}

// drop lets the addresses go.
func (m *Machine) drop(now time.Time) []Action {
	m.linger = time.Time{}
	if m.resume {
		m.resume = false
		m.deadline = now.Add(m.Down())
	}
	if !m.owned {
		return nil
	}
	m.owned = false
	return []Action{Release{}}
}

func (m *Machine) stop(now time.Time, reason string, goodbye bool) []Action {
	if m.state == Initialize {
		return nil
	}
	var actions []Action
	if (m.state == Active || m.resume) && goodbye { // who resumes was Active, and the others wait for its next advert
		actions = append(actions, Advertise{0})
		m.bye, m.byeAt = repeats, now.Add(repeat)
	} else {
		m.bye, m.byeAt = 0, time.Time{}
	}
	actions = append(actions, m.drop(now)...)
	m.state, m.reason = Initialize, reason
	m.burst, m.resume = 0, false
	m.deadline, m.silent, m.yielded, m.cut = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	return actions
}
