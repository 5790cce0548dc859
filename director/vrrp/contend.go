package vrrp

import (
	"fmt"
	"time"
)

// contend is an advert in Active.
func (m *Machine) contend(now time.Time, ev Received) []Action {
	switch {
	case ev.Priority == 0:
		if m.lately(m.calmed, now) {
			return nil
		}
		m.calmed = now
		m.arm(now)
		return []Action{Advertise{m.cfg.Priority}}
	case m.loses(ev) || m.yields(now, ev):
		reason := fmt.Sprintf("better advert from %v, priority %d over %d", ev.Source, ev.Priority, m.cfg.Priority)
		yields := m.yields(now, ev)
		actions := m.fall(now, reason, demote{linger: yields || ev.Member && ev.Unasked, last: ev.Member && !yields})
		m.note(now, ev)
		m.follow(now, ev.Interval)
		return actions
	case m.lately(m.replied, now):
		return nil
	}
	m.replied = now
	if m.lately(m.drawn, now) { // the advert was sent a moment ago; where the addresses are was not said
		if m.cfg.VirtualMAC {
			return nil
		}
		return []Action{Announce{}}
	}
	m.arm(now)
	if m.cfg.VirtualMAC { // the advert that leaves from it is enough
		return []Action{Advertise{m.cfg.Priority}}
	}
	return []Action{Advertise{m.cfg.Priority}, Announce{}}
}

// renew says that an Active router is there, and where its addresses are.
func (m *Machine) renew(now time.Time) []Action {
	m.arm(now)
	return []Action{Advertise{m.cfg.Priority}, Announce{}}
}

// lately reports whether an answer was given so short ago that the next one must wait: what is
// received must not decide how much is sent.
func (m *Machine) lately(answered, now time.Time) bool {
	return !answered.IsZero() && now.Sub(answered) < m.cfg.Interval/4
}

// loses reports whether the advert's sender is better than this router.
func (m *Machine) loses(ev Received) bool {
	return ev.Priority > m.cfg.Priority || ev.Priority == m.cfg.Priority && m.cfg.Source.Less(ev.Source)
}

// yields reports whether the advert is the one that a yield was promised to.
func (m *Machine) yields(now time.Time, ev Received) bool {
	return ev.Member && ev.Priority >= m.cfg.Priority && now.Before(m.yielded)
}

// retell has all routers of a group announce when m has just answered a rival: that one was Active on all of them, and
// may be heard on one only.
func (g *Group) retell(now time.Time, m *Machine, effects []Effect) []Effect {
	if m.state != Active || !m.replied.Equal(now) || m.lately(g.retold, now) {
		return effects
	}
	g.retold = now
	for _, other := range g.members {
		if other.machine != m && other.machine.state == Active && !other.machine.cfg.VirtualMAC {
			effects = append(effects, Effect{other.name, Announce{}})
		}
	}
	return effects
}
