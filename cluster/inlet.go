package cluster

import "time"

// Bounds of the gossip's packets. A member sends a few in a second, so that what is more than this is no member's,
// whatever address it comes from; and what is not read the kernel drops, which costs this process nothing. A member
// whose packets get lost among others is asked over TCP.
const (
	inletSpan    = 10 * time.Millisecond // in which so many are
	inletRead    = 200                   // read
	inletMembers = 30                    // taken that come from a member's address, as it seems
	inletOthers  = 2                     // taken of all others: a member may have a new address
)

// inlet counts the packets of the present span.
type inlet struct {
	began                 time.Time
	read, members, others int
}

// take reports whether a packet is to be taken that was read at now, and for how long none is to be read after it.
func (in *inlet) take(now time.Time, member bool) (take bool, rest time.Duration) {
	if now.Sub(in.began) >= inletSpan {
		*in = inlet{began: now}
	}
	if in.read++; in.read >= inletRead {
		rest = in.began.Add(inletSpan).Sub(now)
	}
	if member {
		in.members++
		return in.members <= inletMembers, rest
	}
	in.others++
	return in.others <= inletOthers, rest
}
