package vrrp

import (
	"fmt"
	"time"
)

func (m *Machine) setPriority(now time.Time, ev SetPriority) []Action {
	changed := m.cfg.Priority != ev.Priority
	m.cfg.Priority, m.cfg.Preempt, m.cfg.PreemptDelay = ev.Priority, ev.Preempt, ev.PreemptDelay
	if m.state != Active || !changed {
		return nil // the residual timer of a Backup runs on
	}
	m.burst = 0
	m.arm(now) // peers learn it now, not an interval later
	return []Action{Advertise{m.cfg.Priority}}
}

func (m *Machine) setInterval(now time.Time, ev SetInterval) []Action {
	if m.cfg.Interval == ev.Interval {
		return nil
	}
	m.cfg.Interval = ev.Interval
	switch {
	case m.state == Backup && !m.peer.Source.IsValid() && ev.Interval > m.learned && !m.resume:
		m.follow(now, ev.Interval) // it follows nobody yet: who is there may send as rarely as that
		return nil
	case m.state != Active:
		return nil // a Backup goes by the interval of the router that it follows
	}
	m.arm(now)
	return []Action{Advertise{m.cfg.Priority}}
}

// arm starts Adver_Timer.
func (m *Machine) arm(now time.Time) {
	m.deadline = now.Add(m.cfg.Interval)
	if m.burst > 0 {
		m.deadline = now.Add(min(repeat, m.cfg.Interval))
	}
}

// next starts Adver_Timer again, from the deadline that has passed, so that adverts do not drift.
func (m *Machine) next(now time.Time) {
	last := m.deadline
	if m.burst > 0 {
		m.burst--
	}
	m.arm(last)
	if !m.deadline.After(now) {
		m.arm(now)
	}
}

func (m *Machine) note(now time.Time, ev Received) {
	m.peer = Peer{Source: ev.Source, Priority: ev.Priority, Member: ev.Member, Heard: now}
}

// follow starts Active_Down_Timer again, with the interval of the router that is followed.
func (m *Machine) follow(now time.Time, interval time.Duration) {
	m.learned = interval
	m.deadline = now.Add(m.Down())
	m.miss(now)
}

// preempts reports whether an advert in Backup is of a router that is to be taken from. With a delay it
// is followed until the delay is over, which begins with the first such advert, and again after one that
// must be followed.
func (m *Machine) preempts(now time.Time, ev Received) bool {
	allowed := m.cfg.Preempt || m.cfg.Priority == 255
	if ev.Priority >= m.cfg.Priority || !allowed || ev.Member {
		m.preempt = time.Time{}
		return false
	}
	if m.preempt.IsZero() {
		m.preempt = now.Add(m.cfg.PreemptDelay)
	}
	return m.resume || !now.Before(m.preempt)
}

// miss has it said when nothing is heard by half an interval after the next advert is due.
func (m *Machine) miss(now time.Time) { m.silent = now.Add(m.learned * 3 / 2) }

func due(t, now time.Time) bool { return !t.IsZero() && !t.After(now) }

// What is said of an Active router when the timer of a Backup that followed it fires.
const (
	Fell     = " silent for " // it was heard, and is not any more
	Resigned = " resigned"
)

// silence says why a Backup's timer fires.
func (m *Machine) silence(now time.Time) string {
	switch {
	case m.resume:
		return "resumed, nobody else spoke"
	case !m.peer.Source.IsValid():
		return fmt.Sprintf("no active router heard for %.1f s", m.Down().Seconds())
	case m.peer.Priority == 0:
		return m.peer.Source.String() + Resigned
	case now.Sub(m.peer.Heard) < m.learned*3/2:
		return fmt.Sprintf("%v has priority %d, below %d", m.peer.Source, m.peer.Priority, m.cfg.Priority)
	}
	return fmt.Sprintf("%v%s%.1f s", m.peer.Source, Fell, now.Sub(m.peer.Heard).Seconds())
}
