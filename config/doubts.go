package config

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/quorate/quorate/fsm"
)

// doubts warns of what is allowed but hardly meant.
func (v *validator) doubts(c fsm.Config) {
	l := layoutOf(c)
	for name, s := range c.Services.All() {
		o := v.thing("services", "service", name)
		o.weights(s)
		o.wayBack(s, l)
		for i, server := range s.Servers {
			if router, ok := l.holder[server.Address.Addr()]; ok {
				child := o.part("servers", i, "server "+formatEndpoint(server.Address))
				child.doubt(".address", "a real server has an address of its own, which does not move", "is a virtual address of router %q", router)
			}
		}
		for i, check := range s.Checks {
			child := o.part("checks", i, fmt.Sprintf("check %q", check.Kind))
			child.probedPort(s, check)
		}
	}
	for name, t := range sorted(c.Tracks) {
		interval := t.Interval
		orDefault(&interval, trackInterval(t.Kind))
		if t.Kind == fsm.TrackScript && t.Timeout > interval {
			v.thing("tracks", "track", name).doubt(".timeout",
				fmt.Sprintf("make the timeout %s at most, or the interval %s at least", formatDuration(interval), formatDuration(t.Timeout)),
				"timeout %s is longer than interval %s: a run that hangs takes the place of the next", formatDuration(t.Timeout), formatDuration(interval))
		}
	}
	v.contradictions(c, l.groups)
}

// layout is which router has which addresses, and which routers move together.
type layout struct {
	holder map[netip.Addr]string
	groups map[string]string                  // by router
	nets   map[netip.Prefix]map[string]string // networks of routers' addresses: in each, one router of every group
	bits   []int                              // the lengths of those networks
}

func layoutOf(c fsm.Config) layout {
	l := layout{make(map[netip.Addr]string), make(map[string]string), make(map[netip.Prefix]map[string]string), nil}
	for name, g := range sorted(c.SyncGroups) {
		for _, r := range g.Routers {
			l.groups[r] = name
		}
	}
	for name, r := range sorted(c.Routers) {
		orSet(l.groups, name, name)
		for _, p := range r.Virtual() {
			if !p.IsValid() {
				continue
			}
			l.holder[p.Addr()] = name
			net := p.Masked()
			if l.nets[net] == nil {
				l.nets[net] = make(map[string]string)
			}
			orSet(l.nets[net], l.groups[name], name)
			if !slices.Contains(l.bits, p.Bits()) {
				l.bits = append(l.bits, p.Bits())
			}
		}
	}
	return l
}

// orSet sets what is not set.
func orSet(m map[string]string, key, value string) {
	if _, ok := m[key]; !ok {
		m[key] = value
	}
}

// inside returns a router with an address in the same network as a: one of the group if there is one, else the first by
// name. Together is true for one of the group.
func (l layout) inside(a netip.Addr, group string) (router string, together bool) {
	for _, bits := range l.bits {
		p, err := a.Prefix(bits)
		if err != nil {
			continue // of the other family
		}
		if r, ok := l.nets[p][group]; ok {
			return r, true
		}
		for _, r := range sorted(l.nets[p]) {
			if router == "" || r < router {
				router = r
			}
		}
	}
	return router, false
}

// weights warns of weights to which the scheduler pays no attention, and of those that leave no server.
func (o object) weights(s fsm.Service) {
	if len(s.Servers) == 0 {
		return
	}
	zero, unlike := true, false
	for _, server := range s.Servers {
		zero = zero && server.Weight == 0
		unlike = unlike || server.Weight != s.Servers[0].Weight && server.Weight != 0 && s.Servers[0].Weight != 0
	}
	better := map[string]string{"rr": "wrr", "lc": "wlc"}[s.Scheduler]
	switch {
	case zero:
		o.doubt(".servers", "give one a weight above 0", "all servers have weight 0, so that no new connection is served")
	case unlike && better != "":
		o.doubt(".scheduler", fmt.Sprintf("write %q", better), "the weights differ, and %s pays no attention to them", s.Scheduler)
	}
}

// wayBack warns of NAT where answers would not come back through the director that owns the service. It says nothing of an
// address that no router holds: it comes to the directors in another way, and so may the answers.
func (o object) wayBack(s fsm.Service, l layout) {
	outside, held := l.holder[s.Address.Addr()]
	if !held {
		return
	}
	for i, server := range s.Servers {
		forward := s.Forward
		if server.Forward != "" {
			forward = server.Forward
		}
		if forward != fsm.NAT || !server.Address.IsValid() {
			continue
		}
		field, a := fmt.Sprintf(".servers[%d]", i), server.Address.Addr()
		inside, together := l.inside(a, l.groups[outside])
		switch {
		case together:
			continue
		case inside == "":
			o.lacks(field, "add a router with an address there, in one sync group with "+outside+", and make that address the servers' gateway",
				"nat, and no router has an address in the network of server %s: its answers would not come back through the owner", a)
		default:
			o.lacks(field, fmt.Sprintf("add sync_group %q { routers = [%q, %q] }", "gateway", outside, inside),
				"nat, and routers %q and %q can have two owners: answers of server %s would not come back through the service's", outside, inside, a)
		}
		return // once is enough
	}
}

// probedPort warns of a check that speaks TLS to the port of plain HTTP, or the other way round.
func (o object) probedPort(s fsm.Service, c fsm.Check) {
	for _, server := range s.Servers {
		port := c.Port
		if port == 0 {
			port = server.Address.Port()
		}
		switch {
		case c.Kind == fsm.CheckHTTPS && port == 80:
			o.doubt("", `use check "http", or port = 443`, "https on port 80, where servers speak http")
			return
		case c.Kind == fsm.CheckHTTP && port == 443:
			o.doubt("", `use check "https", or port = 80`, "http on port 443, where servers speak https")
			return
		}
	}
}

// contradictions warns of groups that no director can ever own, since they require a track both to pass and to fail.
func (v *validator) contradictions(c fsm.Config, groups map[string]string) {
	type need struct {
		group, track string
		reverse      bool
	}
	seen := make(map[need]bool)
	look := func(o object, group string, n fsm.Needs) {
		for i, u := range n.Uses {
			if !u.Require {
				continue
			}
			seen[need{group, u.Track, u.Reverse}] = true
			if seen[need{group, u.Track, !u.Reverse}] {
				o.part("needs.uses", i, describeUse(u)).doubt("",
					"leave one of them out", "track %q must pass and must fail, so that nobody can ever own %q", u.Track, group)
			}
		}
	}
	for name, g := range sorted(c.SyncGroups) {
		look(v.thing("sync_groups", "sync_group", name), name, g.Needs)
	}
	for name, r := range sorted(c.Routers) {
		look(v.thing("routers", "router", name), groups[name], r.Needs)
	}
}
