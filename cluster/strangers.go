package cluster

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Limits on the connections of who has not shown a member's certificate: so many may be open, in all and from one
// address. A member's address has as many to itself, so that others cannot take them.
const (
	maxStrangers = 256
	maxFromOne   = 32
)

// Why strangers are refused, as it is counted.
const (
	tooMany     = "too many connections"
	noHandshake = "no handshake, or a certificate that is not of this cluster"
	noRaft      = "Raft without a member's certificate"
	noRequest   = "a request without a certificate of this cluster"
	noJoin      = "a join that is refused"
	noRole      = "a request beyond the certificate's role"
	noGossip    = "gossip without the cluster's key"
)

// strangers keeps who is no member within bounds, and counts what is refused to them.
type strangers struct {
	member func(netip.Addr) bool // whether a member has that address

	mu      sync.Mutex // guards what follows
	open    map[netip.Prefix]int
	all     int // of those, the ones from no member's address
	refused map[string]uint64
	full    time.Time // when somebody was sent away last, since there were too many
	last    netip.Addr
	said    said
}

func newStrangers(member func(netip.Addr) bool) *strangers {
	return &strangers{member: member, open: map[netip.Prefix]int{}, refused: map[string]uint64{}, said: said{at: map[string]time.Time{}}}
}

// sourceOf is who is counted as one: an address, or an IPv6 network of the size that one host is given.
func sourceOf(a netip.Addr) netip.Prefix {
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.WithZone("").Prefix(bits)
	return p
}

// enter takes a place for a connection from an address, until leave is called, which may be more than once. Where there
// is none it is not ok, and counted.
func (s *strangers) enter(from net.Addr) (leave func(), ok bool) {
	addr := addrOf(from)
	source, member := sourceOf(addr), s.member(addr)
	s.mu.Lock()
	defer s.mu.Unlock()
	if member && s.open[source] >= maxStrangers || !member && (s.open[source] >= maxFromOne || s.all >= maxStrangers) {
		s.refused[tooMany]++
		s.full, s.last = time.Now(), addr
		return nil, false
	}
	s.open[source]++
	if !member {
		s.all++
	}
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.open[source]--; s.open[source] == 0 {
			delete(s.open, source)
		}
		if !member {
			s.all--
		}
	}), true
}

// refuse counts, and reports whether that is to be logged: of one source and one reason it is so once in a while.
func (s *strangers) refuse(why string, from net.Addr) (news bool) {
	s.mu.Lock()
	s.refused[why]++
	s.mu.Unlock()
	return s.said.news(why, []any{sourceOf(addrOf(from))})
}

// garbled reports whether it is to be logged that gossip was of no use. It is counted of strangers: a member's connection
// may be reset, and its answer come late.
func (s *strangers) garbled(from net.Addr) (news bool) {
	if s.member(addrOf(from)) {
		return s.said.news(noGossip, []any{sourceOf(addrOf(from))})
	}
	return s.refuse(noGossip, from)
}

// counts are how often something was refused, by why.
func (s *strangers) counts() map[string]uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.refused)
}

// trouble says that strangers take all there is for them, or is empty.
func (s *strangers) trouble(now time.Time) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full.IsZero() || now.Sub(s.full) > time.Minute {
		return ""
	}
	return fmt.Sprintf("%d connections were sent away, since there were too many of who is no director, the last at %s from %v: directors are not kept waiting by that, but who joins may have to try again",
		s.refused[tooMany], s.full.Local().Format(time.TimeOnly), s.last)
}

// addrOf is the IP address in a connection's.
func addrOf(a net.Addr) netip.Addr {
	p, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Addr{}
	}
	return p.Addr().Unmap()
}

// Refused returns how often strangers were refused something since this node runs, by why.
func (n *Node) Refused() map[string]uint64 { return n.strangers.counts() }

// Strangers says that strangers take all the connections that there are for them, or is empty.
func (n *Node) Strangers() string { return n.strangers.trouble(time.Now()) }

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
