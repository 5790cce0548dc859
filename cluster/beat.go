package cluster

import (
	"context"
	"time"
)

// beatsPerTimeout is how many heartbeats there are in the time after which a member misses its leader. A leader which has
// no majority gives up after as long, and no sooner: where processors are short an answer may take as long as several
// heartbeats, and to elect another takes longer still. It counts from when an answer came, and the others from when they
// were asked: so for as long as an answer takes two may believe that they lead. Nothing relies on one of them being
// right: a change is agreed, and a read is confirmed, by a majority in a term.
const beatsPerTimeout = 5

// leadsFor is how many times the timeout of the others a leader's own is: its timers take a tenth of it to two.
const leadsFor = 2

// beat is how often a leader tells each member that it leads.
func (c Config) beat() time.Duration { return c.Heartbeat / beatsPerTimeout }

// beats has Raft send its heartbeats while this node leads, until ctx ends. Raft's own timers, of which there is one for
// each member, are random: each would wake both ends at a time of its own. So it is asked at every beat whether this
// node still leads, which it finds out by a heartbeat to all. Its timers are set to later than that for as long: they
// are for a beat that does not come.
func (n *Node) beats(ctx context.Context) {
	r := n.raft.Load()
	lead := func(leads bool) {
		n.timeouts.leads.Store(leads)
		n.timeouts.set(n)
	}
	defer lead(false)
	lead(true)
	stuck := func() bool { return n.store.Stuck(time.Now()) > n.cfg.Heartbeat }
	inStep(ctx, n.cfg.beat(), stuck, func() { r.VerifyLeader() }) // nobody waits for the answer
}

// inStep asks at all multiples of a beat by the clock on the wall, until ctx ends. What all hosts do then anyway, as the
// agents do to be heard by each other, finds them awake. A leader that hangs in its log takes no questions: it is asked
// none, and may not send a heartbeat either, see [transport].
func inStep(ctx context.Context, beat time.Duration, stuck func() bool, ask func()) {
	for {
		now := time.Now()
		pause(ctx, nextBeat(now, beat).Sub(now))
		switch {
		case ctx.Err() != nil:
			return
		case !stuck():
			ask()
		}
	}
}

// nextBeat is the next multiple of a beat by the clock on the wall, but none that is there already: a timer goes by
// another clock, and may end a little before it.
func nextBeat(now time.Time, beat time.Duration) time.Time {
	next := now.Truncate(beat).Add(beat)
	if next.Sub(now) < beat/10 {
		next = next.Add(beat)
	}
	return next
}
