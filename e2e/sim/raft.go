package sim

import (
	"errors"
	"time"

	"github.com/quorate/quorate/fsm"
)

// The model of the log. There is one sequence of entries, and each member has applied the beginning of it.
// A leader is there while a majority of the voters is in touch with it; what it is given is agreed when a
// majority has it, after a round trip and the writes of their disks.

const (
	heartbeat    = 500 * time.Millisecond
	lease        = 250 * time.Millisecond
	raftTick     = 100 * time.Millisecond
	quorumGrace  = 2 * time.Second
	electionLow  = 500 * time.Millisecond
	electionHigh = 1500 * time.Millisecond
)

var (
	errNoLeader = errors.New("there is no leader")
	errLost     = errors.New("leadership was lost")
	errTimeout  = errors.New("no answer within the time")
)

// agreement is the log as far as it is agreed.
type agreement struct {
	w      *world
	states []*fsm.State // after so many entries
	last   time.Duration
	term   uint64
}

// node is a member's part in the log: what is on its disk, and what its process knows.
type node struct {
	applied  int
	has      int // entries that it has written
	recorded int // what it had applied when it ended last

	leads   bool
	term    uint64
	contact time.Duration // with a leader
	leader  int           // who that was, -1 for none
	timeout time.Duration // how long it goes without, before it stands for election
	quorum  time.Duration // when a majority last answered the leader
	blind   bool          // no leader has said yet what is agreed
	pending int           // writes of a leader that are under way
}

// voters are all members.
func (w *world) majority() int { return len(w.hosts)/2 + 1 }

// touches reports whether two members' processes are in touch now: each reaches the other.
func (w *world) touches(a, b int) bool { return w.commands(a, b) && w.opens(b, a) }

// commands reports whether one member's process reaches another's now, over connections of its own: a leader needs no more.
func (w *world) commands(a, b int) bool {
	return a == b || w.opens(a, b) && w.hosts[a].controlling.runs() && w.hosts[b].controlling.runs()
}

// startLog runs the log's clockwork.
func (w *world) startLog() {
	w.after(raftTick, func() {
		for _, h := range w.hosts {
			if h.controlling.runs() {
				h.control.raft()
			}
		}
		w.startLog()
	})
}

// raft is one round of a member.
func (c *control) raft() {
	w, n := c.w, &c.node
	if n.leads {
		c.lead()
		return
	}
	if w.now-max(n.contact, c.since) < n.timeout {
		return
	}
	var votes []*control
	for _, h := range w.hosts {
		if !w.commands(c.h.index, h.index) {
			continue
		}
		o := &h.control.node
		if h != c.h && (o.leads && w.now-o.quorum < lease || w.now-o.contact < heartbeat) || o.has > n.has {
			continue
		}
		votes = append(votes, h.control)
	}
	n.timeout = w.chance.between(electionLow, electionHigh)
	if len(votes) < w.majority() {
		n.contact = w.now // it stands again after its timeout
		n.leader = -1
		return
	}
	c.wins(votes)
}

// wins makes a member the leader for which a majority has voted.
func (c *control) wins(votes []*control) {
	w, n := c.w, &c.node
	w.agreed.term++
	n.leads, n.term, n.quorum, n.leader, n.blind = true, w.agreed.term, w.now, c.h.index, false
	n.pending = 0
	c.placer = newPlacer(w, c.h.name)
	for _, o := range votes {
		if o != c && o.node.leads { // in an old term, which it has not heard of
			o.follow()
		}
		o.node.contact, o.node.term = w.now, n.term // and votes for no other now, nor takes an entry of the one before
	}
	c.learn(n.has)
	w.say(c.h.name, "leads", "", "")
}

// lead is one round of a leader.
func (c *control) lead() {
	w, n := c.w, &c.node
	if n.term != w.agreed.term && w.now-n.quorum > lease {
		c.follow()
		return
	}
	stuck := n.pending > 0 && c.h.disk > 2*heartbeat
	count := 0
	for _, h := range w.hosts {
		if !w.commands(c.h.index, h.index) || h.control.node.term > n.term {
			continue
		}
		count++
		if h != c.h && !stuck {
			c.beat(h.control)
		}
	}
	if count >= w.majority() {
		n.quorum = w.now
	} else if w.now-n.quorum >= lease {
		c.follow()
	}
}

// beat is a leader's heartbeat at a follower: it hears of the leader, and gets what is agreed.
func (c *control) beat(to *control) {
	n := &to.node
	if n.leads {
		to.follow()
	}
	n.contact, n.leader, n.term = c.w.now, c.h.index, c.node.term
	n.blind = false
	if all := len(c.w.agreed.states) - 1; n.applied < all && !to.fetching {
		to.fetching = true
		to.h.controlling.after(to.h.disk+c.w.transit(c.w.clusterOn, c.h.index, to.h.index), func() {
			to.fetching = false
			n.has = max(n.has, all)
			to.learn(all)
		})
	}
}

