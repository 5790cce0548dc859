package keepalived

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/config/imported"
	"github.com/quorate/quorate/fsm"
)

// Difference is something that the hosts say differently, or the same where that makes a difference.
type Difference struct {
	What   string   `json:"what"`   // router VI_1: priority
	Values []string `json:"values"` // of each host, in the order of the hosts
	Hosts  []string `json:"hosts"`
	Places []Place  `json:"places"` // where each says it
	Text   string   `json:"text"`   // what becomes of it
}

// String says a difference in one line.
func (d Difference) String() string {
	var places, values []string
	for i := range d.Values {
		if at := d.Places[i]; at.Line > 0 {
			places = append(places, fmt.Sprintf("%s:%d", at.File, at.Line))
		}
		values = append(values, d.Hosts[i]+" "+d.Values[i])
	}
	say := "the hosts differ"
	if len(slices.Compact(slices.Clone(d.Values))) == 1 {
		say = "the hosts say the same"
	}
	return fmt.Sprintf("%s: %s: %s: %s: %s", strings.Join(slices.Compact(places), ", "), say, d.What, strings.Join(values, ", "), d.Text)
}

// pair is what hosts that serve together come to: two, or one, or more.
type pair struct {
	hosts       []*host
	notes       *notes
	models      []*model // one of each host
	base        *model   // the first host's, with what only others have
	differences []Difference
	ranks       map[string]map[string]rank // by group and host
	leads       map[string][]*model        // of the hosts that take a router back
	remarks     map[string]string          // comments, by group
	agents      []string                   // what agent files need
}

// together brings the hosts together.
func together(hosts []*host, n *notes) *pair {
	p := &pair{
		hosts: hosts, notes: n, ranks: make(map[string]map[string]rank), leads: make(map[string][]*model), remarks: make(map[string]string),
	}
	for _, h := range hosts[1:] {
		p.align(hosts[0], h)
	}
	p.logical()
	all := factsOf(hosts)
	for _, h := range hosts {
		p.models = append(p.models, modelOf(h, all))
	}
	models := p.models
	p.base = models[0]
	for _, m := range models[1:] {
		p.merge(m)
	}
	for _, m := range models {
		p.remember(m)
	}
	p.place()
	p.foreign(models)
	return p
}

// facts are what a host's model has to know of all hosts.
type facts struct {
	ids   map[wire]claim  // whose a VRID is, where
	owned map[string]bool // instances that have priority 255 on some host
	third bool            // there are more than two hosts
}

func factsOf(hosts []*host) facts {
	f := facts{claims(hosts), make(map[string]bool), len(hosts) > 2}
	for _, h := range hosts {
		for _, i := range h.instances {
			f.owned[i.name] = f.owned[i.name] || i.rank() == 255
		}
	}
	return f
}

func (p *pair) differ(what string, values []string, hosts []*host, places []Place, text string) {
	d := Difference{What: what, Values: values, Places: places, Text: text}
	for _, h := range hosts {
		d.Hosts = append(d.Hosts, h.name)
	}
	p.differences = append(p.differences, d)
}

// logical gives a name to interfaces that are not called alike on all hosts.
func (p *pair) logical() {
	first := p.hosts[0]
	for _, i := range first.instances {
		values, places := []string{i.iface}, []Place{i.at["interface"]}
		hosts, unlike := []*host{first}, false
		for _, h := range p.hosts[1:] {
			if o := h.named[i.name]; o != nil {
				values, places, hosts = append(values, o.iface), append(places, o.at["interface"]), append(hosts, h)
				unlike = unlike || o.iface != i.iface
			}
		}
		if !unlike {
			continue
		}
		name := first.links[i.iface]
		if name == "" {
			name = strings.ToLower(imported.Named(i.name))
			name = name[:min(len(name), 12)]
			if p.anInterface(name) {
				name += "-if"
			}
		}
		text := fmt.Sprintf("`interface = %q`, and what that is in each agent file", name)
		for k, h := range hosts {
			have := h.links[values[k]]
			if have != "" && have != name {
				text = "the first host's counts: the same interface of one is two of the other"
				break
			}
			if have == name { // which was told where it was first seen
				continue
			}
			h.links[values[k]] = name
			text += fmt.Sprintf("; on %s `interfaces { %s = %q }`", h.name, name, values[k])
			p.agents = append(p.agents, fmt.Sprintf("The agent file of %s needs interfaces { %s = %q }.", h.name, name, values[k]))
		}
		p.differ("router "+i.name+": interface", values, hosts, places, text)
	}
}

