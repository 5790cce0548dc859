package ldirectord

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/config/imported"
	"github.com/quorate/quorate/fsm"
)

// forwards are ldirectord's words for forwarding.
var forwards = map[string]fsm.Forward{"gate": fsm.Direct, "masq": fsm.NAT, "ipip": fsm.Tunnel}

// service makes a service of a virtual one.
func (in *importer) service(v *section) (fsm.Service, bool) {
	s := fsm.Service{Scheduler: "wrr", Agreement: fsm.Majority}
	if mark, err := strconv.ParseUint(v.target, 10, 32); err == nil && mark > 0 {
		s.Mark, s.IPv6 = uint32(mark), v.ipv6
		if at, ok := v.places["protocol"]; ok {
			in.notes.Instead(imported.Carried, at, "protocol", "nothing: a mark is of all protocols")
		}
	} else if at, ok := endpoint(v.target); ok && at.Port() != 0 {
		s.Address, s.Protocol = at, fsm.TCP
		if at.Port() == 53 {
			s.Protocol = fsm.UDP
		}
		if p := v.values["protocol"]; p != "" {
			s.Protocol = fsm.Protocol(p)
		}
	} else {
		in.notes.Dropped(v.Place, "virtual", "%q is neither a mark nor an address and a port; names are not looked up", v.target)
		return s, false
	}
	if name := v.values["scheduler"]; name != "" {
		s.Scheduler = name
		if !slices.Contains(fsm.Schedulers, name) {
			in.notes.Differs(v.places["scheduler"], "scheduler", "there is no scheduler %q: `wlc` stands for it", name)
			s.Scheduler = "wlc"
		}
	}
	in.persistence(v, &s)
	pairs := in.servers(v, &s)
	if v.values["checktype"] == "off" {
		in.notes.Instead(imported.Dropped, v.places["checktype"], "checktype", "off: no server ever serves, and so the service is not carried over")
		return s, false
	}
	if len(s.Servers) == 0 {
		in.notes.Dropped(v.Place, "virtual", "it has no real server that can be carried over")
		return s, false
	}
	in.fallback(v, &s)
	s.Checks = in.checks(v, s, pairs)
	return s, true
}

// persistence sets how long clients stay with a server.
func (in *importer) persistence(v *section, s *fsm.Service) {
	if n, ok := in.number(v, "persistent", 1, 31*24*3600); ok {
		s.Persistence = time.Duration(n) * time.Second
	}
	text := v.values["netmask"]
	if text == "" || s.Persistence == 0 {
		return
	}
	bits, err := strconv.Atoi(text)
	if a, bad := netip.ParseAddr(text); bad == nil && a.Is4() {
		bits, err = 0, nil
		for _, b := range a.As4() {
			for ; b&0x80 != 0; b <<= 1 {
				bits++
			}
		}
	}
	if err != nil || bits < 1 || bits > 128 {
		in.notes.Dropped(v.places["netmask"], "netmask", "%q is no mask of a prefix", text)
		return
	}
	if bits != 32 && bits != 128 {
		s.PersistenceMask = bits
	}
}

// number reads a number that a service or the global lines say.
func (in *importer) number(v *section, name string, low, high int) (int, bool) {
	text := v.value(in.global, name)
	if text == "" {
		return 0, false
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		at, ok := v.places[name]
		if !ok {
			at = in.global.places[name]
		}
		in.notes.Dropped(at, name, "%q is not a number from %d to %d", text, low, high)
		return 0, false
	}
	return n, true
}

// pair is what a real server's own line asks, and expects.
type pair struct {
	request, receive string
	at               imported.Place
}

// servers sets the real servers, and the forwarding method that the first of them has.
func (in *importer) servers(v *section, s *fsm.Service) []pair {
	inhibit := v.value(in.global, "quiescent") != "no"
	var pairs []pair
	for _, l := range v.servers {
		before := len(s.Servers)
		in.real(l, s, inhibit)
		if len(s.Servers) == before {
			in.idle[l.Place] = imported.Loss{} // the reason is there
		}
		for range s.Servers[before:] {
			pairs = append(pairs, quotedPair(l))
		}
	}
	return pairs
}

