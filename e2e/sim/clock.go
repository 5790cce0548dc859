package sim

import (
	"math/rand/v2"
	"time"
)

// epoch is the virtual time at which every world begins.
var epoch = time.Unix(1_000_000_000, 0).UTC()

// clock is virtual time, with what is to happen in it. What is due at one time happens in the order in which
// it was asked for.
type clock struct {
	now   time.Duration
	seq   uint64
	queue []due
}

type due struct {
	at  time.Duration
	seq uint64
	do  func()
}

func (d due) before(o due) bool { return d.at < o.at || d.at == o.at && d.seq < o.seq }

// time is now, as the machines are told it.
func (c *clock) time() time.Time { return epoch.Add(c.now) }

// since is how long ago a time of the machines' was.
func (c *clock) at(t time.Time) time.Duration { return t.Sub(epoch) }

// after has something done in a while.
func (c *clock) after(d time.Duration, do func()) {
	c.seq++
	c.queue = append(c.queue, due{c.now + max(d, 0), c.seq, do})
	i := len(c.queue) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !c.queue[i].before(c.queue[parent]) {
			break
		}
		c.queue[i], c.queue[parent] = c.queue[parent], c.queue[i]
		i = parent
	}
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
	first, last := c.queue[0], len(c.queue)-1
	c.queue[0] = c.queue[last]
	c.queue[last] = due{}
	c.queue = c.queue[:last]
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < last; child++ {
			if c.queue[child].before(c.queue[least]) {
				least = child
			}
		}
		if least == i {
			return first
		}
		c.queue[i], c.queue[least] = c.queue[least], c.queue[i]
		i = least
	}
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
