package address

import "net/netip"

// The numbers of rtnetlink for routes and rules.
const (
	kindNewRoute = 24
	kindDelRoute = 25
	kindGetRoute = 26
	kindNewRule  = 32
	kindDelRule  = 33
	kindGetRule  = 34

	rtaDestination = 1
	rtaInterface   = 4
	rtaGateway     = 5
	rtaPriority    = 6
	rtaSource      = 7
	rtaMetrics     = 8
	rtaCacheInfo   = 12
	rtaTable       = 15
	rtaVia         = 18
	rtaExpires     = 23

	metricLock     = 1
	metricMTU      = 2
	metricWindow   = 3
	metricAdvMSS   = 8
	metricHopLimit = 10
	metricInitCwnd = 11
	metricInitRwnd = 14

	nextHopOnLink = 4

	fraTo       = 1
	fraFrom     = 2
	fraIn       = 3
	fraPriority = 6
	fraMark     = 10
	fraTable    = 15
	fraMask     = 16
	fraOut      = 17
	fraProtocol = 21

	ruleInvert = 2
	ruleLookup = 1

	flagReplace = 0x100 // of a message

	routeLen = 12 // of the header, of routes and of rules
)

// scope is a scope of IPv4 routes.
type scope struct {
	name   string
	number byte
}

var scopes = []scope{{scopeUniverse, 0}, {"site", 200}, {scopeLink, 253}, {"host", 254}}

// kind are the numbers of a type of route.
type kind struct {
	name   RouteType
	number byte // of routes
	action byte // of rules
}

var kinds = []kind{{Unicast, 1, ruleLookup}, {Blackhole, 6, 6}, {Unreachable, 7, 7}, {Prohibit, 8, 8}}

// numbers are those of a route's type; nil if there is no such type.
func (r Route) numbers() *kind {
	for i, k := range kinds {
		if k.name == r.Type || r.Type == "" {
			return &kinds[i]
		}
	}
	return nil
}

func ruleAction(t RouteType) byte {
	if k := (Route{Type: t}).numbers(); k != nil {
		return k.action
	}
	return 0
}

func number(v uint32) []byte { return native.AppendUint32(nil, v) }

func familyOf(v6 bool) byte {
	if v6 {
		return familyIPv6
	}
	return familyIPv4
}

// routeBody returns the body of a message that adds or deletes a route of ours. Index is that of its
// interface; valid, in seconds, is for IPv6, which alone has it.
func routeBody(r Route, index int, valid uint32) []byte {
	r = r.canonical()
	b := []byte{familyOf(r.v6()), byte(r.Destination.Bits()), 0, r.TOS, 0, mark, 0, r.numbers().number}
	for _, s := range scopes {
		if s.name == r.Scope {
			b[6] = s.number
		}
	}
	flags := uint32(0)
	if r.OnLink {
		flags = nextHopOnLink
	}
	b = native.AppendUint32(b, flags)
	b = appendAttr(b, rtaDestination, r.Destination.Addr().AsSlice())
	b = appendAttr(b, rtaTable, number(r.Table))
	switch {
	case !r.Via.IsValid():
	case r.Via.Is6() == r.v6():
		b = appendAttr(b, rtaGateway, r.Via.AsSlice())
	default:
		b = appendAttr(b, rtaVia, append(native.AppendUint16(nil, familyIPv6), r.Via.AsSlice()...))
	}
	if index != 0 {
		b = appendAttr(b, rtaInterface, number(uint32(index)))
	}
	if r.Source.IsValid() {
		b = appendAttr(b, rtaSource, r.Source.AsSlice())
	}
	if r.Metric != 0 {
		b = appendAttr(b, rtaPriority, number(r.Metric))
	}
	if m := r.metrics(); m != nil {
		b = appendAttr(b, rtaMetrics|nested, m)
	}
	if r.v6() && valid != 0 && valid != forEver {
		b = appendAttr(b, rtaExpires, number(valid))
	}
	return b
}

// metrics are the attributes of a route that its connections begin with.
func (r Route) metrics() []byte {
	var b []byte
	if r.MTULock {
		b = appendAttr(b, metricLock, number(1<<metricMTU))
	}
	for _, m := range r.values() {
		if *m.value != 0 {
			b = appendAttr(b, m.attr, number(*m.value))
		}
	}
	return b
}

type metric struct {
	attr  uint16
	value *uint32
}

func (r *Route) values() []metric {
	return []metric{
		{metricMTU, &r.MTU}, {metricWindow, &r.Window}, {metricAdvMSS, &r.AdvMSS}, {metricHopLimit, &r.HopLimit},
		{metricInitCwnd, &r.InitCwnd}, {metricInitRwnd, &r.InitRwnd},
	}
}

// kernelRoute is one route as the kernel has it.
type kernelRoute struct {
	Route
	ours    bool
	expired bool // of no effect any more, though it is listed
}

// kernelPaths are the routes and rules of ours that the kernel has.
type kernelPaths struct {
	routes []kernelRoute
	rules  []Rule
}

