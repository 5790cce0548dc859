package config

import (
	"cmp"
	"slices"

	"github.com/quorate/quorate/fsm"
)

// A key of a router, track or hook that has its default is stored as the zero value, even if it was written down. So a file that
// spells defaults out changes nothing, and the state of a cluster that is older than a key has that key's default.

// orEmpty makes a value that is its default the zero value.
func orEmpty[T comparable](v *T, def T) {
	if *v == def {
		var zero T
		*v = zero
	}
}

func canonicalRouter(r fsm.Router) fsm.Router {
	orEmpty(&r.Version, defaultVersion)
	orEmpty(&r.Checksum, defaultChecksum)
	orEmpty(&r.Refresh, defaultRefresh)
	if r.Refresh < 0 {
		r.Refresh = none
	}
	r.Addresses, r.Excluded = listed(r.Addresses), listed(r.Excluded)
	r.Peers, r.Routes, r.Rules = listed(r.Peers), listed(r.Routes), listed(r.Rules)
	for i := range r.Peers {
		orEmpty(&r.Peers[i].MinTTL, defaultTTL)
	}
	if r.Auth != nil {
		a := *r.Auth
		if a.Kind == fsm.AuthHMAC {
			orDefault(&a.KeyID, defaultKeyID)
		}
		orEmpty(&a.Key, keptKey)
		orEmpty(&a.OtherKey, keptKey)
		r.Auth = &a
	}
	for i := range r.Routes {
		orEmpty(&r.Routes[i].Type, defaultRouteType)
		orEmpty(&r.Routes[i].Table, defaultTable)
	}
	for i := range r.Rules {
		r.Rules[i] = canonicalRule(r.Rules[i])
	}
	r.Needs, r.Placement = canonicalNeeds(r.Needs), canonicalPlacement(r.Placement)
	return r
}

func canonicalRule(r fsm.Rule) fsm.Rule {
	orEmpty(&r.Type, defaultRouteType)
	orEmpty(&r.Table, defaultTable)
	if r.Mark != 0 {
		orEmpty(&r.Mask, 1<<32-1)
	}
	if r.From.Addr().Is6() || r.To.Addr().Is6() {
		r.IPv6 = false // they say it
	}
	return r
}

func canonicalGroup(g fsm.SyncGroup) fsm.SyncGroup {
	g.Routers, g.Needs, g.Placement = listed(g.Routers), canonicalNeeds(g.Needs), canonicalPlacement(g.Placement)
	return g
}

func canonicalNeeds(n fsm.Needs) fsm.Needs {
	n = fsm.Needs{Uses: listed(n.Uses), Hooks: listed(n.Hooks)}
	slices.SortStableFunc(n.Uses, func(a, b fsm.Use) int { // what is required, then what is preferred
		return cmp.Compare(useKind(b), useKind(a))
	})
	for i := range n.Hooks {
		h := &n.Hooks[i]
		h.On, h.Command = listed(h.On), listed(h.Command)
		orEmpty(&h.Timeout, defaultHookTimeout)
		if !slices.ContainsFunc(hookStates, func(s string) bool { return !slices.Contains(h.On, s) }) {
			h.On = nil // all of them
		}
	}
	return n
}

func canonicalTrack(t fsm.Track) fsm.Track {
	t.Command, t.CommandLine = listed(t.Command), listed(t.CommandLine)
	interval := trackInterval(t.Kind)
	orEmpty(&t.Interval, interval)
	orEmpty(&t.Timeout, cmp.Or(t.Interval, interval))
	for _, n := range []*int{&t.Rise, &t.Fall, &t.AtLeast} {
		orEmpty(n, defaultTrackCount)
	}
	return t
}
