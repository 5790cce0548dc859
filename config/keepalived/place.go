package keepalived

import (
	"fmt"
	"maps"
	"slices"
	"time"

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
		best, scores, hold := rank{}, make(map[string]int), time.Duration(0)
		owner := ""
		for _, h := range p.hosts {
			r, ok := ranks[h.name]
			if !ok {
				continue
			}
			scores[h.name] = min(254, r.priority)
			hold = max(hold, r.hold)
			if r.priority > best.priority {
				best = r
			}
			if r.priority == 255 && owner == "" {
				owner = h.name
			}
		}
		p.tellRanks(group, ranks)
		alone := len(p.hosts) == 1
		placement := fsm.Placement{}
		if !alone {
			placement.Scores = scores
		}
		moves := !best.stays && (!alone || p.weighed(group))
		if moves {
			placement.Policy = fsm.Score
			if hold != fsm.Score.DefaultHold() {
				placement.Hold = hold
			}
		}
		p.set(group, placement, owner)
	}
	p.tellStates()
	p.tellPreempts()
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
	for _, h := range p.hosts {
		r, ok := ranks[h.name]
		if !ok {
			continue
		}
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
	text := "`director` with `score`: the cluster places the group by it"
	if len(slices.Compact(slices.Clone(values))) == 1 {
		text = "the same score: it stays with whom it is, where keepalived takes the higher address"
	}
	p.differ("group "+group+": priority and state", values, hosts, places, text)
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
				fate, text := p.stayed(i, routers[0])
				p.notes.Instead(fate, at, inVRRP+" nopreempt", "%s", text)
			}
			if at, ok := i.at["preempt_delay"]; ok {
				fate, text := p.delayed(i, routers[0])
				p.notes.Instead(fate, at, inVRRP+" preempt_delay", "%s", text)
			}
		}
	}
}

// stayed says what became of nopreempt.
func (p *pair) stayed(i *instance, r fsm.Router) (Fate, string) {
	switch {
	case i.state == "MASTER":
		return Carried, "nothing: with `state MASTER` it does not count, as in keepalived"
	case !i.stays():
		return Carried, "nothing: it does not count for the owner of the addresses, or with a preempt behind it, as in keepalived"
	case !r.NoPreempt:
		return Dropped, "on " + p.base.host.name + " it is not so, and that counts for all directors"
	case p.placement(r).Policy == fsm.Score:
		return Differs, "`preempt = false`, and `placement \"score\"` all the same: the host with the highest priority, or another instance of the group, has it not"
	}
	return Carried, "`preempt = false`, and no `placement \"score\"`"
}

// delayed says what became of preempt_delay.
func (p *pair) delayed(i *instance, r fsm.Router) (Fate, string) {
	scored := p.placement(r).Policy == fsm.Score
	switch {
	case i.state == "MASTER":
		return Carried, "nothing: with `state MASTER` it does not count, as in keepalived"
	case i.stays():
		return Carried, "nothing: with nopreempt it does not count, as in keepalived"
	case i.preempt == 0:
		return Carried, "the default"
	case r.PreemptDelay != i.delay() && !scored:
		return Dropped, "on " + p.base.host.name + " it is another, and that counts for all directors"
	case scored:
		return Carried, "`preempt_delay`, and in `hold` of `placement \"score\"`, which is the longest of the hosts'"
	}
	return Carried, "`preempt_delay`"
}

// placement is that of the group that a router is in.
func (p *pair) placement(r fsm.Router) fsm.Placement {
	if group, ok := p.base.groupOf()[r.Name]; ok {
		return p.base.config.SyncGroups[group].Placement
	}
	return r.Placement
}
