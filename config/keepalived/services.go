package keepalived

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/config/imported"
	"github.com/quorate/quorate/fsm"
)

// target is what a virtual_server serves: one of several if it is of a group.
type target struct {
	Place
	address netip.AddrPort
	mark    uint32
	ipv6    bool
	of      int // how many there are
}

// maxTargets bounds the services that come of one virtual_server.
const maxTargets = 4096

// services makes the services.
func (m *model) services() {
	var all []fsm.Service
	var names [][]string
	known := make(map[string]bool)
	for _, v := range m.host.services {
		before := len(all)
		for _, t := range m.targets(v) {
			if s, from, ok := m.service(v, t); ok {
				is := identity(s)
				if known[is] {
					m.why[t.Place] = is + " is another virtual_server's"
					continue
				}
				known[is] = true
				all, names = append(all, s), append(names, v.names(t))
				m.origins = append(m.origins, from)
			}
		}
		if _, ok := m.why[v.Place]; len(all) == before && !ok && !m.host.notes.Missed(v.Place, inService) {
			m.host.notes.Dropped(v.Place, inService, "no service comes of it")
		}
	}
	for i, name := range imported.Shortest(names) {
		all[i].Name, m.origins[i].name = name, name
		m.config.Services = m.config.Services.With(name, all[i])
		m.put(config.KindService, name, m.origins[i].target)
	}
}

// identity is what packets a service is for.
func identity(s fsm.Service) string {
	if s.Mark != 0 {
		return fmt.Sprintf("mark %d of %s", s.Mark, map[bool]string{false: "IPv4", true: "IPv6"}[s.IPv6])
	}
	return fmt.Sprintf("%s %s", s.Protocol, s.Address)
}

// targets returns what a virtual_server serves.
func (m *model) targets(v *virtualServer) []target {
	if v.list == "" {
		return []target{{v.Place, v.address, v.mark, v.ipv6, 1}}
	}
	g, ok := m.host.lists[v.list]
	if !ok {
		m.host.notes.Dropped(v.Place, inService+" group", "there is no virtual_server_group %s", v.list)
		return nil
	}
	var all []target
	for _, e := range g.entries {
		more, ok := entries(e)
		if !ok || len(all)+len(more) > maxTargets {
			m.host.notes.Dropped(e.Place, "virtual_server_group", "%s: it is no address, range, network or mark that keepalived takes, or too many", e)
			continue
		}
		all = append(all, more...)
	}
	for i := range all {
		all[i].of = len(all)
	}
	return all
}

// entries reads a line of a virtual_server_group.
func entries(e *Statement) ([]target, bool) {
	if e.Word == "fwmark" {
		n, err := strconv.ParseUint(e.Arg(0), 10, 32)
		return []target{{Place: e.Place, mark: uint32(n), ipv6: e.Arg(1) == "inet6"}}, err == nil && n > 0
	}
	port, err := uint64(0), error(nil)
	if e.Arg(0) != "" {
		port, err = strconv.ParseUint(e.Arg(0), 10, 16)
	}
	first, last, ok := span(e.Word)
	if !ok || err != nil {
		return nil, false
	}
	var all []target
	for a := first; ; a = a.Next() {
		all = append(all, target{Place: e.Place, address: netip.AddrPortFrom(a, uint16(port))})
		if a == last {
			return all, true
		}
		if len(all) > maxTargets || !a.Next().IsValid() {
			return nil, false
		}
	}
}

// span reads an address, a range a.b.c.d-e or a.b.c.d-e.f.g.h, or a network with all of its addresses. As keepalived, it takes no
// range that ends before it begins, nor a network with an address of a host in it.
func span(s string) (first, last netip.Addr, ok bool) {
	if p, err := netip.ParsePrefix(s); err == nil {
		if p.Addr().BitLen()-p.Bits() > 12 || p != p.Masked() {
			return first, last, false
		}
		first, last = p.Addr(), p.Addr()
		for p.Contains(last.Next()) {
			last = last.Next()
		}
		return first, last, true
	}
	from, to, ranged := strings.Cut(s, "-")
	first, ok = address(from)
	if !ok || !ranged {
		return first, first, ok
	}
	least := 0
	if !strings.ContainsAny(to, ".:") {
		to, least = from[:strings.LastIndexAny(from, ".:")+1]+to, 1
	}
	last, ok = address(to)
	return first, last, ok && first.BitLen() == last.BitLen() && last.Compare(first) >= least
}

