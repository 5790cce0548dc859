package config

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/quorate/quorate/fsm"
)

func serviceSchema() *schema {
	return &schema{
		name: "service", labels: []string{"name"},
		keys: []string{
			"address", "mark", "family", "protocol", "scheduler", "forward",
			"persistence", "persistence_mask", "agreement",
		},
		blocks: []*schema{
			{name: "check", labels: []string{"kind"}, keys: []string{
				"interval", "timeout", "rise", "fall", "port",
				"host", "path", "status", "body", "insecure", "ca", "command", "user",
			}},
			{name: "server", labels: []string{"address"}, keys: []string{"weight", "forward", "inhibit"}},
			{name: "fallback", labels: []string{"address"}, keys: []string{"weight", "forward"}},
		},
	}
}

// checkKeys names, for each kind of check, the keys that mean something to it.
var checkKeys = map[fsm.CheckKind][]string{
	fsm.CheckTCP:    {"interval", "timeout", "rise", "fall", "port"},
	fsm.CheckHTTP:   {"interval", "timeout", "rise", "fall", "port", "host", "path", "status", "body"},
	fsm.CheckHTTPS:  {"interval", "timeout", "rise", "fall", "port", "host", "path", "status", "body", "insecure", "ca"},
	fsm.CheckSMTP:   {"interval", "timeout", "rise", "fall", "port", "host"},
	fsm.CheckScript: {"interval", "timeout", "rise", "fall", "command", "user"},
}

// The values that a word of a service may have.
var (
	checkKinds = []string{"tcp", "http", "https", "smtp", "script"}
	forwards   = []string{"nat", "direct", "tunnel"}
	protocols  = []string{"tcp", "udp"}
	agreements = []string{"majority", "any", "all"}
)

// The ranges of a service's numbers and durations.
var (
	markSpan     = span{1, 1<<32 - 1}
	weightSpan   = span{0, 65535} // what the netlink libraries carry
	portSpan     = span{1, 65535}
	statusSpan   = span{100, 599}
	maskSpanIPv4 = span{1, 32}
	maskSpanIPv6 = span{1, 128}

	checkPeriod   = period{50 * time.Millisecond, 24 * time.Hour, time.Millisecond}
	timeoutPeriod = period{10 * time.Millisecond, 24 * time.Hour, time.Millisecond}
	persistPeriod = period{time.Second, 31 * 24 * time.Hour, time.Second} // the kernel counts seconds
)

// The defaults of a service and its parts. [WithDefaults] puts them in.
const (
	defaultScheduler     = "wlc"
	defaultForward       = fsm.NAT
	defaultProtocol      = fsm.TCP
	defaultAgreement     = fsm.Majority
	defaultWeight        = 1
	defaultCheckInterval = 2 * time.Second
	defaultCheckTimeout  = time.Second
	defaultRise          = 2
	defaultFall          = 2
	defaultPath          = "/"
)

// service reads a service block.
func (n *node) service(name string) fsm.Service {
	s := fsm.Service{
		Name:            name,
		Mark:            uint32(n.integer("mark", 0, markSpan)),
		Scheduler:       n.word("scheduler", defaultScheduler, fsm.Schedulers),
		Forward:         fsm.Forward(n.word("forward", string(defaultForward), forwards)),
		Persistence:     n.duration("persistence", 0),
		PersistenceMask: int(n.integer("persistence_mask", 0, maskSpanIPv6)),
		Agreement:       fsm.Agreement(n.word("agreement", string(defaultAgreement), agreements)),
	}
	n.identity(&s)
	for _, b := range n.blocks {
		switch b.Type {
		case "check":
			if c, ok := n.check(b, len(s.Checks)); ok {
				s.Checks = append(s.Checks, c)
			}
		case "server":
			path := fmt.Sprintf("%s.servers[%d]", n.path, len(s.Servers))
			s.Servers = append(s.Servers, n.server(b, path, s))
		case "fallback":
			path := n.path + ".fallback"
			if n.second(b, path) {
				continue
			}
			f := n.server(b, path, s)
			s.Fallback = &f
		}
	}
	return s
}

