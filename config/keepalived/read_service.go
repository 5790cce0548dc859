package keepalived

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/fsm"
)

// probing is what checks inherit: from the service to the server to the check. Less than zero is not said.
type probing struct {
	loop    time.Duration // delay_loop
	timeout time.Duration // connect_timeout
	retry   int
	again   time.Duration // delay_before_retry

	loopAt, timeoutAt, retryAt Place
}

func unsaid() probing { return probing{loop: -1, timeout: -1, retry: -1, again: -1} }

// over returns what is said here, and else there.
func (p probing) over(q probing) probing {
	if p.loop < 0 {
		p.loop, p.loopAt = q.loop, q.loopAt
	}
	if p.timeout < 0 {
		p.timeout, p.timeoutAt = q.timeout, q.timeoutAt
	}
	if p.retry < 0 {
		p.retry, p.retryAt = q.retry, q.retryAt
	}
	if p.again < 0 {
		p.again = q.again
	}
	return p
}

// virtualServer is a virtual_server.
type virtualServer struct {
	Place
	stmt    *Statement
	address netip.AddrPort
	mark    uint32
	list    string // of a virtual_server_group
	ipv6    bool   // ip_family

	name       string // snmp_name
	protocol   string
	scheduler  string
	protocolAt Place
	forward    fsm.Forward
	persist    time.Duration
	mask       string
	maskAt     Place
	weight     int
	weightAt   Place
	inhibit    bool
	host       string
	hostAt     Place
	probing    probing
	servers    []*realServer
	sorry      *realServer
	sorryBy    fsm.Forward
	sorryByAt  Place
	alpha      bool
}

// realServer is a real_server or a sorry_server.
type realServer struct {
	Place
	address  netip.AddrPort
	weight   int // -1: the service's
	weightAt Place
	forward  fsm.Forward
	inhibit  *bool
	host     string
	hostAt   Place
	probing  probing
	checks   []*checker
	other    string // a tunnel that is not IPIP
	sorry    bool
	alpha    bool // said by it or by one of its checks
}

// serverGroup is a virtual_server_group.
type serverGroup struct {
	Place
	entries []*Statement
}

const (
	inService   = "virtual_server"
	inAddresses = "virtual_server_group"
)

const alphaText = "always: a new server gets traffic after its first passed check"

func readServerGroup(h *host, _ *host, s *Statement) {
	g := &serverGroup{Place: s.Place, entries: s.Block}
	h.lists[s.Arg(0)] = g
	for _, e := range lines(s) {
		if e.Word == "fwmark" {
			h.notes.Carried(e.Place, in(s.Word, e.Word), "`mark`, of a service by itself")
		}
	}
}

func serverGroupKeywords() []keyword[serverGroup] {
	return []keyword[serverGroup]{{"fwmark", Carried, "`mark`", nil}}
}

func readService(h *host, _ *host, s *Statement) {
	v := &virtualServer{Place: s.Place, stmt: s, persist: -1, weight: 1, probing: unsaid(), protocol: "UDP", scheduler: "wlc", forward: fsm.NAT}
	if !v.identity(h, s) {
		return
	}
	walk(h, s, h.tables.service, v)
	h.services = append(h.services, v)
}

// identity reads the three kinds of service.
func (v *virtualServer) identity(h *host, s *Statement) bool {
	switch s.Arg(0) {
	case "fwmark":
		n, err := strconv.ParseUint(s.Arg(1), 10, 32)
		if err != nil || n == 0 {
			h.wrong("", s, "%q is not a firewall mark", s.Arg(1))
			return false
		}
		v.mark = uint32(n)
		return true
	case "group":
		v.list = s.Arg(1)
		return true
	}
	a, ok := address(s.Arg(0))
	port := uint64(0)
	var err error
	if s.Arg(1) != "" {
		port, err = strconv.ParseUint(s.Arg(1), 10, 16)
	}
	if !ok || err != nil {
		h.wrong("", s, "%s is not an address and a port", strings.Join(s.Args, " "))
		return false
	}
	v.address = netip.AddrPortFrom(a, uint16(port))
	return true
}

// methods are keepalived's words for forwarding.
var methods = map[string]fsm.Forward{"NAT": fsm.NAT, "DR": fsm.Direct, "TUN": fsm.Tunnel}

// method reads a forwarding method; other is what quorate does not have.
func (h *host) method(block string, s *Statement) (m fsm.Forward, other string) {
	m, ok := methods[strings.ToUpper(s.Arg(0))]
	if !ok {
		h.wrong(block, s, "%q is neither NAT nor DR nor TUN", s.Arg(0))
		return "", ""
	}
	if m == fsm.Tunnel && len(s.Args) > 1 {
		if s.Arg(1) == "type" && s.Arg(2) == "ipip" {
			return m, ""
		}
		return m, strings.Join(s.Args[1:], " ")
	}
	return m, ""
}

