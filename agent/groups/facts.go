package groups

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/quorate/quorate/director/keeper"
	"github.com/quorate/quorate/director/mutant"
	"github.com/quorate/quorate/director/ownership"
	"github.com/quorate/quorate/fsm"
)

// gathered is what is known at one time, for all groups.
type gathered struct {
	Now
	at      time.Time
	onTime  bool
	said    time.Time                     // when the keeper said its status
	status  map[string]keeper.GroupStatus // of those groups that it runs
	specs   map[string]fsm.Group
	members map[netip.Addr]string // who has an address as one of its own
	names   []string              // of all other members
}

func (d *Driver) gather(now time.Time) *gathered {
	status := d.cfg.Keeper.Status()
	g := &gathered{
		Now: d.cfg.Now(), at: now, onTime: d.cfg.OnTime(now) && !mutant.On(mutant.OnlyTimer), said: status.Time,
		status: map[string]keeper.GroupStatus{}, specs: map[string]fsm.Group{}, members: map[netip.Addr]string{},
	}
	for _, own := range status.Groups {
		g.status[own.Name] = own
	}
	for _, spec := range g.State.Config.Groups() {
		g.specs[spec.Name] = spec
	}
	for _, name := range slices.Sorted(maps.Keys(g.State.Members)) {
		if name != d.cfg.Self {
			g.names = append(g.names, name)
		}
		for _, a := range g.State.Members[name].Sources {
			g.members[a] = name
		}
	}
	return g
}

// facts are what is known of one group.
func (d *Driver) facts(g *gathered, spec fsm.Group) ownership.Facts {
	f := ownership.Facts{
		Self: d.cfg.Self, Group: spec.Name, Log: g.State.Groups[spec.Name], Current: g.Current, Quorum: g.Quorum,
		Ready: g.Ready && g.Fit(spec), Drains: g.Drains, OneSide: spec.Placement.OnSegmentCut == fsm.OneSide, OnTime: g.onTime, Voters: g.voters(), Groups: len(g.status),
	}
	own, runs := g.status[spec.Name]
	if runs {
		f.Keeper = g.keeper(own, spec)
	}
	for _, name := range g.names {
		m := g.Member(spec.Name, name)
		m.Joins = g.Voters != nil && !slices.Contains(g.Voters, name)
		m.Unheard, m.Unreached = d.cfg.Silence(g.State.Members[name], spec, own, g.at)
		if mutant.On(mutant.NoGuard) {
			m.Part = ownership.Absent // nor is anything settled with another owner
		}
		f.Members = append(f.Members, m)
	}
	return f
}

// voters is how many members count for a majority.
func (g *gathered) voters() int {
	if g.Voters == nil {
		return len(g.State.Members)
	}
	return len(g.Voters)
}

// Part returns what a keeper is to a group of which it says that it is in a state; [ownership.Absent] if it says
// nothing.
func Part(state string) ownership.Part {
	switch state {
	case "initialize":
		return ownership.Faulty
	case "backup":
		return ownership.Standby
	case "active":
		return ownership.Owner
	}
	return ownership.Absent
}

// keeper is what the keeper says of a group.
func (g *gathered) keeper(own keeper.GroupStatus, spec fsm.Group) ownership.Keeper {
	k := ownership.Keeper{Part: Part(own.State), Reason: own.Reason, Since: own.Since, Claims: own.Claimed}
	for i, r := range own.Routers {
		x := ownership.Router{Name: r.Name, Silent: r.Silent && !mutant.On(mutant.NoGuard), Present: r.Present}
		if r.Heard != nil {
			x.Heard, x.Age = g.members[r.Heard.Source], r.Heard.Age+g.at.Sub(g.said)
			x.Other, x.Claims, x.Resigns = x.Heard == "", ownership.IsClaim(r.Heard.Priority), r.Heard.Priority == 0
		}
		k.Routers = append(k.Routers, x)
		if i < len(spec.Routers) {
			every := spec.Routers[i].Interval
			shortest := every
			if r.Heard != nil { // the owner may not know of a change yet
				shortest, every = least(r.Heard.Interval, every), max(every, r.Heard.Interval)
			}
			k.Interval = least(k.Interval, shortest)
			k.Lifetime, k.Renewal = least(k.Lifetime, keeper.Lifetime(every)), max(k.Renewal, keeper.Renewal(every))
		}
	}
	return k
}

func least(a, b time.Duration) time.Duration {
	if a == 0 {
		return b
	}
	return min(a, b)
}

// OnLink returns those addresses that are of the family of a router's source and in its subnet here.
func OnLink(r keeper.RouterStatus, all []netip.Addr) []netip.Addr {
	var out []netip.Addr
	for _, a := range all {
		if slices.ContainsFunc(r.Subnets, func(p netip.Prefix) bool { return p.Contains(a) }) && a.Is6() == r.Source.Is6() {
			out = append(out, a)
		}
	}
	return out
}
