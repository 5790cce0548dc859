package address

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// RouteType says what a route does with a packet.
type RouteType string

// The types of routes. The zero value is Unicast.
const (
	Unicast     RouteType = "unicast"
	Blackhole   RouteType = "blackhole"
	Unreachable RouteType = "unreachable"
	Prohibit    RouteType = "prohibit"
)

// Route is one route that goes with the ownership of addresses. Values are comparable. What is zero is
// what the kernel takes by itself.
type Route struct {
	Destination netip.Prefix `json:"destination"`
	Type        RouteType    `json:"type,omitempty"`
	Via         netip.Addr   `json:"via,omitzero"` // may be IPv6 for an IPv4 destination
	Interface   string       `json:"interface,omitempty"`
	OnLink      bool         `json:"onlink,omitempty"` // Via is a neighbour though no route says so
	Source      netip.Addr   `json:"source,omitzero"`  // of the host's own connections that take it
	Table       uint32       `json:"table,omitempty"`
	Metric      uint32       `json:"metric,omitempty"`
	Scope       string       `json:"scope,omitempty"` // global, site, link or host; IPv4 only
	TOS         uint8        `json:"tos,omitempty"`   // IPv4 only
	MTU         uint32       `json:"mtu,omitempty"`
	MTULock     bool         `json:"mtu_lock,omitempty"`
	AdvMSS      uint32       `json:"advmss,omitempty"`
	HopLimit    uint32       `json:"hoplimit,omitempty"`
	InitCwnd    uint32       `json:"initcwnd,omitempty"`
	InitRwnd    uint32       `json:"initrwnd,omitempty"`
	Window      uint32       `json:"window,omitempty"`
}

// Rule is one policy rule that goes with the ownership of addresses. Values are comparable.
type Rule struct {
	// Priority is required: it is what tells rules apart, and the kernel's own choice is another one
	// each time.
	Priority uint32       `json:"priority"`
	V6       bool         `json:"v6,omitempty"` // of IPv6; not needed where From or To says so
	Not      bool         `json:"not,omitempty"`
	From     netip.Prefix `json:"from,omitzero"`
	To       netip.Prefix `json:"to,omitzero"`
	In       string       `json:"iif,omitempty"`
	Out      string       `json:"oif,omitempty"`
	Mark     uint32       `json:"fwmark,omitempty"`
	Mask     uint32       `json:"fwmask,omitempty"`
	TOS      uint8        `json:"tos,omitempty"`
	Type     RouteType    `json:"type,omitempty"` // Unicast looks the Table up
	Table    uint32       `json:"table,omitempty"`
}

// Paths are routes and rules.
type Paths struct {
	Routes []Route
	Rules  []Rule
}

// Empty reports whether there is none.
func (p Paths) Empty() bool { return len(p.Routes) == 0 && len(p.Rules) == 0 }

// Lacks returns those of want that are not in p, in the order of want. What want leaves to the kernel
// may be anything.
func (p Paths) Lacks(want Paths) Paths {
	var out Paths
	for _, r := range want.Routes {
		if !slices.ContainsFunc(p.Routes, r.covers) {
			out.Routes = append(out.Routes, r)
		}
	}
	for _, r := range want.Rules {
		if !slices.ContainsFunc(p.Rules, r.covers) {
			out.Rules = append(out.Rules, r)
		}
	}
	return out
}

// Beyond returns those of p that none of want is.
func (p Paths) Beyond(want Paths) Paths {
	return Paths{
		Routes: slices.DeleteFunc(slices.Clone(p.Routes), func(have Route) bool {
			return slices.ContainsFunc(want.Routes, func(w Route) bool { return w.covers(have) })
		}),
		Rules: slices.DeleteFunc(slices.Clone(p.Rules), func(have Rule) bool {
			return slices.ContainsFunc(want.Rules, func(w Rule) bool { return w.covers(have) })
		}),
	}
}

const (
	tableMain     = 254
	metricIPv6    = 1024 // of a route whose metric is not given
	maskAll       = 1<<32 - 1
	scopeUniverse = "global"
	scopeLink     = "link"
)

func (r Route) v6() bool { return r.Destination.Addr().Is6() }

// canonical fills in what the kernel takes where nothing is said.
func (r Route) canonical() Route {
	r.Destination = r.Destination.Masked()
	if r.Type == "" {
		r.Type = Unicast
	}
	if r.Table == 0 {
		r.Table = tableMain
	}
	switch {
	case r.v6():
		r.Scope = ""
		if r.Metric == 0 {
			r.Metric = metricIPv6
		}
	case r.Scope == "" && r.Type == Unicast && !r.Via.IsValid():
		r.Scope = scopeLink
	case r.Scope == "":
		r.Scope = scopeUniverse
	}
	return r
}

// covers reports whether a route of the kernel is what r asks for.
func (r Route) covers(have Route) bool {
	r, have = r.canonical(), have.canonical()
	if r.Interface == "" {
		have.Interface = ""
	}
	r.OnLink, have.OnLink = false, false // the kernel tells it of some routes only
	return r == have
}

// place is what the kernel keeps one route of.
func (r Route) place() Route {
	r = r.canonical()
	return Route{Destination: r.Destination, Table: r.Table, Metric: r.Metric, TOS: r.TOS}
}

func (r Rule) v6() bool { return r.V6 || r.From.Addr().Is6() || r.To.Addr().Is6() }