func serviceKeywords() []keyword[virtualServer] {
	return append([]keyword[virtualServer]{
		{"real_server", Carried, "`server`", func(h *host, v *virtualServer, s *Statement) {
			if r := readServer(h, s); r != nil {
				v.servers = append(v.servers, r)
			}
		}},
		{"sorry_server", Carried, "`fallback`", func(h *host, v *virtualServer, s *Statement) { v.sorry = readServer(h, s) }},
		{"sorry_server_lvs_method", Carried, "`forward` of `fallback`", func(h *host, v *virtualServer, s *Statement) {
			if m, _ := h.method(inService, s); m != "" {
				v.sorryBy, v.sorryByAt = m, s.Place
			}
		}},
		{"sorry_server_inhibit", Dropped, "a fallback is in the table only while it serves", nil},
		{"protocol", Carried, "`protocol`", func(_ *host, v *virtualServer, s *Statement) {
			v.protocol, v.protocolAt = strings.ToUpper(s.Arg(0)), s.Place
		}},
		{"lvs_sched lb_algo", Carried, "`scheduler`", readScheduler},
		{"lvs_method lb_kind", Carried, "`forward`", func(h *host, v *virtualServer, s *Statement) {
			m, other := h.method(inService, s)
			if m != "" {
				v.forward = m
			}
			if other != "" {
				h.tell(Dropped, inService, s, "only IPIP tunnels: %s is left out, and servers behind it get IPIP", other)
			}
		}},
		{"persistence_timeout", Carried, "`persistence`", readPersistence},
		{"persistence_granularity", Carried, "`persistence_mask`", func(_ *host, v *virtualServer, s *Statement) { v.mask, v.maskAt = s.Arg(0), s.Place }},
		{"persistence_engine", Dropped, "clients are told apart by their addresses", nil},
		{"weight", Carried, "`weight` of its servers", func(h *host, v *virtualServer, s *Statement) {
			if n, ok := h.number(inService, s, 1, 1<<31-1); ok {
				v.weight, v.weightAt = n, s.Place
			}
		}},
		{"inhibit_on_failure", Carried, "`inhibit` of its servers", func(_ *host, v *virtualServer, _ *Statement) { v.inhibit = true }},
		{"virtualhost", Carried, "`host` of its checks", func(h *host, v *virtualServer, s *Statement) { v.host, v.hostAt = h.word(inService, s), s.Place }},
		{"snmp_name", Carried, "the name of the service", func(_ *host, v *virtualServer, s *Statement) { v.name = s.Arg(0) }},
		{"ip_family", Carried, "`family`", func(_ *host, v *virtualServer, s *Statement) { v.ipv6 = s.Arg(0) == "inet6" }},
		{"alpha", Carried, alphaText, func(_ *host, v *virtualServer, _ *Statement) { v.alpha = true }},
		{"omega", Dropped, "nothing happens to services when an agent stops", nil},
		{"quorum", Dropped, "a `fallback` serves while no server is up", func(h *host, v *virtualServer, s *Statement) {
			if n, ok := h.number(inService, s, 1, 1<<31-1); ok && n == 1 {
				h.tell(Carried, inService, s, "the only one: a `fallback` serves while no server is up")
			}
		}},
		{"hysteresis quorum_up quorum_down", Dropped, "a `fallback` serves while no server is up; `quorate events` has what happened", nil},
		{"ha_suspend", Dropped, "every director checks always, so that all have one opinion", nil},
		{"smtp_alert", Dropped, noMail, nil},
		{"hashed", Carried, "it does nothing in keepalived either", nil},
		{"sh-port sh-fallback mh-port mh-fallback flag-1 flag-2 flag-3", Dropped, "schedulers have no flags", nil},
		{"ops", Dropped, "there is no scheduling of single packets", nil},
	}, probeKeywords(func(v *virtualServer) (string, *probing) { return inService, &v.probing })...)
}

func readScheduler(h *host, v *virtualServer, s *Statement) {
	v.scheduler = s.Arg(0)
	if !slices.Contains(fsm.Schedulers, v.scheduler) {
		h.tell(Differs, inService, s, "there is no scheduler %q: `wlc` stands for it", v.scheduler)
		v.scheduler = "wlc"
	}
}

func readPersistence(h *host, v *virtualServer, s *Statement) {
	v.persist = 360 * time.Second
	if s.Arg(0) != "" {
		n, ok := h.number(inService, s, 0, 31*24*3600)
		if !ok {
			v.persist = -1
			return
		}
		v.persist = time.Duration(n) * time.Second
	}
	if v.persist == 0 {
		v.persist = -1
	}
}

