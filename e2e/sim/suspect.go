package sim

import (
	"slices"
	"time"
)

// suspects reports whether a member has just missed a word or an answer: then the groups are looked at more often.
func (c *control) suspects() bool {
	just := func(at time.Duration) bool {
		d := c.w.now - at
		return d >= tickEvery*3/2 && d < 10*tickEvery
	}
	for _, h := range c.w.hosts {
		if h != c.h && (just(c.heard[h.index]) || slices.ContainsFunc(c.reached[h.index], func(at time.Duration) bool { return at >= 0 && just(at) })) {
			return true
		}
	}
	return false
}