// parseRoute reads the body of a message about a route. It is not ok for what this package never makes.
func parseRoute(b []byte, name func(index int) string) (r kernelRoute, ok bool) {
	if len(b) < routeLen || b[0] != familyIPv4 && b[0] != familyIPv6 {
		return r, false
	}
	for _, k := range kinds {
		if k.number == b[7] {
			r.Type = k.name
		}
	}
	for _, s := range scopes {
		if s.number == b[6] && b[0] == familyIPv4 {
			r.Scope = s.name
		}
	}
	destination := netip.IPv4Unspecified()
	if b[0] == familyIPv6 {
		destination = netip.IPv6Unspecified()
	}
	r.TOS, r.Table, r.ours = b[3], uint32(b[4]), b[5] == mark
	r.OnLink = native.Uint32(b[8:])&nextHopOnLink != 0
	err := attrs(b[routeLen:], func(kind uint16, v []byte) {
		switch {
		case kind == rtaDestination:
			destination, _ = netip.AddrFromSlice(v)
		case kind == rtaGateway:
			r.Via, _ = netip.AddrFromSlice(v)
		case kind == rtaVia && len(v) > 2:
			r.Via, _ = netip.AddrFromSlice(v[2:])
		case kind == rtaSource:
			r.Source, _ = netip.AddrFromSlice(v)
		case kind == rtaMetrics:
			r.readMetrics(v)
		case kind == rtaCacheInfo && len(v) >= 12:
			r.expired = int32(native.Uint32(v[8:])) < 0
		case len(v) < 4:
		case kind == rtaInterface:
			r.Interface = name(int(native.Uint32(v)))
		case kind == rtaPriority:
			r.Metric = native.Uint32(v)
		case kind == rtaTable:
			r.Table = native.Uint32(v)
		}
	})
	r.Destination = netip.PrefixFrom(destination, int(b[1]))
	if b[0] == familyIPv6 && r.Type != Unicast {
		r.Interface = "" // the kernel says lo
	}
	return r, err == nil && r.Type != "" && r.Destination.IsValid()
}

func (r *Route) readMetrics(b []byte) {
	_ = attrs(b, func(kind uint16, v []byte) {
		if len(v) < 4 {
			return
		}
		if kind == metricLock {
			r.MTULock = native.Uint32(v)&(1<<metricMTU) != 0
		}
		for _, m := range r.values() {
			if m.attr == kind {
				*m.value = native.Uint32(v)
			}
		}
	})
}

// ruleBody returns the body of a message that adds or deletes a rule of ours.
func ruleBody(r Rule) []byte {
	r = r.canonical()
	b := []byte{familyOf(r.V6), 0, 0, r.TOS, 0, 0, 0, ruleAction(r.Type)}
	flags := uint32(0)
	if r.Not {
		flags = ruleInvert
	}
	b = native.AppendUint32(b, flags)
	if r.To.IsValid() {
		b[1] = byte(r.To.Bits())
		b = appendAttr(b, fraTo, r.To.Addr().AsSlice())
	}
	if r.From.IsValid() {
		b[2] = byte(r.From.Bits())
		b = appendAttr(b, fraFrom, r.From.Addr().AsSlice())
	}
	for attr, name := range map[uint16]string{fraIn: r.In, fraOut: r.Out} {
		if name != "" {
			b = appendAttr(b, attr, append([]byte(name), 0))
		}
	}
	if r.Mark != 0 || r.Mask != 0 {
		b = appendAttr(b, fraMark, number(r.Mark))
		b = appendAttr(b, fraMask, number(r.Mask))
	}
	if r.Table != 0 {
		b = appendAttr(b, fraTable, number(r.Table))
	}
	b = appendAttr(b, fraPriority, number(r.Priority))
	return appendAttr(b, fraProtocol, []byte{mark})
}

// parseRule reads the body of a message about a rule, and reports whether it is one of ours.
func parseRule(b []byte) (r Rule, ours bool) {
	if len(b) < routeLen || b[0] != familyIPv4 && b[0] != familyIPv6 {
		return r, false
	}
	r.V6, r.TOS, r.Table = b[0] == familyIPv6, b[3], uint32(b[4])
	r.Not = native.Uint32(b[8:])&ruleInvert != 0
	for _, k := range kinds {
		if k.action == b[7] {
			r.Type = k.name
		}
	}
	err := attrs(b[routeLen:], func(kind uint16, v []byte) {
		switch {
		case kind == fraTo:
			a, _ := netip.AddrFromSlice(v)
			r.To = netip.PrefixFrom(a, int(b[1]))
		case kind == fraFrom:
			a, _ := netip.AddrFromSlice(v)
			r.From = netip.PrefixFrom(a, int(b[2]))
		case kind == fraIn && len(v) > 0:
			r.In = string(v[:len(v)-1])
		case kind == fraOut && len(v) > 0:
			r.Out = string(v[:len(v)-1])
		case kind == fraProtocol && len(v) > 0:
			ours = v[0] == mark
		case len(v) < 4:
		case kind == fraPriority:
			r.Priority = native.Uint32(v)
		case kind == fraMark:
			r.Mark = native.Uint32(v)
		case kind == fraMask:
			r.Mask = native.Uint32(v)
		case kind == fraTable:
			r.Table = native.Uint32(v)
		}
	})
	return r, ours && err == nil && r.Type != ""
}
