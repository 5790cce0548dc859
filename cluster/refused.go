package cluster

import (
	"net/netip"
	"slices"
	"time"

	"github.com/quorate/quorate/fsm"
)

// Refused returns how often strangers were refused something since this node runs, by why.
func (n *Node) Refused() map[string]uint64 { return n.strangers.Counts() }

// Strangers says that strangers take all the connections that there are for them, or is empty.
func (n *Node) Strangers() string { return n.strangers.Trouble(time.Now()) }

// ofMember reports whether a member has an address.
func (n *Node) ofMember(a netip.Addr) bool {
	for _, m := range n.State().Members {
		if isOf(m, a) {
			return true
		}
	}
	return false
}

// isOf reports whether a member has an address, however either is written: the zone is each host's own.
func isOf(m fsm.Member, a netip.Addr) bool {
	same := func(b netip.Addr) bool { return a.Unmap().WithZone("") == b.Unmap().WithZone("") }
	return same(m.Address.Addr()) || same(m.Gossip.Addr()) || slices.ContainsFunc(m.Sources, same)
}
