package agent

import (
	"net/netip"
	"slices"

	"github.com/quorate/quorate/fsm"
)

// self is this member as it should be in the log. Addresses that cannot be listed just now stay as they
// were: without them the others would take this host's adverts for a stranger's.
func (s *session) self(m fsm.Member) fsm.Member {
	virtual := map[netip.Addr]bool{}
	for _, r := range s.node.State().Config.Routers {
		for _, p := range r.Virtual() {
			virtual[p.Addr()] = true
		}
	}
	if own, err := hostAddresses(virtual); err == nil {
		m.Sources = own
	}
	m.Version, m.MinLevel, m.MaxLevel = s.version, MinLevel, MaxLevel
	m.Address, m.Gossip = s.cfg.Bind, s.cfg.Gossip
	return m
}

func sameMember(a, b fsm.Member) bool {
	return slices.Equal(a.Sources, b.Sources) && a.Version == b.Version && a.Address == b.Address &&
		a.Gossip == b.Gossip && a.MinLevel == b.MinLevel && a.MaxLevel == b.MaxLevel
}
