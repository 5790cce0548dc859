package keepalived

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/fsm"
)

// remember keeps what each host says of its own place, by the groups that there are in the end: a group that only this host
// has may be a part of one of them.
func (p *pair) remember(m *model) {
	groups := p.base.groupOf()
	for _, name := range slices.Sorted(maps.Keys(m.ranks)) {
		r, group := m.ranks[name], name
		routers := []string{name}
		if g, ok := m.config.SyncGroups[name]; ok {
			routers = g.Routers
		}
		if _, ok := p.base.config.SyncGroups[name]; !ok {
			for _, router := range routers {
				if groups[router] != "" {
					group = groups[router]
					break
				}
			}
		}
		if p.ranks[group] == nil {
			p.ranks[group] = make(map[string]rank)
		}
		if _, ok := p.ranks[group][m.host.name]; ok {
			p.notes.Differs(r.Place, inVRRP+" priority", "%d: a sync group has one score of each host", r.priority)
			continue
		}
		p.ranks[group][m.host.name] = r
	}
}

// place says where each group is to be.
func (p *pair) place() {
	for _, group := range slices.Sorted(maps.Keys(p.ranks)) {
		ranks := p.ranks[group]
		best, scores := rank{}, make(map[string]int)
		var leads []*model // of the hosts that take the group back from the others: what they say of how counts
		owner := ""
		for k, h := range p.hosts {
			r, ok := ranks[h.name]
			if !ok {
				continue
			}
			scores[h.name] = min(254, r.priority)
			switch {
			case r.priority > best.priority:
				best, leads = r, p.models[k:k+1]
			case r.priority == best.priority:
				best, leads = best.with(r), append(slices.Clone(leads), p.models[k])
			}
			if r.priority == 255 && owner == "" {
				owner = h.name
			}
		}
		p.tellRanks(group, ranks)
		p.lead(group, leads)
		alone := len(p.hosts) == 1
		placement := fsm.Placement{}
		if !alone {
			placement.Scores = scores
		}
		moves := !best.stays && (!alone || p.weighed(group))
		if moves {
			placement.Policy = fsm.Score
			if best.hold != fsm.Score.DefaultHold() {
				placement.Hold = best.hold
			}
		}
		p.set(group, placement, owner)
	}
	p.tellStates()
	p.tellPreempts()
}

// lead sets whether and when the routers of a group are taken back, as those hosts say that take them back.
func (p *pair) lead(group string, leads []*model) {
	names := []string{group}
	if g, ok := p.base.config.SyncGroups[group]; ok {
		names = g.Routers
	}
	for _, name := range names {
		var have []*model // of them
		r := p.base.config.Routers[name]
		for _, m := range leads {
			o, ok := m.config.Routers[name]
			switch {
			case !ok:
				continue
			case len(have) == 0:
				r.NoPreempt, r.PreemptDelay = o.NoPreempt, o.PreemptDelay
			default:
				r.NoPreempt, r.PreemptDelay = r.NoPreempt && o.NoPreempt, max(r.PreemptDelay, o.PreemptDelay)
			}
			have = append(have, m)
		}
		p.tellLead(name, have) // before the first host's is another
		if len(have) > 0 {
			p.base.config.Routers[name] = r
			p.leads[name] = have
		}
	}
}

// tellLead tells where hosts say differently whether and when a router is taken back; leads are those of whom it counts.
func (p *pair) tellLead(name string, leads []*model) {
	var hosts []*host
	var places []Place
	var whether, when []string
	for _, m := range p.models {
		if r, ok := m.config.Routers[name]; ok {
			hosts, places = append(hosts, m.host), append(places, m.places[thing{config.KindRouter, name}])
			whether, when = append(whether, strconv.FormatBool(!r.NoPreempt)), append(when, strconv.Quote(r.PreemptDelay.String()))
		}
	}
	tell := func(what string, values []string, text string) {
		switch len(leads) {
		case 0:
			text = "that of " + hosts[0].name + " counts for all: it is the first that has the router, and those with the highest priority have it not"
		case 1:
			text = "that of " + leads[0].host.name + " counts for all: it takes the addresses back"
		}
		if len(slices.Compact(slices.Clone(values))) > 1 {
			p.differ("router "+name+": "+what, values, hosts, places, text)
		}
	}
	tell("preempt", whether, "false only if all say so that have the highest priority")
	tell("preempt_delay", when, "the longest of those that have the highest priority")
}

// weighed reports whether something moves the score of a group's directors.
func (p *pair) weighed(group string) bool {
	prefers := func(u fsm.Use) bool { return !u.Require }
	if g, ok := p.base.config.SyncGroups[group]; ok {
		for _, r := range g.Routers {
			if slices.ContainsFunc(p.base.config.Routers[r].Needs.Uses, prefers) {
				return true
			}
		}
		return slices.ContainsFunc(g.Needs.Uses, prefers)
	}
	return slices.ContainsFunc(p.base.config.Routers[group].Needs.Uses, prefers)
}

// set sets the placement of a group, and the owner of its addresses.
func (p *pair) set(group string, placement fsm.Placement, owner string) {
	c := p.base.config
	names := []string{group}
	if g, ok := c.SyncGroups[group]; ok {
		g.Placement = placement
		c.SyncGroups[group] = g
		names = g.Routers
	}
	for _, name := range names {
		r := c.Routers[name]
		if _, ok := c.SyncGroups[group]; !ok {
			r.Placement = placement
		}
		if owner != "" {
			r.AddressOwner, r.NoPreempt = owner, false
		}
		c.Routers[name] = r
	}
}

