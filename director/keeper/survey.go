package keeper

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/quorate/quorate/director/address"
	"github.com/quorate/quorate/director/vrrp"
)

// surveyor looks at the interfaces that routers use and keeps their sockets open, away from the
// loop: both may wait for the kernel's configuration lock.
type surveyor struct {
	host   Host
	listen func(iface string, v6 bool) (vrrp.Conn, error)
	up     func(iface string) error
	log    hclog.Logger
	poke   chan struct{}
	facts  chan<- survey

	mu      sync.Mutex
	links   map[link]bool
	virtual map[netip.Addr]bool

	conns map[link]vrrp.Conn // owned by look
}

// survey is what is known of the host at one time.
type survey struct {
	links   map[link]facts
	present map[address.Address]time.Duration
	err     error // nothing is known
}

// facts are what is known of one link. With a fault, the rest may be missing.
type facts struct {
	fault   string
	conn    vrrp.Conn
	source  netip.Addr
	own     map[netip.Addr]bool
	subnets []netip.Prefix
}

// resurvey is how often the interfaces are looked at when nothing says that they changed.
const resurvey = 5 * time.Second

// need tells which links and virtual addresses there are.
func (s *surveyor) need(links map[link]bool, virtual map[netip.Addr]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links, s.virtual = links, virtual
	poke(s.poke)
}

// run looks when poked and now and then, until ctx ends.
func (s *surveyor) run(ctx context.Context) {
	tick := time.NewTicker(resurvey)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.poke:
		case <-tick.C:
		}
		select {
		case s.facts <- s.look():
		case <-ctx.Done():
			return
		}
	}
}

// watch pokes the surveyor at each change that the kernel reports, until ctx ends.
func (s *surveyor) watch(ctx context.Context) {
	for ctx.Err() == nil {
		err := s.host.Watch(ctx, func(address.Event) { poke(s.poke) })
		if ctx.Err() != nil {
			return
		}
		s.log.Warn("watch the interfaces, trying again", "err", err)
		poke(s.poke) // what happened in between is not known
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// look takes a survey.
func (s *surveyor) look() survey {
	s.mu.Lock()
	links, virtual := s.links, s.virtual
	s.mu.Unlock()
	present, err := s.host.Present()
	if err != nil {
		s.log.Error("survey the addresses", "err", err)
		return survey{err: err}
	}
	out := survey{links: map[link]facts{}, present: present}
	own := map[netip.Addr]bool{}
	for a := range present {
		if !virtual[a.Prefix.Addr()] {
			own[a.Prefix.Addr()] = true
		}
	}
	for l := range links {
		f := s.link(l, virtual, present)
		f.own = own
		out.links[l] = f
	}
	for l, c := range s.conns {
		if !links[l] {
			s.close(l, c)
		}
	}
	return out
}

func (s *surveyor) close(l link, c vrrp.Conn) {
	delete(s.conns, l)
	if err := c.Close(); err != nil {
		s.log.Debug("close the socket", "interface", l.Interface, "err", err)
	}
}

// link looks at one link. The socket is opened anew after every fault, since the interface may be
// another one of the same name.
func (s *surveyor) link(l link, virtual map[netip.Addr]bool, present map[address.Address]time.Duration) facts {
	var f facts
	if err := s.up(l.Interface); err != nil {
		f.fault = err.Error()
	} else if src, ok := s.host.Primary(l.Interface, l.V6, virtual); !ok {
		f.fault = fmt.Sprintf("no source address on %s", l.Interface)
	} else {
		f.source = src.WithZone("")
	}
	conn := s.conns[l]
	if f.fault != "" {
		if conn != nil {
			s.close(l, conn)
		}
		return f
	}
	if conn == nil {
		c, err := s.listen(l.Interface, l.V6)
		if err != nil {
			f.fault = err.Error()
			return f
		}
		conn = c
		s.conns[l] = c
	}
	f.conn = conn
	for a := range present {
		if a.Interface == l.Interface && !virtual[a.Prefix.Addr()] && a.Prefix.Addr().Is6() == l.V6 {
			f.subnets = append(f.subnets, a.Prefix.Masked())
		}
	}
	return f
}

// closeAll closes all sockets, after run has ended.
func (s *surveyor) closeAll() {
	for l, c := range maps.Clone(s.conns) {
		s.close(l, c)
	}
}

// linkUp returns nil if the interface is up and has carrier.
func linkUp(iface string) error {
	ifi, err := net.InterfaceByName(iface)
	switch {
	case err != nil:
		return fmt.Errorf("no interface %s", iface)
	case ifi.Flags&net.FlagUp == 0:
		return fmt.Errorf("link %s is set down", iface)
	case ifi.Flags&net.FlagRunning == 0:
		return fmt.Errorf("link %s down", iface)
	}
	return nil
}