// canonical fills in what the kernel takes where nothing is said, and leaves out what says nothing.
func (r Rule) canonical() Rule {
	r.V6 = r.v6()
	for _, p := range []*netip.Prefix{&r.From, &r.To} {
		if *p = p.Masked(); p.Bits() <= 0 {
			*p = netip.Prefix{}
		}
	}
	if r.Type == "" {
		r.Type = Unicast
	}
	if r.Mark != 0 && r.Mask == 0 {
		r.Mask = maskAll
	}
	if r.Table == 0 && r.Type == Unicast {
		r.Table = tableMain
	}
	return r
}

func (r Rule) covers(have Rule) bool { return r.canonical() == have.canonical() }

// Validate reports what is wrong with a route.
func (r Route) Validate() error {
	a := r.Destination.Addr()
	switch {
	case !r.Destination.IsValid() || a.Is4In6() || a.Zone() != "":
		return fmt.Errorf("route %s: no destination", r)
	case r.numbers() == nil:
		return fmt.Errorf("route %s: type %q, want unicast, blackhole, unreachable or prohibit", r, r.Type)
	case r.Type != Unicast && r.Type != "" && (r.Via.IsValid() || r.Interface != "" || r.OnLink):
		return fmt.Errorf("route %s: a %s route goes nowhere", r, r.Type)
	case (r.Type == Unicast || r.Type == "") && !r.Via.IsValid() && r.Interface == "":
		return fmt.Errorf("route %s: neither via nor interface", r)
	case r.Via.IsValid() && r.v6() && !r.Via.Is6() || r.Via.Zone() != "" || r.Via.Is4In6():
		return fmt.Errorf("route %s: via %s is not of its family", r, r.Via)
	case r.Source.IsValid() && (r.Source.Is6() != r.v6() || r.Source.Zone() != ""):
		return fmt.Errorf("route %s: source %s is not of its family", r, r.Source)
	case r.v6() && (r.Scope != "" && r.Scope != scopeUniverse || r.TOS != 0):
		return fmt.Errorf("route %s: IPv6 routes have neither scope nor tos", r)
	case r.Scope != "" && !slices.ContainsFunc(scopes, func(s scope) bool { return s.name == r.Scope }):
		return fmt.Errorf("route %s: scope %q, want global, site, link or host", r, r.Scope)
	}
	return nil
}

// Validate reports what is wrong with a rule.
func (r Rule) Validate() error {
	for _, p := range []netip.Prefix{r.From, r.To} {
		if p.IsValid() && (p.Addr().Is6() != r.v6() || p.Addr().Is4In6()) {
			return fmt.Errorf("rule %s: %s is not of its family", r, p)
		}
	}
	switch {
	case r.Priority == 0:
		return fmt.Errorf("rule %s: no priority", r)
	case ruleAction(r.Type) == 0:
		return fmt.Errorf("rule %s: type %q, want unicast, blackhole, unreachable or prohibit", r, r.Type)
	case r.Mask != 0 && r.Mark&^r.Mask != 0:
		return fmt.Errorf("rule %s: the mark has bits that the mask has not", r)
	}
	return nil
}

// Validate reports all that is wrong, two routes of which the kernel keeps one included.
func (p Paths) Validate() error {
	var errs []error
	seen := map[Route]bool{}
	for _, r := range p.Routes {
		err := r.Validate()
		if err == nil && seen[r.place()] {
			err = fmt.Errorf("route %s: another one has its destination, table and metric", r)
		}
		if r.Destination.IsValid() {
			seen[r.place()] = true
		}
		errs = append(errs, err)
	}
	rules := map[Rule]bool{}
	for _, r := range p.Rules {
		err := r.Validate()
		if err == nil && rules[r.canonical()] {
			err = fmt.Errorf("rule %s is there twice", r)
		}
		rules[r.canonical()] = true
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// words joins what there is, in the form of the ip command.
func words(pairs ...any) string {
	var out []string
	for i := 0; i+1 < len(pairs); i += 2 {
		switch v := fmt.Sprint(pairs[i+1]); v {
		case "", "0", "invalid IP", "invalid Prefix", "false":
		case "true":
			out = append(out, pairs[i].(string))
		default:
			out = append(out, strings.TrimSpace(pairs[i].(string)+" "+v))
		}
	}
	return strings.Join(out, " ")
}

// String returns the route as the ip command writes it.
func (r Route) String() string {
	kind := ""
	if r.Type != Unicast {
		kind = string(r.Type)
	}
	return words("", kind, "", r.Destination, "via", r.Via, "dev", r.Interface, "onlink", r.OnLink, "src", r.Source,
		"table", r.Table, "metric", r.Metric, "scope", r.Scope, "tos", r.TOS, "mtu", r.MTU)
}

// String returns the rule as the ip command writes it.
func (r Rule) String() string {
	from, mark := "all", ""
	if r.From.IsValid() {
		from = r.From.String()
	}
	if r.Mark != 0 || r.Mask != 0 {
		mark = fmt.Sprintf("%#x/%#x", r.Mark, r.canonical().Mask)
	}
	kind := ""
	if r.Type != Unicast {
		kind = string(r.Type)
	}
	return fmt.Sprintf("%d: ", r.Priority) + words("not", r.Not, "from", from, "to", r.To, "iif", r.In, "oif", r.Out,
		"fwmark", mark, "tos", r.TOS, "lookup", r.Table, "", kind)
}
