package cluster

import (
	"net/netip"
	"time"
)

// Refused returns how often strangers were refused something since this node runs, by why.
func (n *Node) Refused() map[string]uint64 { return n.strangers.Counts() }

// Strangers says that strangers take all the connections that there are for them, or is empty.
func (n *Node) Strangers() string { return n.strangers.Trouble(time.Now()) }

// ofMember reports whether a member has an address.
func (n *Node) ofMember(a netip.Addr) bool {
	for _, m := range n.State().Members {
		if m.Address.Addr().Unmap() == a || m.Gossip.Addr().Unmap() == a {
			return true
		}
		for _, s := range m.Sources {
			if s.Unmap() == a {
				return true
			}
		}
	}
	return false
}
