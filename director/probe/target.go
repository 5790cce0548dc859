package probe

import "net/netip"

// A Target is an address that is asked for on the segment of an interface. Source is an address of this
// host's own there, of the same family: it is the one that the question carries.
type Target struct {
	Interface       string
	Source, Address netip.Addr
}