// real sets the servers of a line.
func (in *importer) real(l line, s *fsm.Service, inhibit bool) {
	words := strings.Fields(l.value)
	if len(words) < 2 || forwards[words[1]] == "" {
		in.notes.Dropped(l.Place, "real", "%q: it is an address, then gate, masq or ipip", l.value)
		return
	}
	all, ok := span(words[0])
	if !ok {
		in.notes.Dropped(l.Place, "real", "%q is not an address, or a range of them; names are not looked up", words[0])
		return
	}
	forward, weight := forwards[words[1]], 1
	if s.Forward == "" {
		s.Forward = forward
	}
	if len(words) > 2 {
		if n, err := strconv.Atoi(words[2]); err == nil && n >= 0 && n <= 65535 {
			weight = n
		}
	}
	if strings.Contains(l.value, "<") {
		in.notes.Dropped(l.Place, "real", "servers have no limits of connections")
	}
	for _, at := range all {
		at = in.port(s, at, forward, l.Place)
		server := fsm.Server{Address: at, Weight: uint32(weight), Inhibit: inhibit}
		if forward != s.Forward {
			server.Forward = forward
		}
		if slices.ContainsFunc(s.Servers, func(o fsm.Server) bool { return o.Address == at }) {
			in.notes.Dropped(l.Place, "real", "%s is there twice", at)
			continue
		}
		s.Servers = append(s.Servers, server)
	}
}

// port gives a server the port that it has in the kernel's table.
func (in *importer) port(s *fsm.Service, at netip.AddrPort, forward fsm.Forward, place imported.Place) netip.AddrPort {
	own := s.Address.Port()
	switch {
	case own == 0:
		return netip.AddrPortFrom(at.Addr(), 0)
	case at.Port() == 0:
		return netip.AddrPortFrom(at.Addr(), own)
	case forward != fsm.NAT && at.Port() != own:
		in.notes.Differs(place, "real", "its port is the service's, which ldirectord makes it too: only masq changes ports")
		return netip.AddrPortFrom(at.Addr(), own)
	}
	return at
}

// span reads an address, or ADDRESS->ADDRESS, with a port behind.
func span(s string) ([]netip.AddrPort, bool) {
	from, to, ranged := strings.Cut(s, "->")
	if !ranged {
		at, ok := endpoint(from)
		return []netip.AddrPort{at}, ok
	}
	first, ok1 := endpoint(from)
	last, ok2 := endpoint(to)
	if !ok1 || !ok2 || first.Addr().Is4() != last.Addr().Is4() || first.Addr().Compare(last.Addr()) > 0 {
		return nil, false
	}
	var all []netip.AddrPort
	for a := first.Addr(); len(all) < maxServers; a = a.Next() {
		all = append(all, netip.AddrPortFrom(a, last.Port()))
		if a == last.Addr() {
			return all, true
		}
	}
	return nil, false
}

// quotedPair returns the texts in quotes of a server's line.
func quotedPair(l line) pair {
	parts := strings.Split(l.value, `"`)
	p := pair{at: l.Place}
	if len(parts) > 2 {
		p.request = parts[1]
	}
	if len(parts) > 4 {
		p.receive = parts[3]
	}
	return p
}

// fallback sets the server that serves while no real one is up.
func (in *importer) fallback(v *section, s *fsm.Service) {
	l, common := v.backup, in.global.backup
	if s.Address.Addr().Is6() || s.IPv6 {
		l, common = v.backup6, in.global.backup6
	}
	if l == nil {
		l = common
	}
	if l == nil {
		return
	}
	words := strings.Fields(l.value)
	forward := fsm.Direct
	if len(words) > 1 {
		forward = forwards[words[1]]
	}
	if len(words) == 0 || forward == "" {
		in.notes.Dropped(l.Place, "fallback", "%q: it is an address, then gate, masq or ipip", l.value)
		return
	}
	at, ok := endpoint(words[0])
	if !ok {
		in.notes.Dropped(l.Place, "fallback", "%q is not an address; names are not looked up", words[0])
		return
	}
	if at.Addr().IsLoopback() {
		in.notes.Differs(l.Place, "fallback", "each director serves it itself, from that address on each of them")
	}
	f := fsm.Server{Address: in.port(s, at, forward, l.Place), Weight: 1}
	if forward != s.Forward {
		f.Forward = forward
	}
	s.Fallback = &f
}
