package config

import (
	"net/netip"
	"slices"

	"github.com/quorate/quorate/fsm"
)

// slot is what the kernel keeps one route of.
type slot struct {
	to            netip.Prefix
	table, metric uint32
}

// claim is who has a slot.
type claim struct {
	path  string
	route fsm.Route
}

const metricIPv6 = 1024 // of an IPv6 route that does not say one

// routes checks the routes of a router. Two routers may have the same route, but not one that would take
// the other's place.
func (o object) routes(r fsm.Router, claims map[slot]claim) {
	own := make(map[slot]bool)
	for i, route := range r.Routes {
		child := o.part("routes", i, "route "+route.To.String())
		child.route(route)
		s := slot{route.To, route.Table, route.Metric}
		if s.table == 0 {
			s.table = defaultTable
		}
		if s.metric == 0 && route.To.Addr().Is6() {
			s.metric = metricIPv6
		}
		first, taken := claims[s]
		switch {
		case !route.To.IsValid():
		case own[s]:
			child.clash("", first.path, "the kernel keeps one of a destination, table and metric", "is there twice")
		case taken && first.route != route:
			child.clash("", first.path, "the kernel keeps one of a destination, table and metric", "another router has another route in its place")
		}
		own[s] = true
		if !taken {
			claims[s] = claim{child.path, route}
		}
	}
}

// route checks one route by itself.
func (o object) route(r fsm.Route) {
	if text, hint := checkNetwork(r.To); text != "" {
		o.wrong(".to", hint, "%s", text)
	}
	v6 := r.To.Addr().Is6()
	if r.Interface != "" {
		o.iface(".interface", "interface", r.Interface)
	}
	unicast := r.Type == "" || r.Type == defaultRouteType
	switch {
	case !slices.Contains(routeTypes, r.Type) && r.Type != "":
		o.among("type", r.Type, routeTypes)
	case !unicast && (r.Via.IsValid() || r.Interface != "" || r.OnLink):
		o.wrong(".type", "leave via, interface and onlink out", "a %s route goes nowhere", r.Type)
	case unicast && !r.Via.IsValid() && r.Interface == "":
		o.wrong(".via", `add via = "192.168.1.254", or interface = "wan"`, "has neither a router to go via nor an interface")
	case r.OnLink && (!r.Via.IsValid() || r.Interface == ""):
		o.wrong(".onlink", "add via and interface", "onlink says that via is on the interface, and needs both")
	case r.Via.IsLinkLocalUnicast() && r.Interface == "":
		o.wrong(".interface", `add interface = "wan"`, "via is link-local, and could be on any interface")
	}
	if r.Via.IsValid() {
		text, hint := checkAddr(r.Via)
		switch {
		case text != "":
			o.wrong(".via", hint, "%s", text)
		case v6 && r.Via.Is4():
			o.wrong(".via", "", "an IPv6 network cannot be reached via %s", r.Via)
		}
	}
	if r.Source.IsValid() {
		text, hint := checkAddr(r.Source)
		switch {
		case text != "":
			o.wrong(".source", hint, "%s", text)
		case v6 != r.Source.Is6():
			o.wrong(".source", "", "source %s is not of the destination's family", r.Source)
		}
	}
	if r.MTU != 0 {
		o.within("mtu", int64(r.MTU), mtuSpan)
		if v6 && r.MTU >= uint32(mtuSpan.min) && r.MTU < 1280 {
			o.wrong(".mtu", "", "IPv6 needs an mtu of 1280 at least")
		}
	}
}

// rules checks the rules of a router.
func (o object) rules(r fsm.Router) {
	seen := make(map[fsm.Rule]string)
	for i, rule := range r.Rules {
		child := o.part("rules", i, "rule")
		child.rule(rule)
		if other, ok := seen[canonicalRule(rule)]; ok {
			child.clash("", other, "", "is there twice")
			continue
		}
		seen[canonicalRule(rule)] = child.path
	}
}

// rule checks one rule by itself.
func (o object) rule(r fsm.Rule) {
	o.within("priority", int64(r.Priority), prioritySpan)
	for _, n := range []struct {
		field string
		p     netip.Prefix
	}{{"from", r.From}, {"to", r.To}} {
		if n.p != (netip.Prefix{}) {
			if text, hint := checkNetwork(n.p); text != "" {
				o.wrong("."+n.field, hint, "%s: %s", n.field, text)
			}
		}
	}
	from, to := r.From.IsValid(), r.To.IsValid()
	v6 := r.IPv6 || r.From.Addr().Is6() || r.To.Addr().Is6()
	switch {
	case from && to && r.From.Addr().Is6() != r.To.Addr().Is6():
		o.wrong(".to", "", "from and to are of two families")
	case r.IPv6 && (from && r.From.Addr().Is4() || to && r.To.Addr().Is4()):
		o.wrong(".ipv6", "leave it out: from and to say it", "family is ipv6, and the networks are not")
	}
	for _, n := range []struct{ field, name string }{{"in", r.In}, {"out", r.Out}} {
		if n.name != "" {
			o.iface("."+n.field, n.field, n.name)
		}
	}
	if r.Mask != 0 && r.Mark&^r.Mask != 0 {
		o.wrong(".mark", "", "mark %d has bits that mask %d has not, and no packet can match", r.Mark, r.Mask)
	}
	switch {
	case r.TOS%4 != 0:
		o.wrong(".tos", "", "tos is %d; the lowest two bits are not the kernel's to look at", r.TOS)
	case r.TOS > 28 && !v6:
		o.wrong(".tos", "set a mark by a firewall rule instead", "tos is %d; for IPv4 the kernel looks at the values to 28", r.TOS)
	}
	lookup := r.Type == "" || r.Type == defaultRouteType
	switch {
	case r.Type != "" && !slices.Contains(routeTypes, r.Type):
		o.among("type", r.Type, routeTypes)
	case !lookup && r.Table != 0:
		o.wrong(".table", "leave one of them out", "type %s looks no table up", r.Type)
	}
	everything := r.From.Bits() <= 0 && r.To.Bits() <= 0 && r.In == "" && r.Out == "" && r.Mark == 0 && r.Mask == 0 && r.TOS == 0
	if everything && !lookup {
		o.doubt("", "add from, to, in, out or mark", "takes every packet of the director, and with it the way to the others")
	}
}
