package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/quorate/quorate/fsm"
)

// ParseCluster reads a cluster file: HCL, or the same in JSON if the file name ends in .json. The
// name is used for nothing else but the problems' places. All problems are returned at once; if one of
// them is an error the configuration is empty.
func ParseCluster(filename string, src []byte) (fsm.Config, Problems) {
	d, top := open(filename, src, clusterSchema())
	if top == nil {
		return fsm.Config{}, d.problems(nil)
	}
	c := top.cluster()
	var found []finding
	if !d.broken { // else much of the file is missing, and would be said to be
		found = validate(c)
	}
	problems := d.problems(found)
	if problems.Err() != nil {
		return fsm.Config{}, problems.Errors() // a warning may come from what the errors left out
	}
	return c, problems
}

// cluster reads the top level.
func (n *node) cluster() fsm.Config {
	var c fsm.Config
	for _, b := range n.blocks {
		name := b.Labels[0]
		switch b.Type {
		case "router":
			if r := n.named(b, "routers"); r != nil {
				put(&c.Routers, name, r.router(name))
			}
		case "sync_group":
			if g := n.named(b, "sync_groups"); g != nil {
				g.require("routers", `["ROUTER", "ROUTER"]`)
				put(&c.SyncGroups, name, fsm.SyncGroup{Name: name, Routers: g.texts("routers")})
			}
		case "service":
			if s := n.named(b, "services"); s != nil {
				put(&c.Services, name, s.service(name))
			}
		}
	}
	return c
}

func put[T any](m *map[string]T, name string, v T) {
	if *m == nil {
		*m = make(map[string]T)
	}
	(*m)[name] = v
}

// named opens a block that is known by its name; it returns nil if there was one of that name before.
func (n *node) named(b *hcl.Block, field string) *node {
	name := b.Labels[0]
	p := place{path: fmt.Sprintf("%s[%q]", field, name), what: fmt.Sprintf("%s %q", b.Type, name), at: b.LabelRanges[0].Start}
	if first, ok := n.where[p.path]; ok {
		n.report("", p.at, fmt.Sprintf("the other is on line %d", first.Line), "%s is there twice", p.what)
		return nil
	}
	return n.node(n.schema.block(b.Type), b.Body, p)
}

// router reads a router block.
func (n *node) router(name string) fsm.Router {
	n.require("vrid", "51")
	n.require("interface", `"wan"`)
	n.require("addresses", `["192.168.1.1/24"]`)
	r := fsm.Router{
		Name:      name,
		VRID:      uint8(n.integer("vrid", 0, vridSpan)),
		Interface: n.text("interface", ""),
		Interval:  n.duration("interval", defaultAdvertInterval),
	}
	for _, i := range n.list("addresses", false) {
		r.Addresses = append(r.Addresses, i.network())
	}
	return r
}

// network reads an address with its prefix length; the zero value stands for one that is wrong.
func (i item) network() netip.Prefix {
	s, ok := i.text()
	if !ok {
		return netip.Prefix{}
	}
	p, err := netip.ParsePrefix(s)
	if err == nil {
		return p
	}
	if a, err := netip.ParseAddr(s); err == nil {
		length := "/24"
		if a.Is6() {
			length = "/64"
		}
		i.fail(fmt.Sprintf("add the length of the network on that interface, as in %s%s", a.WithZone(""), length), "%q has no prefix length", s)
		return netip.Prefix{}
	}
	i.fail("write it as in 192.168.1.1/24 or 2001:db8::1/64", "%q is not an address with a prefix length", s)
	return netip.Prefix{}
}

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
			if first, ok := n.where[path]; ok {
				n.report("", b.LabelRanges[0].Start, fmt.Sprintf("one is enough; the other is on line %d", first.Line), "%sa second fallback", n.prefix())
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
	if at, ok := n.where[n.child("family")]; ok {
		n.where[n.child("ipv6")] = at
	}
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
		n.bad[n.child("address")] = true // neither, says Validate, but there is one
	}
}

// portless reports whether the servers of a service have no port of their own. With an address and a
// mark, which is a mistake, the address counts.
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
	for name, attr := range m.attrs {
		if !slices.Contains(keys, name) {
			m.report(m.child(name), attr.NameRange.Start, "known here: "+strings.Join(keys, ", "), "%s%s means nothing to it", m.prefix(), name)
			delete(m.attrs, name)
		}
	}
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
