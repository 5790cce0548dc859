package vrrp

import "time"

// NoCarrier is the reason of the fault that a lost carrier becomes.
const NoCarrier = "no carrier"

// carrier takes note of a carrier that is lost, or ends that.
func (m *Machine) carrier(now time.Time, ev Carrier) []Action {
	lost := !m.cut.IsZero()
	switch {
	case m.state == Initialize || lost != ev.Up: // nothing new
		return nil
	case !ev.Up:
		m.cut = now.Add(m.patience())
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