// anInterface reports whether a host has an interface of that name.
func (p *pair) anInterface(name string) bool {
	for _, h := range p.hosts {
		for _, i := range h.instances {
			if i.iface == name {
				return true
			}
		}
	}
	return false
}

// merge adds what only another host has, and tells what both have and say differently.
func (p *pair) merge(m *model) {
	a, b := p.base, m
	groups := a.groupOf()
	for _, c := range config.Diff(config.WithDefaults(a.config), config.WithDefaults(b.config)) {
		top := topOf(c, a, b)
		_, inA := a.places[top]
		_, inB := b.places[top]
		at := []Place{a.places[top], b.places[top]}
		hosts := []*host{a.host, b.host}
		what := fmt.Sprintf("%s %s", c.Kind, c.Name)
		switch {
		case !inA && top.name == c.Name && c.Kind == config.KindSyncGroup && len(free(b.config.SyncGroups[c.Name].Routers, groups)) == 0:
			p.differ(what, []string{"has it not", "has it"}, hosts, at, "as on "+a.host.name+" on all: its routers are in other groups there")
		case !inA && top.name == c.Name:
			p.differ(what, []string{"has it not", "has it"}, hosts, at, "all directors have it")
		case !inB && top.name == c.Name:
			p.differ(what, []string{"has it", "has it not"}, hosts, at, "all directors have it")
		case !inA || !inB: // it is a part of what was told
		case c.Verb == config.Modify:
			for _, f := range c.Fields {
				if c.Kind == config.KindRouter && (f.Name == "preempt" || f.Name == "preempt_delay") {
					continue // not the first host counts, but the best
				}
				values := []string{f.Old, f.New}
				if f.Old == f.New { // keys, which are not shown
					values = []string{"one", "another"}
				}
				p.differ(what+": "+f.Name, values, hosts, at, "that of "+a.host.name+" counts for all")
				p.overruled(b, c, f.Name)
			}
		default:
			has := map[config.Verb][]string{config.Add: {"has it not", "has it"}, config.Remove: {"has it", "has it not"}}[c.Verb]
			p.differ(what, has, hosts, at, "as on "+a.host.name+" on all")
			p.overruled(b, c, "")
		}
	}
	p.adopt(m)
}

// adopt takes over what only another host has.
func (p *pair) adopt(m *model) {
	a := p.base
	groups := a.groupOf()
	for _, t := range m.order {
		if _, ok := a.places[t]; ok {
			continue
		}
		switch t.kind {
		case config.KindRouter:
			a.config.Routers[t.name] = m.config.Routers[t.name]
		case config.KindSyncGroup:
			g := m.config.SyncGroups[t.name]
			all := g.Routers
			g.Routers = free(all, groups)
			p.tellFree(m, t, all, groups)
			if len(g.Routers) == 0 {
				continue
			}
			a.config.SyncGroups[t.name] = g
		case config.KindTrack:
			a.config.Tracks[t.name] = m.config.Tracks[t.name]
		case config.KindService:
			a.config.Services = a.config.Services.With(t.name, m.config.Services.Of(t.name))
		}
		a.put(t.kind, t.name, m.places[t])
	}
}

// free are those of some routers that are in no group.
func free(routers []string, groups map[string]string) []string {
	return slices.DeleteFunc(slices.Clone(routers), func(r string) bool { return groups[r] != "" })
}