// follow ends a leadership.
func (c *control) follow() {
	c.node.leads, c.node.leader = false, -1
	c.node.contact = c.w.now
	c.w.say(c.h.name, "follows", "", "")
}

// inQuorum reports whether a majority is in touch, as far as this member knows.
func (c *control) inQuorum() bool {
	n := &c.node
	if n.leads {
		return n.pending == 0 || c.h.disk <= 2*heartbeat
	}
	return n.leader >= 0 && n.contact > 0 && c.w.now-n.contact < 2*heartbeat
}

// isCurrent reports whether the log was applied as far as this member knows it to go.
func (c *control) isCurrent() bool { return c.node.applied >= c.node.recorded && !c.node.blind }

// propose puts a command to the log, wherever its leader is. Done is called once, in this process.
func (c *control) propose(cmd fsm.Command, within time.Duration, done func(error)) {
	w, answered := c.w, false
	answer := func(err error) {
		if !answered {
			answered = true
			done(err)
		}
	}
	c.h.controlling.after(within, func() { answer(errTimeout) })
	to := c.node.leader
	if c.node.leads {
		to = c.h.index
	}
	switch {
	case to < 0:
		c.h.controlling.after(0, func() { answer(errNoLeader) })
	case to == c.h.index:
		c.append(cmd, func(err error) { answer(err) })
	case w.opens(c.h.index, to):
		leader := w.hosts[to]
		w.send(c.h, leader, func(*control) {
			leader.control.append(cmd, func(err error) {
				w.reply(leader, c.h, func(*control) { answer(err) })
			})
		})
	}
}

// append is the leader's part of a proposal. It is agreed one after the other.
func (c *control) append(cmd fsm.Command, done func(error)) {
	n, w := &c.node, c.w
	if !n.leads {
		c.h.controlling.after(0, func() { done(errNoLeader) })
		return
	}
	term, known := n.term, w.known()
	n.pending++
	takes := c.h.disk + w.roundTrip(c.h)
	if next := w.agreed.last + time.Microsecond - w.now; takes < next {
		takes = next
	}
	w.agreed.last = w.now + takes
	var try func()
	try = func() {
		switch {
		case !n.leads || n.term != term:
			n.pending = max(0, n.pending-1)
			done(errLost)
		case !c.reaches():
			c.h.controlling.after(raftTick, try)
		default:
			n.pending--
			done(w.agree(c, cmd, known))
		}
	}
	c.h.controlling.after(takes, try)
}

// reaches reports whether a majority is in touch with a leader.
func (c *control) reaches() bool {
	count := 0
	for _, h := range c.w.hosts {
		if c.w.commands(c.h.index, h.index) && h.control.node.term <= c.node.term {
			count++
		}
	}
	return count >= c.w.majority()
}

// roundTrip is how long the fastest majority takes to have an entry.
func (w *world) roundTrip(leader *host) time.Duration {
	var took [most]time.Duration
	n := 0
	for _, h := range w.hosts {
		if h != leader && w.commands(leader.index, h.index) {
			t := w.transit(w.clusterOn, leader.index, h.index) + h.disk + w.transit(w.clusterOn, h.index, leader.index)
			i := n
			for ; i > 0 && took[i-1] > t; i-- {
				took[i] = took[i-1]
			}
			took[i] = t
			n++
		}
	}
	if need := w.majority() - 1; need <= n && need > 0 {
		return took[need-1]
	}
	return time.Millisecond
}

// newest is the state after all that is agreed.
func (w *world) newest() *fsm.State { return w.agreed.states[len(w.agreed.states)-1] }

// agree adds an entry that a majority has, and returns what became of its command. Known is what [world.known] said when it was
// decided.
func (w *world) agree(leader *control, cmd fsm.Command, known time.Duration) error {
	states := w.agreed.states
	if w.without(Epoch) {
		cmd = anyEpoch(states[len(states)-1], cmd)
	}
	next, changes, err := fsm.Apply(*states[len(states)-1], uint64(len(states)), cmd)
	w.agreed.states = append(states, &next)
	w.touch() // who drains is not calm, from now on until it does not any more
	for _, ch := range changes {
		w.say("log", string(ch.Kind), ch.Name, ch.Text)
	}
	if err != nil {
		w.say("log", "refused", "", err.Error())
	}
	w.watch.agreed(cmd, known, states[len(states)-1], err)
	all := len(w.agreed.states) - 1
	for _, h := range w.hosts {
		if w.commands(leader.h.index, h.index) && h.control.node.term <= leader.node.term {
			h.control.node.has = all // a majority of these has written it by now, and the others are about to
			if h == leader.h {
				continue
			}
			c := h.control
			h.controlling.after(h.disk+w.transit(w.clusterOn, leader.h.index, h.index), func() { c.learn(all) })
		}
	}
	leader.learn(all)
	return err
}

// learn applies the log up to an index.
func (c *control) learn(index int) {
	if index <= c.node.applied {
		return
	}
	c.node.applied = index
	c.state = c.w.agreed.states[index]
	c.changed()
}
