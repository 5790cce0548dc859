package port

import (
	"maps"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/quorate/quorate/cluster/hush"
)

// Limits on the connections of who has not shown a member's certificate: so many may be open, in all and from one
// address. A member's address has as many to itself, so that others cannot take them.
const (
	MaxStrangers = 256
	maxFromOne   = 32
)

// Why strangers are refused, as it is counted.
const (
	TooMany     = "too many connections"
	NoHandshake = "no handshake, or a certificate that is not of this cluster"
	NoRaft      = "Raft without a member's certificate"
	NoRequest   = "a request without a certificate of this cluster"
	NoJoin      = "a join that is refused"
	NoRole      = "a request beyond the certificate's role"
	NoGossip    = "gossip without the cluster's key"

	TooMuchGossip = "too many packets of gossip"
)

// mostSaid is how many lines of the log strangers are worth in [hush.Again] for one reason, from however many addresses they
// come: packets, whose address anybody can make up, are not to keep back what is said of who has opened a connection.
const mostSaid = 16

// Strangers keeps who is no member within bounds, and counts what is refused to them.
type Strangers struct {
	member func(netip.Addr) bool // whether a member has that address

	mu      sync.Mutex // guards what follows
	open    map[netip.Prefix]int
	all     int // of those, the ones from no member's address
	refused map[string]uint64
	full    time.Time             // when somebody was sent away last, since there were too many
	said    map[string]*hush.Said // by reason
	ours    hush.Said             // of members
}

// NewStrangers returns the places of strangers, of which none is taken. member reports whether a member has an address.
func NewStrangers(member func(netip.Addr) bool) *Strangers {
	return &Strangers{member: member, open: map[netip.Prefix]int{}, refused: map[string]uint64{}, said: map[string]*hush.Said{}}
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

// Enter takes a place for a connection from an address, until leave is called, which may be more than once. Where there
// is none it is not ok, and counted.
func (s *Strangers) Enter(from net.Addr) (leave func(), ok bool) {
	addr := addrOf(from)
	source, member := sourceOf(addr), s.member(addr)
	s.mu.Lock()
	defer s.mu.Unlock()
	if member && s.open[source] >= MaxStrangers || !member && (s.open[source] >= maxFromOne || s.all >= MaxStrangers) {
		s.refused[TooMany]++
		s.full = time.Now()
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

// Count counts that something was refused, of which nothing is logged.
func (s *Strangers) Count(why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused[why]++
}

// Refuse counts, and reports whether that is to be logged: of one source and one reason it is so once in a while.
func (s *Strangers) Refuse(why string, from net.Addr) (news bool) {
	s.Count(why)
	return s.News(why, from)
}

// News reports whether it is to be logged that something was refused, which is counted already.
func (s *Strangers) News(why string, from net.Addr) bool {
	return s.saidOf(why).News(why, sourceOf(addrOf(from)))
}

func (s *Strangers) saidOf(why string) *hush.Said {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.said[why] == nil {
		s.said[why] = &hush.Said{Most: mostSaid}
	}
	return s.said[why]
}

// Garbled reports whether it is to be logged that gossip was of no use. It is counted of strangers: a member's connection
// may be reset, and its answer come late.
func (s *Strangers) Garbled(at string) (news bool) {
	from := Address(at)
	if s.member(addrOf(from)) {
		return s.ours.News(NoGossip, sourceOf(addrOf(from)))
	}
	return s.Refuse(NoGossip, from)
}

// Counts returns how often something was refused, by why.
func (s *Strangers) Counts() map[string]uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.refused)
}

// Trouble says, for a minute, that strangers take all there is for them, or is empty. It is the same however many they are: what
// it says is told to all directors when it is another. How many, [Strangers.Counts] says, and the log from where.
func (s *Strangers) Trouble(now time.Time) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full.IsZero() || now.Sub(s.full) > time.Minute {
		return ""
	}
	return "connections were sent away in the last minute, since there were too many of who is no director: directors are not kept waiting by that, but who joins may have to try again"
}

// addrOf is the IP address in a connection's.
func addrOf(a net.Addr) netip.Addr {
	p, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Addr{}
	}
	return p.Addr().Unmap()
}

// Address is one that is only known as text.
type Address string

// Network implements [net.Addr].
func (Address) Network() string { return "" }

// String implements [net.Addr].
func (a Address) String() string { return string(a) }

// Abort closes a connection so that nothing is left of it here.
func Abort(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // then it lingers a little
	}
	_ = c.Close() // it is of no use to anybody
}