// tellFree tells of a group's routers that are in other groups on the first host.
func (p *pair) tellFree(m *model, t thing, routers []string, groups map[string]string) {
	at := m.places[t]
	if !slices.ContainsFunc(m.host.groups, func(g *group) bool { return g.Place == at }) {
		return // it was made of an instance
	}
	left := free(routers, groups)
	for _, r := range routers {
		switch {
		case slices.Contains(left, r):
		case len(left) == 0:
			p.notes.Dropped(at, inGroup, "%s: its routers are in other groups on %s, and that counts for all directors", t.name, p.base.host.name)
		default:
			p.notes.Differs(at, in(inGroup, "group"), "without %s, which is in %s on %s, and that counts for all directors", r, groups[r], p.base.host.name)
		}
	}
}

// groupOf returns the sync group of each router that is in one.
func (m *model) groupOf() map[string]string {
	all := make(map[string]string)
	for name, g := range m.config.SyncGroups {
		for _, r := range g.Routers {
			all[r] = name
		}
	}
	return all
}

// topOf is the block at the top level that a change is in.
func topOf(c config.Change, models ...*model) thing {
	name, _, _ := strings.Cut(c.Name, "/")
	switch c.Kind {
	case config.KindService, config.KindCheck, config.KindServer, config.KindFallback:
		return thing{config.KindService, name}
	case config.KindTrack, config.KindSyncGroup, config.KindRouter:
		return thing{c.Kind, name}
	}
	for _, m := range models {
		if t := (thing{config.KindRouter, name}); m.places[t] != (Place{}) {
			return t
		}
	}
	return thing{config.KindSyncGroup, name}
}

// foreign names the peers of unicast that are not directors. Who is one shows by unicast_src_ip alone: without it a host
// with as many peers as there are hosts, or more, has some that are none, and which they are is not known.
func (p *pair) foreign(models []*model) {
	sources := make(map[string]bool)
	for _, h := range p.hosts {
		for _, i := range h.instances {
			if i.source.IsValid() {
				sources[i.source.String()] = true
			}
		}
	}
	for _, m := range models {
		for _, name := range slices.Sorted(maps.Keys(m.peers)) {
			r, ok := p.base.config.Routers[name]
			i := m.peers[name]
			if !ok || len(i.peers) == 0 || !r.Unicast {
				continue
			}
			var unknown []string
			for _, peer := range i.peers {
				if sources[peer.Address.String()] {
					continue
				}
				unknown = append(unknown, peer.Address.String())
				known := slices.ContainsFunc(r.Peers, func(o fsm.Peer) bool { return o.Address == peer.Address })
				if !known && len(p.hosts) > 1 && len(i.peers) >= len(p.hosts) {
					peer.MinTTL = cmp.Or(peer.MinTTL, i.ttl, sendsWith(peer.Address))
					r.Peers = append(r.Peers, peer)
				}
			}
			p.base.config.Routers[name] = r
			p.tellPeers(i, unknown, len(r.Peers) > 0)
		}
	}
}

// sendsWith is the TTL of keepalived's adverts to peers, which is 64 of IPv6, as it is left to the kernel. 0 is 255.
func sendsWith(a netip.Addr) uint8 {
	if a.Is6() {
		return 64
	}
	return 0
}

// tellPeers tells what became of unicast_peer: unknown are those that are no host's unicast_src_ip.
func (p *pair) tellPeers(i *instance, unknown []string, written bool) {
	const keyword = inVRRP + " unicast_peer"
	at, list := i.at["unicast_peer"], strings.Join(unknown, ", ")
	switch {
	case len(unknown) == 0:
	case len(p.hosts) == 1:
		p.notes.Instead(Differs, at, keyword, "`unicast`; its peers are taken for directors, which know each other; add a `peer` for one that is not to be a director, and for each whose keepalived still runs while you change over")
	case !written:
		p.notes.Instead(Differs, at, keyword, "`unicast`; %s: taken for directors, which know each other; add a `peer` for one that is not to be a director, and for each whose keepalived still runs while you change over", list)
	default:
		p.notes.Instead(Differs, at, keyword, "`unicast`; %s: each is a `peer`, since no unicast_src_ip says who it is, with the TTL that it sends with as `min_ttl`, where keepalived believes any; take out those that are directors once keepalived runs nowhere", list)
	}
}
