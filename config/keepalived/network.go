package keepalived

import (
	"fmt"
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

// phrase goes through the words of a route or a rule.
type phrase struct{ rest []string }

// word takes the next word.
func (p *phrase) word() string {
	if len(p.rest) == 0 {
		return ""
	}
	w := p.rest[0]
	p.rest = p.rest[1:]
	return w
}

// value takes the word that belongs to the one before; a family may stand in front of it.
func (p *phrase) value() string {
	p.rest = family(p.rest)
	return p.word()
}

// plainWords are those of routes that say nothing here, each with a value.
var plainWords = []string{"scope", "proto", "protocol", "tos", "dsfield", "pref", "advmss", "hoplimit", "rtt", "window", "initcwnd"}

// route reads a line of virtual_routes. What it cannot say is told, and then there is no route.
func (h *host) route(l *Statement) (fsm.Route, bool) {
	const keyword = "vrrp_instance virtual_routes"
	var r fsm.Route
	var to string
	var lost []string
	for p := (&phrase{append([]string{l.Word}, l.Args...)}); len(p.rest) > 0; {
		word := p.word()
		bad := ""
		switch {
		case slices.Contains(routeKinds, word):
			r.Type = strings.TrimPrefix(word, "unicast")
		case word == "to":
		case word == "onlink":
			r.OnLink = true
		case word == "no_track":
			lost = append(lost, word)
		case slices.Contains(plainWords, word):
			lost = append(lost, word)
			p.word()
		case word == "mtu" && len(p.rest) > 0 && p.rest[0] == "lock":
			lost = append(lost, "lock of its mtu")
			p.word()
			bad = routeWord(&r, word, p.value())
		case routeWord(&r, word, "") != "":
			bad = routeWord(&r, word, p.value())
		case to == "":
			to = word
		default:
			bad = fmt.Sprintf("%q is not known in a route here", word)
		}
		if bad != "" {
			h.notes.Dropped(l.Place, keyword, "%s", bad)
			return r, false
		}
	}
	var ok bool
	if r.To, ok = destination(to, r.Via); !ok || r.Type == "throw" {
		h.notes.Dropped(l.Place, keyword, "it goes to no network, or is of the type throw")
		return r, false
	}
	if len(lost) > 0 {
		h.notes.Differs(l.Place, keyword, "routes have no %s", strings.Join(lost, ", "))
	}
	return r, true
}

// routeWord sets what a word with a value says, and returns what is wrong with it; "" for a word that is none.
func routeWord(r *fsm.Route, word, value string) string {
	ok := true
	switch word {
	case "via", "gw":
		r.Via, ok = address(value)
	case "dev", "oif":
		r.Interface = value
	case "src":
		r.Source, ok = address(value)
	case "table":
		r.Table, ok = words32(value)
	case "metric", "priority", "preference":
		r.Metric, ok = words32(value)
	case "mtu":
		r.MTU, ok = words32(value)
	default:
		return ""
	}
	if !ok || value == "" {
		return fmt.Sprintf("%s %q cannot be read", word, value)
	}
	return ""
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
func (h *host) rule(l *Statement, preference *uint32) (fsm.Rule, bool) {
	const keyword = "vrrp_instance virtual_rules"
	var r fsm.Rule
	for p := (&phrase{append([]string{l.Word}, l.Args...)}); len(p.rest) > 0; {
		word := p.word()
		bad := ""
		switch word {
		case "blackhole", "unreachable", "prohibit":
			r.Type = word
		case "inet", "inet6":
			r.IPv6 = word == "inet6"
		case "no_track":
		default:
			bad = ruleWord(&r, word, p.word())
		}
		if bad != "" {
			h.notes.Dropped(l.Place, keyword, "%s", bad)
			return r, false
		}
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

// ruleWord sets what a word with a value says, and returns what is wrong with it.
func ruleWord(r *fsm.Rule, word, value string) string {
	ok := true
	switch word {
	case "from":
		r.From, ok = network(value)
	case "to":
		r.To, ok = network(value)
	case "iif", "dev":
		r.In = value
	case "oif":
		r.Out = value
	case "table", "lookup":
		r.Table, ok = words32(value)
	case "priority", "preference", "pref", "order":
		r.Priority, ok = words32(value)
	case "fwmark":
		mark, mask, masked := strings.Cut(value, "/")
		if r.Mark, ok = words32(mark); ok && masked {
			r.Mask, ok = words32(mask)
		}
	case "tos", "dsfield":
		n, good := words32(value)
		r.TOS, ok = uint8(n), good && n <= 255
	default:
		return fmt.Sprintf("%q is not known in a rule here", word)
	}
	if !ok || value == "" {
		return fmt.Sprintf("%s %q cannot be read", word, value)
	}
	return ""
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