// probeKeywords are those that a service, a server and a check have alike; of says which block one is, and what it says.
func probeKeywords[T any](of func(*T) (block string, p *probing)) []keyword[T] {
	return []keyword[T]{
		{"delay_loop", Carried, "`interval` of checks", func(h *host, t *T, s *Statement) {
			block, p := of(t)
			if d, ok := h.seconds(block, s); ok {
				p.loop, p.loopAt = d, s.Place
			}
		}},
		{"connect_timeout", Carried, "`timeout` of checks", func(h *host, t *T, s *Statement) {
			block, p := of(t)
			if d, ok := h.seconds(block, s); ok {
				p.timeout, p.timeoutAt = d, s.Place
			}
		}},
		{"retry nb_get_retry", Carried, "`fall` of checks, one more", func(h *host, t *T, s *Statement) {
			block, p := of(t)
			if n, ok := h.number(block, s, 0, 1<<31-1); ok {
				p.retry, p.retryAt = n, s.Place
			}
		}},
		{"delay_before_retry", Differs, "each try comes after `interval`, and when a server fails for one director the others look at once", func(h *host, t *T, s *Statement) {
			block, p := of(t)
			if d, ok := h.seconds(block, s); ok {
				p.again = d
			}
		}},
		{"warmup", Carried, "probes are spread over time anyway", nil},
	}
}

const inServer = "real_server"

func readServer(h *host, s *Statement) *realServer {
	a, ok := address(s.Arg(0))
	port, err := uint64(0), error(nil)
	if s.Arg(1) != "" {
		port, err = strconv.ParseUint(s.Arg(1), 10, 16)
	}
	if !ok || err != nil {
		h.wrong(inService, s, "%s is not an address and a port", strings.Join(s.Args, " "))
		return nil
	}
	r := &realServer{Place: s.Place, address: netip.AddrPortFrom(a, uint16(port)), weight: -1, probing: unsaid()}
	walk(h, s, h.tables.server, r)
	return r
}

func serverKeywords() []keyword[realServer] {
	check := func(h *host, r *realServer, s *Statement) { readCheck(h, r, s) }
	return append([]keyword[realServer]{
		{"weight", Carried, "`weight`", func(h *host, r *realServer, s *Statement) {
			if n, ok := h.number(inServer, s, 0, 1<<31-1); ok {
				r.weight, r.weightAt = n, s.Place
			}
		}},
		{"lvs_method", Carried, "`forward`", func(h *host, r *realServer, s *Statement) { r.forward, r.other = h.method(inServer, s) }},
		{"inhibit_on_failure", Carried, "`inhibit`", func(h *host, r *realServer, s *Statement) { on := h.flag(inServer, s); r.inhibit = &on }},
		{"virtualhost", Carried, "`host` of its checks", func(h *host, r *realServer, s *Statement) { r.host, r.hostAt = h.word(inServer, s), s.Place }},
		{"TCP_CHECK", Carried, "`check \"tcp\"`", check},
		{"HTTP_GET", Carried, "`check \"http\"`", check},
		{"SSL_GET", Carried, "`check \"https\"` with `insecure`: keepalived verifies no certificate", check},
		{"SMTP_CHECK", Differs, "`check \"smtp\"`: replies of several lines are well, of which keepalived fails each, and QUIT must be answered with 221, where it takes any answer", check},
		{"MISC_CHECK", Differs, "`check \"script\"`: a program that cannot be run fails, where keepalived has the server up", check},
		{"DNS_CHECK", Dropped, "there is no such check; a `check \"script\"` can run dig", check},
		{"UDP_CHECK", Dropped, "there is no such check; a `check \"script\"` can send and listen", check},
		{"PING_CHECK", Dropped, "there is no such check; a `check \"script\"` can run ping", check},
		{"FILE_CHECK", Dropped, "there is no such check; a `check \"script\"` can read a file", check},
		{"BFD_CHECK", Dropped, noBFD, check},
		{"alpha", Carried, alphaText, func(h *host, r *realServer, s *Statement) { r.alpha = r.alpha || h.flag(inServer, s) }},
		{"uthreshold lthreshold", Dropped, "servers have no limits of connections", nil},
		{"notify_up notify_down", Dropped, "hooks follow groups, not servers; `quorate events -o json` has what happened", nil},
		{"smtp_alert snmp_name log_all_failures", Dropped, "neither mail nor SNMP: `quorate explain` and `quorate events` have what checks say", nil},
	}, probeKeywords(func(r *realServer) (string, *probing) { return inServer, &r.probing })...)
}
