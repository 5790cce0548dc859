package probe

import (
	"cmp"
	"net/netip"
	"time"
)

// A Target is an address that is asked for on the segment of an interface. Source is an address of this
// host's own there, of the same family: it is the one that the question carries.
type Target struct {
	Interface       string
	Source, Address netip.Addr
}

// Compare orders targets.
func (t Target) Compare(o Target) int {
	return cmp.Or(cmp.Compare(t.Interface, o.Interface), t.Address.Compare(o.Address), t.Source.Compare(o.Source))
}

// Next returns when to do again what is done once in every period: at the multiples of it, by the clock on the
// wall. What all hosts do at the same moment arrives when they are awake; to be woken costs more than the work.
func Next(now time.Time, every time.Duration) time.Time {
	next := now.Truncate(every).Add(every)
	if next.Sub(now) < every/2 { // too soon: the clock was set, or this is the first time
		next = next.Add(every)
	}
	return now.Add(next.Sub(now)) // as the process measures time
}
