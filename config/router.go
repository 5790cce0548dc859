package config

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/quorate/quorate/fsm"
)

func routerSchema() *schema {
	return &schema{
		name: "router", labels: []string{"name"},
		keys: []string{
			"vrid", "interface", "addresses", "excluded", "profile", "interval", "version", "checksum",
			"virtual_mac", "accept", "address_owner", "preempt", "preempt_delay", "refresh",
			"unicast", "known_only", "strict_addresses", "on_quorum_loss", "on_segment_cut",
		},
		blocks: append([]*schema{
			{name: "peer", labels: []string{"address"}, keys: []string{"min_ttl"}},
			{name: "auth", labels: []string{"kind"}, keys: []string{"key_id", "key", "other_key_id", "other_key"}},
			{name: "route", labels: []string{"destination"}, keys: []string{
				"via", "interface", "type", "source", "table", "metric", "mtu", "onlink",
			}},
			{name: "rule", keys: []string{
				"priority", "family", "from", "to", "in", "out", "mark", "mask", "tos", "type", "table",
			}},
		}, append(placementSchemas(), needsSchemas()...)...),
	}
}

// The values that a word of a router may have.
var (
	profiles   = []string{"lan", "vm", "fast"}
	checksums  = []string{"pseudo", "plain"}
	authKinds  = []string{"password", "ah", "hmac"}
	routeTypes = []string{"unicast", "blackhole", "unreachable", "prohibit"}
)

// profileIntervals are the intervals of the profiles, which choose nothing else yet.
var profileIntervals = map[string]time.Duration{
	"lan":  defaultAdvertInterval,
	"vm":   2 * time.Second, // a hypervisor may let a machine stand still for seconds
	"fast": 100 * time.Millisecond,
}

// authKeys names, for each kind of authentication, the keys that mean something to it.
var authKeys = map[fsm.AuthKind][]string{
	fsm.AuthPassword: {"key"},
	fsm.AuthHeader:   {"key"},
	fsm.AuthHMAC:     {"key_id", "key", "other_key_id", "other_key"},
}

// The ranges of a router's numbers and durations.
var (
	vridSpan     = span{1, 255}
	versionSpan  = span{2, 3}
	ttlSpan      = span{1, 255}
	keyIDSpan    = span{1, 255}
	tableSpan    = span{1, 1<<32 - 1}
	metricSpan   = span{0, 1<<32 - 1}
	mtuSpan      = span{68, 65535} // the least that IPv4 allows
	prioritySpan = span{1, 1<<32 - 1}
	tosSpan      = span{0, 255}

	advertPeriod   = period{10 * time.Millisecond, 40950 * time.Millisecond, 10 * time.Millisecond} // RFC 9568, section 5.2.7
	advertPeriodV2 = period{time.Second, 255 * time.Second, time.Second}                            // RFC 3768, section 5.3.7
	preemptPeriod  = period{0, time.Hour, time.Millisecond}
	refreshPeriod  = period{time.Second, 24 * time.Hour, time.Millisecond}
)

// The defaults of a router. The interval is put in; what has another one is stored as zero.
const (
	defaultAdvertInterval = time.Second
	defaultVersion        = 3
	defaultChecksum       = fsm.PseudoChecksum
	defaultRefresh        = time.Minute
	defaultTTL            = 255
	defaultKeyID          = 1
	defaultRouteType      = "unicast"
	defaultTable          = 254 // main
)

// none is how a model says that a duration is 0s, where its zero value stands for the default. Any negative duration does.
const none = time.Duration(-1)

// keptKey stands where the key of a router would: the cluster has one, shows it to nobody, and keeps it
// if a file says this or nothing.
const keptKey = "(kept)"

// router reads a router block.
func (n *node) router(name string) fsm.Router {
	n.require("vrid", "51")
	n.require("interface", `"wan"`)
	n.require("addresses", `["192.168.1.1/24"]`)
	r := fsm.Router{
		Name:      name,
		VRID:      uint8(n.integer("vrid", 0, vridSpan)),
		Interface: n.text("interface", ""),
		Interval:  n.duration("interval", profileIntervals[n.word("profile", "lan", profiles)]),

		Version:      uint8(n.integer("version", 0, versionSpan)),
		Checksum:     fsm.Checksum(n.word("checksum", "", checksums)),
		VirtualMAC:   n.boolean("virtual_mac", false),
		NoAccept:     !n.boolean("accept", true),
		AddressOwner: n.text("address_owner", ""),
		NoPreempt:    !n.boolean("preempt", true),
		PreemptDelay: n.duration("preempt_delay", 0),
		Refresh: n.orNone("refresh", "to announce nothing again",
			fmt.Sprintf("0s or %s to %s", formatDuration(refreshPeriod.min), formatDuration(refreshPeriod.max))),

		Unicast:         n.boolean("unicast", false),
		KnownOnly:       n.boolean("known_only", false),
		StrictAddresses: n.boolean("strict_addresses", false),
	}
	n.also("preempt", "no_preempt")
	for _, i := range n.list("addresses", false) {
		r.Addresses = append(r.Addresses, i.network())
	}
	for _, i := range n.list("excluded", false) {
		r.Excluded = append(r.Excluded, i.network())
	}
	for _, b := range n.blocks {
		switch b.Type {
		case "peer":
			r.Peers = append(r.Peers, n.peer(b, len(r.Peers)))
		case "auth":
			n.auth(b, &r)
		case "route":
			r.Routes = append(r.Routes, n.route(b, len(r.Routes)))
		case "rule":
			r.Rules = append(r.Rules, n.rule(b, len(r.Rules)))
		}
	}
	r.Needs, r.Placement = n.needs(), n.placement()
	return canonicalRouter(r)
}

