package vrrp

import (
	"slices"
	"time"
)

const (
	// asksFor is for how long the segments are asked before a group is taken that nobody looks after.
	asksFor = 200 * time.Millisecond
	// answersBy is how much longer their answer is waited for: a driver that cannot ask keeps nobody from taking.
	answersBy = 100 * time.Millisecond
	// succeeds is for how much longer than the longest Active_Down_Interval nobody must have answered, where somebody did: another that
	// hears that one may be the next, and is not heard either. With an advert a second, A owns, B hears it, and C does not: A dies, B takes
	// 3.3 s later, and C has asked from before until 4.5 s after A's last answer, so that B answers it.
	succeeds = 500 * time.Millisecond
	// HeldBack is for how long a group is left to who answers and has sent nothing that was heard, or for the time in which that one would
	// be the next if it is longer. Who lives sends adverts, believed or not: an answer without any may be that of a switch or a proxy, which
	// answers for the dead for as long as it remembers them.
	HeldBack = time.Minute
)

// question is what a group asks the segments before it is taken by a timer while nobody looks after it: whether another has its
// addresses, who may have been told since to speak otherwise.
type question struct {
	until    time.Time // when it is over: who has not answered by then does not
	answered time.Time // when another answered last; zero: none has since the group is Backup
	since    time.Time // when the first of those answers was, or the last that somebody who lives was Signed by
	excused  bool      // it was asked again, since the driver stood still
}

// Answered reports whether the group is Backup because another answers for its addresses, of whom nothing is heard.
func (g *Group) Answered() bool {
	at := g.question.answered
	return !at.IsZero() && !slices.ContainsFunc(g.members, func(m member) bool { return m.machine.peer.Heard.After(at) })
}

// ask has a Backup whose timer fires now wait for an answer, if it must.
func (g *Group) ask(now time.Time, m *Machine) []Effect {
	q := &g.question
	switch {
	case g.state != Backup || m.state != Backup || m.resume || !due(m.deadline, now):
		return nil
	case m.hears(now): // it knows from whom it takes: one of lower priority, or one that has resigned
		return nil
	case m.deadline.Equal(q.until) && (q.excused || now.Sub(q.until) < doubted): // nobody has answered
		return nil
	case q.until.After(now): // it was asked for another router, and is about all
		m.deadline = q.until
		return nil
	}
	q.excused = m.deadline.Equal(q.until) // what was answered meanwhile may be lost
	long := asksFor
	if g.Answered() {
		long = m.succession()
	}
	q.until = now.Add(long + answersBy)
	m.deadline = q.until
	return []Effect{{Action: Ask{For: long, Until: q.until}}}
}

// hears reports whether a Backup has heard of the Active router that it follows, now.
func (m *Machine) hears(now time.Time) bool {
	return m.peer.Source.IsValid() && now.Sub(m.peer.Heard) < m.learned*3/2
}

// succession is how long it takes another to be the next, at most.
func (m *Machine) succession() time.Duration { return 4*m.learned + succeeds }

// succession is that on any of its segments.
func (g *Group) succession() (long time.Duration) {
	for _, m := range g.members {
		long = max(long, m.machine.succession())
	}
	return long
}

// answer takes what became of the question that was asked last. Who waits for that asks again an interval later, as if it had heard an
// advert, or takes the group now.
func (g *Group) answer(now time.Time, ev Answer) {
	q := &g.question
	if g.state != Backup || !ev.Until.Equal(q.until) || !q.until.After(now) {
		return
	}
	if q.since.IsZero() || !g.Answered() {
		q.since = now
	}
	if ev.Signed.After(q.since) {
		q.since = ev.Signed
	}
	held := q.since.Add(max(HeldBack, g.succession()))
	q.until = now
	for _, m := range g.members {
		switch {
		case m.machine.state != Backup || !m.machine.deadline.Equal(ev.Until): // it has heard somebody meanwhile
		case ev.Taken && now.Before(held):
			q.answered = now
			m.machine.deadline = now.Add(min(max(m.machine.learned, asksFor), held.Sub(now)))
		default:
			m.machine.deadline = now
		}
	}
}
