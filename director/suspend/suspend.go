// Package suspend finds that this host was suspended: its monotonic clock, by which all timers run, stood still, and
// elsewhere time went on.
//
// It promises that whoever looks after a suspend learns for how long it was, and is woken to look at once. It sees what the
// kernel knows of: CLOCK_BOOTTIME goes on during a suspend to memory or to disk, of a laptop, a host, or a virtual machine
// that was told to suspend itself. It cannot see what a hypervisor hides: a virtual machine that is paused, saved or migrated
// goes on with all of its clocks as they were (kvm-clock), and only what it hears from others tells it. Where the clocks run on
// while it is paused (the processor's own counter), it finds itself late, as a process does that was stopped, and that is not a
// suspend.
package suspend

import (
	"sync"
	"time"
)

// least is how long a suspend must be to be seen: the clocks are not read at the same instant.
const least = 50 * time.Millisecond

// base is what the monotonic clock is counted from.
var base = time.Now()

// Clock tells how long the host was suspended. Its methods may be called concurrently.
type Clock struct {
	slept func() time.Duration
	read  func() (wall, up time.Duration)

	mu       sync.Mutex
	wall, up time.Duration // when it was asked last, by either clock
	was      time.Duration // what slept said last
}

// NewClock returns a clock that counts from now on.
func NewClock() *Clock { return newClock(Slept, time.Now()) }

func newClock(slept func() time.Duration, now time.Time) *Clock {
	wall, up := both(now)
	return &Clock{slept: slept, read: func() (wall, up time.Duration) { return both(time.Now()) }, wall: wall, up: up, was: slept()}
}

// both are the wall clock and the monotonic one at a time that [time.Now] returned.
func both(now time.Time) (wall, up time.Duration) {
	return time.Duration(now.UnixNano()), now.Sub(base)
}

// Since returns for how long the host was suspended since it was asked last; now is what [time.Now] returned. It may be asked often:
// the kernel is asked only when the wall clock has not gone as far as the monotonic one, as after a suspend, or when it was set.
func (c *Clock) Since(now time.Time) time.Duration {
	return c.since(both(now))
}

// SinceLast is [Clock.Since] at this moment: for who goes by a time that may be of before a suspend, which is found all the same.
func (c *Clock) SinceLast() time.Duration { return c.since(c.read()) }

func (c *Clock) since(wall, up time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	jump := (wall - c.wall) - (up - c.up)
	c.wall, c.up = wall, up
	if jump.Abs() < least {
		return 0
	}
	was := c.was
	c.was = c.slept()
	if d := c.was - was; d >= least {
		return d
	}
	return 0
}

// between returns how much further one clock is than another. It reads that one before and after: where the process did not have the
// processor meanwhile, it reads them again.
func between(one, other func() time.Duration) (d time.Duration) {
	for range 10 {
		before := other()
		d = one() - before
		if other()-before < time.Millisecond {
			break
		}
	}
	return d
}