// names are what a service could be called, the shortest first.
func (v *virtualServer) names(t target) []string {
	addr := strings.ReplaceAll(t.address.Addr().String(), ":", "-")
	port := strconv.Itoa(int(t.address.Port()))
	base := v.name
	if base == "" {
		base = v.list
	}
	if base != "" {
		base = imported.Named(base)
		if t.of == 1 {
			return []string{base, base + "-" + port}
		}
		if t.mark != 0 {
			return []string{fmt.Sprintf("%s-mark-%d", base, t.mark)}
		}
		return []string{base + "-" + addr, base + "-" + addr + "-" + port}
	}
	if t.mark != 0 {
		return []string{fmt.Sprintf("mark-%d", t.mark), fmt.Sprintf("mark-%d-ipv6", t.mark)}
	}
	return imported.ServiceNames(t.address, strings.ToLower(v.protocol))
}

// service makes a service of a virtual_server and one of its targets.
func (m *model) service(v *virtualServer, t target) (fsm.Service, origin, bool) {
	n, from := m.host.notes, origin{virtualServer: v, target: t.Place}
	s := fsm.Service{Address: t.address, Mark: t.mark, Scheduler: v.scheduler, Forward: v.forward, Agreement: fsm.Majority}
	switch {
	case len(v.servers) == 0:
		n.Dropped(v.Place, inService, "it has no real server, and keepalived leaves it out too")
		return s, from, false
	case t.mark != 0:
		if v.mark != 0 && v.protocolAt != (Place{}) {
			n.Instead(Carried, v.protocolAt, inService+" protocol", "nothing: a mark is of all protocols, as in keepalived")
		}
		s.IPv6 = t.ipv6 || v.servers[0].address.Addr().Is6() && v.list == ""
	case v.protocol == "SCTP":
		n.Instead(Dropped, v.protocolAt, inService+" protocol", "there are no services of SCTP")
		return s, from, false
	case v.protocol == "TCP" || v.protocol == "UDP":
		s.Protocol = fsm.Protocol(strings.ToLower(v.protocol))
		if v.protocolAt == (Place{}) {
			n.Carried(v.Place, inService+" protocol", "`protocol = \"udp\"`: keepalived's default where none is said")
		}
	default:
		n.Instead(Dropped, v.protocolAt, inService+" protocol", "%q is neither TCP nor UDP", v.protocol)
		return s, from, false
	}
	ipv6 := s.IPv6 || s.Address.Addr().Is6()
	if v.list != "" && !slices.ContainsFunc(v.servers, func(r *realServer) bool { return r.address.Addr().Is6() == ipv6 }) {
		m.why[t.Place] = "no real server of virtual_server group " + v.list + " is of its address family; connections of such servers cannot be synchronised"
		return s, from, false
	}
	m.persistence(v, &s)
	var real []*realServer
	for _, r := range v.servers {
		if server, ok := m.server(v, &s, r, ipv6); ok {
			if k := slices.IndexFunc(s.Servers, func(o fsm.Server) bool { return o.Address == server.Address }); k >= 0 {
				m.twice(r, real[k])
				continue
			}
			s.Servers = append(s.Servers, server)
			from.servers = append(from.servers, serverOrigin{r, server.Address})
			real = append(real, r)
		}
	}
	if v.sorry != nil {
		sorry := *v.sorry
		sorry.forward, sorry.sorry = v.sorryBy, true
		if f, ok := m.server(v, &s, &sorry, ipv6); ok {
			f.Weight, f.Inhibit = 1, false
			s.Fallback, from.sorry = &f, f.Address
		}
	}
	if s.Fallback == nil && (v.sorry == nil || t.of == 1) && v.sorryByAt != (Place{}) {
		n.Instead(Carried, v.sorryByAt, in(inService, "sorry_server_lvs_method"), "nothing: there is no fallback")
	}
	if len(s.Servers) == 0 {
		keyword := inService
		switch {
		case t.of > 1 && t.mark != 0:
			keyword = "virtual_server_group fwmark"
		case t.of > 1:
			keyword = "virtual_server_group"
		}
		n.Instead(Dropped, t.Place, keyword, "none of its real servers can be carried over, and so it is not either")
		return s, from, false
	}
	s.Checks, from.sources = m.checks(v, s, real)
	if len(s.Checks) > 0 && !v.alpha && !slices.ContainsFunc(real, func(r *realServer) bool { return r.alpha }) {
		n.Differs(v.Place, inService, "its servers get traffic after their first passed check, as with `alpha`, which it does not say")
	}
	if len(s.Checks) == 0 && slices.ContainsFunc(real, func(r *realServer) bool { return len(r.checks) > 0 }) {
		n.Dropped(v.Place, inService+" checks", "none of its checks can be carried over: without one its servers count as up always")
	}
	return s, from, true
}

