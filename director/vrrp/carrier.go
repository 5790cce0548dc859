package vrrp

import "time"

// NoCarrier is the reason of the fault that a lost carrier becomes.
const NoCarrier = "no carrier"

// doubted is how late a driver must be for a carrier's time for it to have stood still, and for how long it waits then to be told
// whether the carrier is back.
const doubted = 100 * time.Millisecond

// carrier takes note of a carrier that is lost, or ends that.
func (m *Machine) carrier(now time.Time, ev Carrier) []Action {
	lost := !m.cut.IsZero()
	switch {
	case m.state == Initialize || lost != ev.Up: // nothing new
		return nil
	case !ev.Up:
		m.cut, m.excused = now.Add(m.patience()), false
		return nil
	}
	m.cut = time.Time{}
	if m.state == Active { // the segment may have forgotten where the addresses are
		return m.renew(now)
	}
	if soon := now.Add(m.learned + m.Skew()); !m.resume && m.deadline.Before(soon) {
		m.deadline = soon // what was sent meanwhile was not heard: one more advert may come
	}
	return nil
}

// patience is how long a carrier may be away: an interval of the router that is followed, or of its own.
func (m *Machine) patience() time.Duration {
	if m.state == Backup {
		return m.learned
	}
	return m.cfg.Interval
}

// doubt gives a carrier whose time is up a moment more where the driver stood still: it may be back since, which is told only now. To
// give the group up for one that is back would leave nobody who serves. It does so once: a driver that is late each time would
// keep the group for ever.
func (m *Machine) doubt(now time.Time) {
	if !m.cut.IsZero() && !m.excused && now.Sub(m.cut) >= doubted {
		m.cut, m.excused = now.Add(doubted), true
	}
}

// severed reports whether the carrier has been away for too long.
func (m *Machine) severed(now time.Time) bool { return due(m.cut, now) }

func (g *Group) carrier(now time.Time, router string, ev Carrier) []Effect {
	m := g.Machine(router)
	switch {
	case m == nil:
		return nil
	case ev.Up && g.Fault(router) == NoCarrier:
		return g.recover(now, router)
	}
	return tag(router, m.Step(now, ev))
}