// tellRanks tells what became of priority and state.
func (p *pair) tellRanks(group string, ranks map[string]rank) {
	var values []string
	var places []Place
	var hosts []*host
	var scores []int
	for _, h := range p.hosts {
		r, ok := ranks[h.name]
		if !ok {
			continue
		}
		scores = append(scores, r.priority)
		text := fmt.Sprint(r.priority)
		if r.state != "" {
			text += " " + r.state
		}
		values, places, hosts = append(values, text), append(places, r.Place), append(hosts, h)
		const keyword = inVRRP + " priority"
		switch {
		case r.priority == 255:
			p.notes.Carried(r.Place, keyword, "`address_owner`, and `score` 254 of `director`")
		case len(p.hosts) == 1:
			p.notes.Differs(r.Place, keyword, "%d: whom a group prefers shows when the other host's file is imported with this one; it stands in a comment", r.priority)
			p.remarks[group] = fmt.Sprintf("Priority %d on %s. Once those of the others are known: director %q { score = %d }", r.priority, h.name, h.name, r.priority)
		default:
			p.notes.Carried(r.Place, keyword, "`score` of `director`")
		}
	}
	if len(values) < 2 {
		return
	}
	const stays = "it stays with whom it is, where keepalived takes the higher address"
	text := "`director` with `score`: the cluster places the group by it"
	switch distinct(scores) {
	case len(scores):
	case 1:
		text = "the same score: " + stays
	default:
		text += "; where scores are the same, " + stays
	}
	p.differ("group "+group+": priority and state", values, hosts, places, text)
}

// distinct is how many different numbers there are.
func distinct(numbers []int) int {
	all := make(map[int]bool)
	for _, n := range numbers {
		all[n] = true
	}
	return len(all)
}

// tellStates tells what became of each state.
func (p *pair) tellStates() {
	for _, h := range p.hosts {
		for _, i := range h.instances {
			if at, ok := i.at["state"]; ok {
				p.notes.Carried(at, inVRRP+" state", "nothing: in keepalived too it only counts with priority 255, and the cluster places groups")
			}
		}
	}
}

// tellPreempts tells what became of nopreempt and preempt_delay, which keepalived forgets where they contradict something.
func (p *pair) tellPreempts() {
	for _, m := range p.models {
		for _, i := range m.host.instances {
			var routers []fsm.Router
			for _, name := range m.routers[i.name] {
				if r, ok := p.base.config.Routers[name]; ok {
					routers = append(routers, r)
				}
			}
			if len(routers) == 0 {
				continue
			}
			if at, ok := i.at["nopreempt"]; ok {
				fate, text := p.stayed(m.host, i, routers[0])
				p.notes.Instead(fate, at, inVRRP+" nopreempt", "%s", text)
			}
			if at, ok := i.at["preempt_delay"]; ok {
				fate, text := p.delayed(m.host, i, routers[0])
				p.notes.Instead(fate, at, inVRRP+" preempt_delay", "%s", text)
			}
		}
	}
}

// stayed says what became of nopreempt.
func (p *pair) stayed(h *host, i *instance, r fsm.Router) (Fate, string) {
	switch {
	case i.state == "MASTER":
		return Carried, "nothing: with `state MASTER` it does not count, as in keepalived"
	case !i.stays():
		return Carried, "nothing: it does not count for the owner of the addresses, or with a preempt behind it, as in keepalived"
	case !r.NoPreempt:
		return Differs, p.leading(r, h, "not so")
	case p.placement(r).Policy == fsm.Score:
		return Differs, "`preempt = false`, and `placement \"score\"` all the same: another instance of the group has it not"
	}
	return Carried, "`preempt = false`, and no `placement \"score\"`"
}

// delayed says what became of preempt_delay.
func (p *pair) delayed(h *host, i *instance, r fsm.Router) (Fate, string) {
	scored := p.placement(r).Policy == fsm.Score
	switch {
	case i.state == "MASTER":
		return Carried, "nothing: with `state MASTER` it does not count, as in keepalived"
	case i.stays():
		return Carried, "nothing: with nopreempt it does not count, as in keepalived"
	case r.PreemptDelay != i.delay():
		return Differs, p.leading(r, h, "another")
	case i.preempt == 0:
		return Carried, "the default"
	case scored:
		return Carried, "`preempt_delay`, and in `hold` of `placement \"score\"`"
	}
	return Carried, "`preempt_delay`"
}

// leading says on which other host it is otherwise whether and when a router is taken back, and why that counts.
func (p *pair) leading(r fsm.Router, other *host, what string) string {
	for _, m := range p.leads[r.Name] {
		if m.host != other {
			return fmt.Sprintf("on %s it is %s, and that counts for all: it takes the addresses back", m.host.name, what)
		}
	}
	return fmt.Sprintf("on %s it is %s, and that counts for all", p.base.host.name, what)
}

// placement is that of the group that a router is in.
func (p *pair) placement(r fsm.Router) fsm.Placement {
	if group, ok := p.base.groupOf()[r.Name]; ok {
		return p.base.config.SyncGroups[group].Placement
	}
	return r.Placement
}