// identity reads by what a service is known: address and protocol, or mark and family.
func (n *node) identity(s *fsm.Service) {
	protocol := n.word("protocol", "", protocols)
	family := n.word("family", "", families)
	n.also("family", "ipv6")
	n.asks("address", "endpoint", nil)
	if i, ok := n.get("address"); ok {
		if text, ok := i.text(); ok {
			ap, wrong, hint := parseEndpoint(text, false)
			if wrong != "" {
				i.fail(hint, "%s", wrong)
			} else {
				s.Address = ap
			}
		}
	}
	byMark := n.has("mark") && !n.has("address")
	if family != "" && !byMark {
		i, _ := n.get("family")
		i.fail("leave it out: the address says it", "is for services by mark")
	}
	if protocol != "" && byMark {
		i, _ := n.get("protocol")
		i.fail("leave it out: the rule that sets the mark chooses the protocol", "is for services by address")
	}
	s.IPv6 = byMark && family == "ipv6"
	if !byMark {
		s.Protocol = fsm.Protocol(protocol)
		if protocol == "" {
			s.Protocol = defaultProtocol
		}
	}
	if n.bad[n.child("mark")] {
		n.bad[n.child("address")] = true // there is a mark, though a wrong one: Validate is not to ask for either
	}
}

// portless reports whether the servers of a service have no port of their own: the service is by mark, or by an address
// without a port.
func portless(s fsm.Service) bool { return s.Address.Port() == 0 }

// server reads a server or fallback block.
func (n *node) server(b *hcl.Block, path string, s fsm.Service) fsm.Server {
	label, at := b.Labels[0], b.LabelRanges[0].Start
	m := n.node(n.schema.block(b.Type), b.Body, place{path: path, at: at, what: fmt.Sprintf("%s, %s %s", n.what, b.Type, label)})
	server := fsm.Server{
		Weight:  uint32(m.integer("weight", defaultWeight, weightSpan)),
		Forward: fsm.Forward(m.word("forward", "", forwards)),
	}
	if slices.Contains(m.schema.keys, "inhibit") {
		server.Inhibit = m.boolean("inhibit", false)
	}
	ap, wrong, hint := parseEndpoint(label, s.Mark != 0 && !s.Address.IsValid())
	if wrong != "" {
		m.report(m.child("address"), at, hint, "%s: %s", n.what+", "+b.Type, wrong)
		return server
	}
	if ap.Port() == 0 {
		ap = netip.AddrPortFrom(ap.Addr(), s.Address.Port())
	}
	server.Address = ap
	return server
}

// check reads a check block; false if its kind is not known.
func (n *node) check(b *hcl.Block, index int) (fsm.Check, bool) {
	kind, at := fsm.CheckKind(b.Labels[0]), b.LabelRanges[0].Start
	keys, ok := checkKeys[kind]
	path := fmt.Sprintf("%s.checks[%d]", n.path, index)
	if !ok {
		path = n.path + ".checks[?]" // it gets no index, and what is said of it must not be said of the next
	}
	m := n.node(n.schema.block("check"), b.Body, place{
		path: path, at: at, what: fmt.Sprintf("%s, check %q", n.what, b.Labels[0]),
	})
	if !ok {
		m.report("", at, hintValue(string(kind), checkKinds), "%s: unknown kind of check %q", n.what, kind)
		m.fill(kind) // says what is wrong inside too
		return fsm.Check{}, false
	}
	m.only(keys)
	if kind == fsm.CheckScript {
		m.require("command", `["/usr/local/bin/check", "ARGUMENT"]`)
	}
	return m.fill(kind), true
}

// fill reads the keys of a check block.
func (n *node) fill(kind fsm.CheckKind) fsm.Check {
	path := ""
	if kind == fsm.CheckHTTP || kind == fsm.CheckHTTPS {
		path = defaultPath
	}
	c := fsm.Check{
		Kind:     kind,
		Interval: n.duration("interval", defaultCheckInterval),
		Rise:     int(n.integer("rise", defaultRise, countSpan)),
		Fall:     int(n.integer("fall", defaultFall, countSpan)),
		Port:     uint16(n.integer("port", 0, portSpan)),
		Host:     n.text("host", ""),
		Path:     n.text("path", path),
		Body:     n.text("body", ""),
		Insecure: n.boolean("insecure", false),
		CA:       n.text("ca", ""),
		Command:  n.texts("command"),
		User:     n.text("user", ""),
	}
	c.Timeout = n.duration("timeout", min(defaultCheckTimeout, c.Interval))
	statuses := n.list("status", true)
	for _, i := range statuses {
		if v, ok := i.integer(statusSpan); ok {
			c.Status = append(c.Status, int(v))
		}
	}
	if n.has("status") && len(statuses) == 0 && !n.bad[n.child("status")] {
		i, _ := n.get("status")
		i.fail("leave it out for 200 to 299", "names no status")
	}
	return c
}
