package keeper

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/quorate/quorate/director/address"
	"github.com/quorate/quorate/director/vrrp"
)

// surveyor looks at the interfaces that routers use and keeps their sockets open, away from the
// loop: both may wait for the kernel's configuration lock.
type surveyor struct {
	host    Host
	listen  func(iface string, v6 bool) (vrrp.Conn, error)
	through func(iface string, v6 bool, mac [6]byte) (vrrp.Outlet, error)
	up      func(iface string) (index int, carrier bool, err error)
	log     hclog.Logger
	poke    chan struct{}
	facts   chan<- survey

	mu    sync.Mutex
	needs needs

	sockets map[link]socket               // owned by look, as is the next
	outlets map[address.VirtualMAC]outlet // of routers with a virtual MAC
}

// needs are what is to be looked at.
type needs struct {
	links   map[link]bool
	virtual map[netip.Addr]bool
	macs    []address.VirtualMAC
	paths   bool
}

// socket is an open socket, the interface that it is bound to, and the source that was found last.
type socket struct {
	conn   vrrp.Conn
	index  int
	source netip.Addr
}

// outlet is what a virtual MAC's adverts leave by, and the interface that it was opened on.
type outlet struct {
	vrrp.Outlet
	index int
}

// survey is what is known of the host at one time.
type survey struct {
	links   map[link]facts
	present map[address.Address]time.Duration
	paths   *address.Paths // nil if they are not known
	macs    map[address.VirtualMAC]error
	outlets map[address.VirtualMAC]vrrp.Outlet
	err     error // nothing is known
}

// facts are what is known of one link. With a fault, the rest may be missing.
type facts struct {
	fault   string
	cut     bool // it has no carrier
	index   int
	conn    vrrp.Conn
	source  netip.Addr
	own     map[netip.Addr]bool
	subnets []netip.Prefix
	globals []netip.Prefix // the interface's own IPv6 addresses that are not link-local, in order
}

const (
	// resurvey is how often the interfaces are looked at when nothing says that they changed.
	resurvey = 5 * time.Second
	// resurveyFailed is when they are looked at again if that failed.
	resurveyFailed = 100 * time.Millisecond
)

// need tells what there is to look at.
func (s *surveyor) need(n needs) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.needs = n
	poke(s.poke)
}

// run looks when poked and now and then, until ctx ends.
func (s *surveyor) run(ctx context.Context) {
	tick := time.NewTimer(resurvey)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.poke:
		case <-tick.C:
		}
		seen := s.look()
		tick.Reset(resurvey)
		if seen.err != nil {
			tick.Reset(resurveyFailed)
		}
		select {
		case s.facts <- seen:
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
	n := s.needs
	s.mu.Unlock()
	links, virtual := n.links, n.virtual
	macs := map[address.VirtualMAC]error{}
	failed := s.host.VirtualMACs(n.macs) // before the rest, which they are part of
	for _, v := range n.macs {
		macs[v] = failed[v]
	}
	present, err := s.host.Present()
	if err != nil {
		s.log.Error("survey the addresses", "err", err)
		return survey{err: err}
	}
	out := survey{links: map[link]facts{}, present: present, macs: macs}
	if n.paths {
		paths, err := s.host.Paths()
		if err != nil {
			s.log.Warn("survey the routes and rules", "err", err)
		} else {
			out.paths = &paths
		}
	}
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
	for l, c := range s.sockets {
		if !links[l] {
			s.close(l, c)
		}
	}
	out.outlets = s.open(n.macs, out.links, macs)
	return out
}

// open opens an outlet for each virtual MAC on a link that can be used, and closes all others. What fails
// is a fault of the router.
func (s *surveyor) open(want []address.VirtualMAC, links map[link]facts, failed map[address.VirtualMAC]error) map[address.VirtualMAC]vrrp.Outlet {
	out := map[address.VirtualMAC]vrrp.Outlet{}
	for _, v := range want {
		f := links[link{v.Parent, v.V6}]
		have, ok := s.outlets[v]
		if ok && have.index != f.index {
			s.shut(v, have)
			ok = false
		}
		if !ok && f.fault == "" && failed[v] == nil {
			o, err := s.through(v.Parent, v.V6, vrrp.VirtualMAC(v.VRID, v.V6))
			if err != nil {
				failed[v] = err
				continue
			}
			have, ok = outlet{o, f.index}, true
			s.outlets[v] = have
		}
		if ok {
			out[v] = have.Outlet
		}
	}
	for v, o := range s.outlets {
		if out[v] == nil {
			s.shut(v, o)
		}
	}
	return out
}

func (s *surveyor) shut(v address.VirtualMAC, o outlet) {
	delete(s.outlets, v)
	if err := o.Close(); err != nil {
		s.log.Debug("close the outlet", "interface", v.Parent, "err", err)
	}
}

func (s *surveyor) close(l link, c socket) {
	delete(s.sockets, l)
	if err := c.conn.Close(); err != nil {
		s.log.Debug("close the socket", "interface", l.Interface, "err", err)
	}
}

// link looks at one link. The socket is opened anew after every fault, and when the interface is
// another one of the same name.
func (s *surveyor) link(l link, virtual map[netip.Addr]bool, present map[address.Address]time.Duration) facts {
	c, open := s.sockets[l]
	index, source, cut, err := s.sight(l, c.source, virtual, present)
	if open && (err != nil || index != c.index) {
		s.close(l, c)
		open = false
	}
	if err == nil && !open {
		c.conn, err = s.listen(l.Interface, l.V6)
	}
	if err != nil {
		return facts{fault: err.Error()}
	}
	s.sockets[l] = socket{c.conn, index, source}
	f := facts{conn: c.conn, source: source, cut: cut, index: index}
	for a := range present {
		if a.Interface == l.Interface && !virtual[a.Prefix.Addr()] && a.Prefix.Addr().Is6() == l.V6 {
			f.subnets = append(f.subnets, a.Prefix.Masked())
			if l.V6 && !a.Prefix.Addr().IsLinkLocalUnicast() {
				f.globals = append(f.globals, a.Prefix)
			}
		}
	}
	slices.SortFunc(f.globals, netip.Prefix.Compare)
	return f
}

// sight returns the index of a link that can be used, and the address that it speaks from. A source
// that was found before and is there still is not doubted because it could not be found this time.
func (s *surveyor) sight(l link, before netip.Addr, virtual map[netip.Addr]bool, present map[address.Address]time.Duration) (index int, source netip.Addr, cut bool, err error) {
	index, carrier, err := s.up(l.Interface)
	if err != nil {
		return 0, netip.Addr{}, false, err
	}
	if src, ok := s.host.Primary(l.Interface, l.V6, virtual); ok {
		return index, src.WithZone(""), !carrier, nil
	}
	for a := range present {
		if a.Interface == l.Interface && a.Prefix.Addr() == before && !virtual[before] {
			return index, before, !carrier, nil
		}
	}
	return 0, netip.Addr{}, false, fmt.Errorf("no source address on %s", l.Interface)
}

// closeAll closes all sockets, after run has ended.
func (s *surveyor) closeAll() {
	for l, c := range maps.Clone(s.sockets) {
		s.close(l, c)
	}
	for v, o := range maps.Clone(s.outlets) {
		s.shut(v, o)
	}
}
