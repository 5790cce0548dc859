package keeper

import (
	"cmp"
	"time"

	"github.com/quorate/quorate/director/vrrp"
)

const (
	// StoodStill is for how long a host must have stood still for its control not to have been asked: others do not wait for one that has
	// been silent for a second, and count from a beat that was sent up to two tenths before.
	StoodStill = 800 * time.Millisecond
	// LoopSlack is how late the loop may be where it has not stood still: how long it has is not known, for it began at any time since
	// the loop ran last. A stall that ends before anything was so late is not seen.
	LoopSlack = 100 * time.Millisecond
)

// Stall is what a loop finds that may have stood still.
type Stall struct {
	Now    time.Time
	Frozen time.Duration // since it ran last, a suspend of the host included
	Asleep time.Duration // for which the host was suspended, by which Now does not count
}

// Unasked reports whether control stood still for so long that others claim without asking it, and cannot have said so yet. Due is when
// the loop wanted to run, zero for never.
func (s Stall) Unasked(due time.Time) bool {
	awake := s.Now.Add(s.Asleep)
	return s.Frozen >= StoodStill && awake.Sub(cmp.Or(due, awake)) > LoopSlack
}

// Events returns what a group is to be told, in order: nothing if the loop is not late for it. After a short freeze what waits
// at the sockets decides; after a long one the group listens for a while, unless the kernel must have let its addresses go
// already. The timers of a host that was suspended are on time, and the lifetimes in its kernel have stood still as they have:
// everybody else has waited for as long all the same, and nothing waits at its sockets. Who has taken over is heard when it
// speaks next.
func (s Stall) Events(g *vrrp.Group, listening, lifetime time.Duration) []vrrp.Event {
	late, long := g.Late(s.Now, s.Asleep)
	if s.Asleep >= StoodStill && g.State() != vrrp.Initialize {
		late, long = true, true
	}
	if !late {
		return nil
	}
	ev := vrrp.Stalled{}
	if long {
		ev.Resume = listening
	}
	if s.Frozen >= lifetime+lifetime/3 {
		return []vrrp.Event{ev, vrrp.Abandon{}}
	}
	return []vrrp.Event{ev}
}
