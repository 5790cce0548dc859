package keeper

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// segments are asked in rounds. What many groups ask of one segment within a moment is one round: each takes a socket, of which the
// kernel opens about one in a millisecond. Its methods may be called concurrently.
type segments struct {
	who Who
	log hclog.Logger

	mu        sync.Mutex
	gathering map[place]*round
}

// place is where a round asks, and as whom.
type place struct {
	link
	source netip.Addr
}

// round is one attempt to ask. Virtual addresses come first: who has one answers for that before its own. It lasts until its end, since
// nobody answers for this host's own address unless something is wrong.
type round struct {
	virtual, members []netip.Addr
	found            map[netip.Addr][]net.HardwareAddr
	err              error         // not all could be asked
	over             chan struct{} // closed when both are there
}

// gather is for how long a round waits for others to join.
const gather = 10 * time.Millisecond

// ask has all addresses asked for, and that of this host, and returns who answered within [AskEach], with an error as well: of
// what could not be asked nobody answers.
func (s *segments) ask(p place, virtual, members []netip.Addr) (map[netip.Addr][]net.HardwareAddr, error) {
	s.mu.Lock()
	one := s.gathering[p]
	first := one == nil
	if first {
		one = &round{over: make(chan struct{})}
		s.gathering[p] = one
	}
	one.virtual, one.members = append(one.virtual, virtual...), append(one.members, members...)
	s.mu.Unlock()
	if first {
		s.run(p, one, time.Now().Add(AskEach))
	}
	<-one.over
	return one.found, one.err
}

// run asks what was gathered, until a time.
func (s *segments) run(p place, one *round, until time.Time) {
	defer close(one.over)
	time.Sleep(gather)
	s.mu.Lock()
	delete(s.gathering, p)
	s.mu.Unlock()
	targets := slices.Concat(distinct(one.virtual), distinct(one.members), []netip.Addr{p.source})
	ctx, cancel := context.WithDeadline(context.Background(), until)
	defer cancel()
	if one.found, one.err = s.who(ctx, p.Interface, p.source, targets); one.err != nil {
		s.log.Warn("segment not asked, or not for all", "interface", p.Interface, "err", one.err)
	}
}

// distinct are addresses in order, each once.
func distinct(as []netip.Addr) []netip.Addr {
	slices.SortFunc(as, netip.Addr.Compare)
	return slices.Compact(as)
}
