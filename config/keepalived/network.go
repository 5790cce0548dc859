package keepalived

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/quorate/quorate/fsm"
)

// readAddresses reads virtual_ipaddress.
func readAddresses(h *host, all *[]virtual, s *Statement) {
	for _, l := range lines(s) {
		net, ok := prefix(l.Word)
		if !ok {
			h.notes.Dropped(l.Place, in(inVRRP, s.Word), "%q is not an address", l.Word)
			continue
		}
		v := virtual{Place: l.Place, net: net}
		var lost []string
		for i := 0; i < len(l.Args); i++ {
			switch l.Args[i] {
			case "dev":
				i++
				v.dev = l.Arg(i)
			case "brd", "broadcast", "scope", "label", "peer", "preferred_lft":
				lost = append(lost, l.Args[i])
				i++
			default:
				lost = append(lost, l.Args[i])
			}
		}
		if len(lost) > 0 {
			h.notes.Differs(l.Place, in(inVRRP, s.Word), "addresses have no %s", strings.Join(lost, ", "))
		}
		*all = append(*all, v)
	}
}

// tableNames are the tables that have names everywhere.
var tableNames = map[string]uint32{"main": 254, "default": 253, "local": 255}

// words32 reads numbers with which routes and rules are written.
func words32(s string) (uint32, bool) {
	if n, ok := tableNames[s]; ok {
		return n, true
	}
	n, err := strconv.ParseUint(s, 0, 32)
	return uint32(n), err == nil
}

var routeKinds = []string{"unicast", "blackhole", "unreachable", "prohibit", "throw"}

// words to which a family may be put in front, as in via inet6 fe80::1.
func family(all []string) []string {
	if len(all) > 0 && (all[0] == "inet" || all[0] == "inet6") {
		return all[1:]
	}
	return all
}

// route reads a line of virtual_routes. What it cannot say is told, and then there is no route.
func (h *host) route(l *Statement) (r fsm.Route, ok bool) {
	const keyword = "vrrp_instance virtual_routes"
	bad := func(format string, args ...any) (fsm.Route, bool) {
		h.notes.Dropped(l.Place, keyword, format, args...)
		return fsm.Route{}, false
	}
	all := append([]string{l.Word}, l.Args...)
	var to, lost []string
	for len(all) > 0 {
		word, rest := all[0], all[1:]
		next := ""
		if values := family(rest); len(values) > 0 {
			next = values[0]
		}
		good := true
		switch {
		case slices.Contains(routeKinds, word):
			if word == "throw" {
				return bad("there are no routes of the type throw")
			}
			if word != "unicast" {
				r.Type = word
			}
			all = rest
			continue
		case word == "to":
			all = rest
			continue
		case word == "via" || word == "gw":
			r.Via, good = address(next)
			rest = family(rest)
		case word == "dev" || word == "oif":
			r.Interface = next
		case word == "src":
			r.Source, good = address(next)
		case word == "table":
			r.Table, good = words32(next)
		case word == "metric" || word == "priority" || word == "preference":
			r.Metric, good = words32(next)
		case word == "mtu":
			if next == "lock" && len(rest) > 1 {
				lost, rest = append(lost, "lock of its mtu"), rest[1:]
				next = rest[0]
			}
			r.MTU, good = words32(next)
		case word == "onlink":
			r.OnLink, all = true, rest
			continue
		case word == "no_track":
			lost, all = append(lost, word), rest
			continue
		case slices.Contains([]string{"scope", "proto", "protocol", "tos", "dsfield", "pref", "advmss", "hoplimit", "rtt", "window", "initcwnd"}, word):
			lost = append(lost, word)
		case len(to) == 0:
			to, all = []string{word}, rest
			continue
		default:
			return bad("%q is not known in a route here", word)
		}
		if !good || next == "" {
			return bad("%s %q cannot be read", word, next)
		}
		all = rest[1:]
	}
	if len(to) == 0 {
		return bad("it goes nowhere")
	}
	if r.To, ok = destination(to[0], r.Via); !ok {
		return bad("%q is not a network", to[0])
	}
	if len(lost) > 0 {
		h.notes.Differs(l.Place, keyword, "routes have no %s", strings.Join(lost, ", "))
	}
	return r, true
}

// destination reads a network, or the default route of a gateway's family.
func destination(s string, via netip.Addr) (netip.Prefix, bool) {
	if s == "default" || s == "any" {
		if via.Is6() {
			return netip.PrefixFrom(netip.IPv6Unspecified(), 0), true
		}
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0), true
	}
	p, ok := prefix(s)
	return p.Masked(), ok
}

// rule reads a line of virtual_rules; preference is what it has if it says none.
func (h *host) rule(l *Statement, preference *uint32) (r fsm.Rule, ok bool) {
	const keyword = "vrrp_instance virtual_rules"
	bad := func(format string, args ...any) (fsm.Rule, bool) {
		h.notes.Dropped(l.Place, keyword, format, args...)
		return fsm.Rule{}, false
	}
	all := append([]string{l.Word}, l.Args...)
	for len(all) > 0 {
		word, rest := all[0], all[1:]
		next := ""
		if len(rest) > 0 {
			next = rest[0]
		}
		good := true
		switch word {
		case "blackhole", "unreachable", "prohibit":
			r.Type, all = word, rest
			continue
		case "inet", "inet6":
			r.IPv6, all = word == "inet6", rest
			continue
		case "from":
			r.From, good = network(next)
		case "to":
			r.To, good = network(next)
		case "iif", "dev":
			r.In = next
		case "oif":
			r.Out = next
		case "table", "lookup":
			r.Table, good = words32(next)
		case "priority", "preference", "pref", "order":
			r.Priority, good = words32(next)
		case "fwmark":
			mark, mask, masked := strings.Cut(next, "/")
			r.Mark, good = words32(mark)
			if masked && good {
				r.Mask, good = words32(mask)
			}
		case "tos", "dsfield":
			var n uint32
			n, good = words32(next)
			r.TOS, good = uint8(n), good && n <= 255
		case "no_track":
			all = rest
			continue
		default:
			return bad("%q is not known in a rule here", word)
		}
		if !good || next == "" {
			return bad("%s %q cannot be read", word, next)
		}
		all = rest[1:]
	}
	if r.From.IsValid() || r.To.IsValid() {
		r.IPv6 = false // they say it
	}
	if r.Priority == 0 {
		r.Priority = *preference
		*preference--
		h.notes.Differs(l.Place, keyword, "`priority` as keepalived numbers rules without one, from 16384 down")
	}
	return r, true
}

// network reads a network; all is none.
func network(s string) (netip.Prefix, bool) {
	if s == "all" || s == "any" || s == "default" {
		return netip.Prefix{}, true
	}
	p, ok := prefix(s)
	if !ok {
		return p, false
	}
	return p.Masked(), true
}