// twice tells of a real server that another one stands for: keepalived compares what the file says, and has both where only
// the ports differ.
func (m *model) twice(r, first *realServer) {
	if r.address == first.address {
		m.host.notes.Dropped(r.Place, inServer, "%s is there twice; keepalived leaves it out too", r.address)
		return
	}
	m.host.notes.Dropped(r.Place, inServer, "%s: two ports of one server are one here", r.address)
}

// different is a forwarding method that is not the service's.
func different(own, service fsm.Forward) fsm.Forward {
	if own == service {
		return ""
	}
	return own
}

// server makes a real server.
func (m *model) server(v *virtualServer, s *fsm.Service, r *realServer, ipv6 bool) (fsm.Server, bool) {
	n, word := m.host.notes, inServer
	if r.sorry {
		word = in(inService, "sorry_server")
	}
	weight, at, block := r.weight, r.weightAt, inServer
	if weight < 0 {
		weight, at, block = v.weight, v.weightAt, inService
	}
	if weight > 65535 {
		n.Instead(Differs, at, in(block, "weight"), "%d: it goes to 65535", weight)
		weight = 65535
	}
	server := fsm.Server{Weight: uint32(weight), Forward: different(r.forward, s.Forward), Inhibit: v.inhibit}
	if r.inhibit != nil {
		server.Inhibit = *r.inhibit
	}
	switch {
	case r.other != "":
		n.Dropped(r.Place, word+" lvs_method", "%s: there are IPIP tunnels alone", r.other)
		return server, false
	case r.address.Addr().Is6() != ipv6:
		n.Dropped(r.Place, word, "%s is not of the service's address family; connections of such servers cannot be synchronised", r.address.Addr())
		return server, false
	}
	port, forward := r.address.Port(), r.forward
	if forward == "" {
		forward = s.Forward
	}
	switch own := s.Address.Port(); {
	case own == 0 && port != 0 && forward == fsm.NAT && v.list == "":
		n.Dropped(r.Place, word, "port %d: a service by mark, or on every port, has servers without one, which get what the client sent to its port", port)
		port = 0
	case own == 0 && port != 0:
		n.Differs(r.Place, word, "its port is left out: a service by mark, or on every port, keeps the client's")
		port = 0
	case own != 0 && port == 0:
		if r.sorry && forward == fsm.NAT {
			n.Differs(r.Place, word, "its port is the service's; without one keepalived sends to port 0")
		}
		port = own
	case own != 0 && forward != fsm.NAT && port != own:
		n.Differs(r.Place, word, "its port is the service's, which keepalived makes it too: only NAT changes ports")
		port = own
	}
	server.Address = netip.AddrPortFrom(r.address.Addr(), port)
	return server, true
}

// persistence sets how long clients stay with a server, and which are told apart.
func (m *model) persistence(v *virtualServer, s *fsm.Service) {
	n := m.host.notes
	mask := 0
	if v.mask != "" {
		if bits, ok := maskBits(v.mask, s.Address.Addr().Is6() || s.IPv6); ok {
			mask = bits
			if v.list != "" {
				n.Instead(Differs, v.maskAt, inService+" persistence_granularity", "`persistence_mask`, which counts: keepalived forgets it in the services of a group")
			}
		} else {
			n.Instead(Dropped, v.maskAt, inService+" persistence_granularity", "%s is no mask of a prefix", v.mask)
		}
	}
	if v.persist > 0 {
		s.Persistence = v.persist
	}
	if s.Persistence == 0 && (mask > 0 || s.Address.Port() == 0 && s.Mark == 0) {
		s.Persistence = 360 * time.Second
		n.Carried(v.Place, inService, "`persistence` of 6 minutes, which keepalived adds too: a mask, and a service on every port, need it")
	}
	if whole := map[bool]int{false: 32, true: 128}[s.Address.Addr().Is6() || s.IPv6]; mask != whole {
		s.PersistenceMask = mask
	}
}

// maskBits reads a netmask, or for IPv6 the length of a prefix: of IPv4 keepalived takes 24 for the mask 0.0.0.24.
func maskBits(s string, ipv6 bool) (int, bool) {
	if n, err := strconv.Atoi(s); err == nil {
		return n, ipv6 && n >= 1 && n <= 128
	}
	a, ok := address(s)
	if !ok || !a.Is4() {
		return 0, false
	}
	for bits := 1; bits <= 32; bits++ {
		b := [4]byte{}
		for i := range bits {
			b[i/8] |= 0x80 >> (i % 8)
		}
		if netip.AddrFrom4(b) == a {
			return bits, true
		}
	}
	return 0, false
}
