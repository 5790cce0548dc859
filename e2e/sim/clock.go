package sim

import (
	"math/rand/v2"
	"time"
)

// epoch is the virtual time at which every world begins.
var epoch = time.Unix(1_000_000_000, 0).UTC()

// clock is virtual time, with what is to happen in it. What is due at one time happens in the order in which it was
// asked for.
type clock struct {
	now   time.Duration
	seq   uint32
	queue []slot // a heap, without pointers: it is what a simulation spends most of its time in
	dues  []due
	free  []int32 // places in dues
}

// slot is the place of a due in the queue.
type slot struct {
	at  time.Duration
	seq uint32
	due int32
}

func (s slot) before(o slot) bool { return s.at < o.at || s.at == o.at && s.seq < o.seq }

type due struct {
	at   time.Duration
	do   func()
	in   *process // that does it, if it has not ended since; nil: it happens anyway
	life int
}

// happen does what is due.
func (d due) happen() {
	switch {
	case d.in == nil:
		d.do()
	case d.in.life == d.life:
		d.in.now(d.do)
	}
}

// time is now, as the machines are told it.
func (c *clock) time() time.Time { return epoch.Add(c.now) }

// at is when a time of the machines is.
func (c *clock) at(t time.Time) time.Duration { return t.Sub(epoch) }

// after has something done in a while.
func (c *clock) after(d time.Duration, do func()) { c.add(due{at: c.now + max(d, 0), do: do}) }

func (c *clock) add(d due) {
	c.seq++
	s := slot{d.at, c.seq, int32(len(c.dues))}
	if n := len(c.free); n > 0 {
		s.due, c.free = c.free[n-1], c.free[:n-1]
		c.dues[s.due] = d
	} else {
		c.dues = append(c.dues, d)
	}
	c.queue = append(c.queue, s)
	i := len(c.queue) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !s.before(c.queue[parent]) {
			break
		}
		c.queue[i] = c.queue[parent]
		i = parent
	}
	c.queue[i] = s
}

// next returns when something is due.
func (c *clock) next() (time.Duration, bool) {
	if len(c.queue) == 0 {
		return 0, false
	}
	return c.queue[0].at, true
}

// pop takes what is due first.
func (c *clock) pop() due {
	first, n := c.queue[0], len(c.queue)-1
	last := c.queue[n]
	c.queue = c.queue[:n]
	for i := 0; n > 0; {
		least := 2*i + 1
		if least+1 < n && c.queue[least+1].before(c.queue[least]) {
			least++
		}
		if least >= n || !c.queue[least].before(last) {
			c.queue[i] = last
			break
		}
		c.queue[i] = c.queue[least]
		i = least
	}
	d := c.dues[first.due]
	c.dues[first.due] = due{}
	c.free = append(c.free, first.due)
	return d
}

// chance is a world's only source of chance.
type chance struct{ *rand.Rand }

func newChance(seed uint64) chance { return chance{rand.New(rand.NewPCG(seed, 0x71756f72617465))} }

// between returns a duration from a to b.
func (c chance) between(a, b time.Duration) time.Duration {
	if b <= a {
		return a
	}
	return a + time.Duration(c.Int64N(int64(b-a)))
}

// one reports true once in n times.
func (c chance) one(n int) bool { return c.IntN(n) == 0 }