// peer reads a peer block.
func (n *node) peer(b *hcl.Block, index int) fsm.Peer {
	m := n.part(b, "peers", index)
	p := fsm.Peer{MinTTL: uint8(m.integer("min_ttl", 0, ttlSpan))}
	a, wrong, hint := parseAddress(b.Labels[0])
	if wrong != "" {
		m.report(m.child("address"), m.at, hint, "%s, peer: %s", n.what, wrong)
		return p
	}
	p.Address = a
	return p
}

// auth reads an auth block, of which a router has one at most.
func (n *node) auth(b *hcl.Block, r *fsm.Router) {
	kind, at := fsm.AuthKind(b.Labels[0]), b.LabelRanges[0].Start
	path := n.path + ".auth"
	if n.second(b, path) {
		return
	}
	m := n.node(n.schema.block("auth"), b.Body, place{path: path, at: at, what: fmt.Sprintf("%s, auth %q", n.what, kind)})
	keys, ok := authKeys[kind]
	if !ok {
		m.report("", at, hintValue(string(kind), authKinds), "%s: unknown kind of auth %q", n.what, kind)
		return
	}
	m.only(keys)
	r.Auth = &fsm.Auth{
		Kind: kind, KeyID: uint8(m.integer("key_id", 0, keyIDSpan)), Key: m.key("key"),
		OtherID: uint8(m.integer("other_key_id", 0, keyIDSpan)), OtherKey: m.key("other_key"),
	}
}

// key reads a key, which is not there if the cluster is to keep the one that it has.
func (n *node) key(name string) string {
	n.asks(name, "text", nil)
	i, ok := n.get(name)
	if !ok {
		return ""
	}
	s, ok := i.text()
	if ok && s == "" {
		i.fail(fmt.Sprintf("leave it out, or write %q, to keep the one that the cluster has", keptKey), "is empty")
	}
	return s
}

// route reads a route block.
func (n *node) route(b *hcl.Block, index int) fsm.Route {
	m := n.part(b, "routes", index)
	r := fsm.Route{
		Type:      m.word("type", "", routeTypes),
		Via:       m.address("via"),
		Interface: m.text("interface", ""),
		OnLink:    m.boolean("onlink", false),
		Source:    m.address("source"),
		Table:     uint32(m.integer("table", 0, tableSpan)),
		Metric:    uint32(m.integer("metric", 0, metricSpan)),
		MTU:       uint32(m.integer("mtu", 0, mtuSpan)),
	}
	to, wrong, hint := parseNetwork(b.Labels[0])
	if wrong != "" {
		m.report(m.child("to"), m.at, hint, "%s, route: %s", n.what, wrong)
		return r
	}
	r.To = to
	return r
}

// rule reads a rule block.
func (n *node) rule(b *hcl.Block, index int) fsm.Rule {
	m := n.part(b, "rules", index)
	m.require("priority", "100")
	family := m.word("family", "", families)
	r := fsm.Rule{
		Priority: uint32(m.integer("priority", 0, prioritySpan)),
		IPv6:     family == "ipv6",
		From:     m.network("from"),
		To:       m.network("to"),
		In:       m.text("in", ""),
		Out:      m.text("out", ""),
		Mark:     uint32(m.integer("mark", 0, metricSpan)),
		Mask:     uint32(m.integer("mask", 0, metricSpan)),
		TOS:      uint8(m.integer("tos", 0, tosSpan)),
		Type:     m.word("type", "", routeTypes),
		Table:    uint32(m.integer("table", 0, tableSpan)),
	}
	if family != "" && (m.has("from") || m.has("to")) {
		i, _ := m.get("family")
		i.fail("leave it out: from and to say it", "is for rules with neither from nor to")
	}
	m.also("family", "ipv6")
	return r
}

// address reads a key's address; the zero value stands for none, and for one that is wrong.
func (n *node) address(key string) netip.Addr {
	n.asks(key, "address", nil)
	i, ok := n.get(key)
	if !ok {
		return netip.Addr{}
	}
	s, ok := i.text()
	if !ok {
		return netip.Addr{}
	}
	a, wrong, hint := parseAddress(s)
	if wrong != "" {
		i.fail(hint, "%s", wrong)
	}
	return a
}

// network reads a key's network; the zero value stands for none, and for one that is wrong.
func (n *node) network(key string) netip.Prefix {
	n.asks(key, "network", nil)
	i, ok := n.get(key)
	if !ok {
		return netip.Prefix{}
	}
	s, ok := i.text()
	if !ok {
		return netip.Prefix{}
	}
	p, wrong, hint := parseNetwork(s)
	if wrong != "" {
		i.fail(hint, "%s", wrong)
	}
	return p
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
