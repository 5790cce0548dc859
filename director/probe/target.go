package probe

import (
	"cmp"
	"net/netip"
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
