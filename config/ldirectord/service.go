package ldirectord

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/config/imported"
	"github.com/quorate/quorate/fsm"
)

// maxWeight is the greatest that a server can have.
const maxWeight = 65535

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
	in.unasked(v, s.Checks)
	return s, true
}

// persistence sets how long clients stay with a server.
func (in *importer) persistence(v *section, s *fsm.Service) {
	if n, ok := in.number(v, "persistent", 1, 31*24*3600); ok {
		s.Persistence = time.Duration(n) * time.Second
	}
	text, at := v.values["netmask"], v.places["netmask"]
	if text == "" {
		return
	}
	if s.Persistence == 0 {
		in.notes.Instead(imported.Carried, at, "netmask", "nothing: it is of `persistent`, which is not there")
		return
	}
	bits, err := strconv.Atoi(text)
	if a, bad := netip.ParseAddr(text); bad == nil && a.Is4() {
		ip := a.As4()
		bits, _ = net.IPMask(ip[:]).Size() // 0 for one with holes
		err = nil
	}
	if err != nil || bits < 1 || bits > 128 {
		in.notes.Instead(imported.Dropped, at, "netmask", "%q is no mask of a prefix", text)
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
	port             uint16 // 0: it says none
	at               imported.Place
}

// servers sets the real servers, and the forwarding method that the first of them has.
func (in *importer) servers(v *section, s *fsm.Service) []pair {
	inhibit := in.inhibits(v)
	var pairs []pair
	for _, l := range v.servers {
		before := len(s.Servers)
		port := in.real(l, s, inhibit)
		if len(s.Servers) == before {
			in.idle[l.Place] = "" // the reason is there
		}
		for range s.Servers[before:] {
			p := quotedPair(l)
			p.port = port
			pairs = append(pairs, p)
		}
	}
	return pairs
}

// inhibits tells whether a server that fails stays in the table, with weight 0.
func (in *importer) inhibits(v *section) bool {
	const goes = "nothing: a server that fails leaves the table"
	global := in.global.values["quiescent"]
	if at, ok := in.global.places["quiescent"]; ok && global == "no" {
		in.notes.Instead(imported.Carried, at, "quiescent", goes)
	}
	switch v.value(in.global, "quiescent") {
	case "yes":
		return true
	case "":
		in.notes.Carried(v.Place, "quiescent", goes+"; so it does by the program of ldirectord 4, whatever its manual says")
	case "no":
		if at, ok := v.places["quiescent"]; ok && global != "yes" {
			in.notes.Instead(imported.Carried, at, "quiescent", goes)
		}
	}
	return false
}

// real sets the servers of a line, and returns the port that it says.
func (in *importer) real(l line, s *fsm.Service, inhibit bool) uint16 {
	words := strings.Fields(l.value)
	if len(words) < 2 || forwards[words[1]] == "" {
		in.notes.Dropped(l.Place, "real", "%q: it is an address, then gate, masq or ipip", l.value)
		return 0
	}
	all, ok := span(words[0])
	if !ok {
		in.notes.Dropped(l.Place, "real", "%q is not an address, or a range of them; names are not looked up", words[0])
		return 0
	}
	forward, weight := forwards[words[1]], 1
	if s.Forward == "" {
		s.Forward = forward
	}
	if len(words) > 2 {
		if n, err := strconv.Atoi(words[2]); err == nil && n >= 0 {
			weight = min(n, maxWeight)
			if n > maxWeight {
				in.notes.Differs(l.Place, "real", "weight %d, and not %d, is the most that there is", maxWeight, n)
			}
		}
	}
	if strings.Contains(l.value, "<") {
		in.notes.Dropped(l.Place, "real", "servers have no limits of connections")
	}
	said := all[0].Port()
	for _, at := range all {
		in.ported(s, at, forward, inhibit, l.Place)
		at = inTable(s, at, forward)
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
	return said
}

// inTable gives a server the port that it has in the kernel's table: the service's, unless NAT changes it.
func inTable(s *fsm.Service, at netip.AddrPort, forward fsm.Forward) netip.AddrPort {
	own := s.Address.Port()
	if own == 0 || forward != fsm.NAT || at.Port() == 0 {
		return netip.AddrPortFrom(at.Addr(), own)
	}
	return at
}

// ported tells where the port of a server in the table is not that of its line.
func (in *importer) ported(s *fsm.Service, at netip.AddrPort, forward fsm.Forward, inhibit bool, place imported.Place) {
	own := s.Address.Port()
	moved := own != 0 && forward != fsm.NAT && at.Port() != own && at.Port() != 0
	switch {
	case moved && inhibit:
		in.notes.Differs(place, "real", "its port in the table is the service's, as only masq changes ports, and its own is the check's; ldirectord, which looks for its own, leaves it at weight 0 once it failed")
	case moved:
		in.notes.Carried(place, "real", "its port in the table is the service's, as only masq changes ports, and its own is the check's")
	case own == 0 && forward == fsm.NAT && at.Port() != 0:
		in.notes.Differs(place, "real", "clients of a mark keep their port, and ldirectord's kernel makes it %d", at.Port())
	case own != 0 && forward == fsm.NAT && at.Port() == 0:
		in.notes.Differs(place, "real", "its port is the service's; ldirectord has clients sent to port 0")
	}
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
	switch {
	case l == nil && common == nil:
		return
	case l == nil && s.Mark != 0:
		in.notes.Carried(v.Place, "fallback", "none: to the services of marks ldirectord gives none but their own")
		return
	case l == nil:
		l = common
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
	if slices.ContainsFunc(s.Servers, func(o fsm.Server) bool { return o.Weight == 0 }) {
		in.notes.Differs(l.Place, "fallback", "it serves while no server is up that has a weight; by ldirectord one of weight 0 that is up keeps it out")
	}
	f := fsm.Server{Address: inTable(s, at, forward), Weight: 1}
	if forward != s.Forward {
		f.Forward = forward
	}
	s.Fallback = &f
}
