package keepalived

import (
	"net/netip"

	"github.com/quorate/quorate/fsm"
)

// origin is what of a file a service was made of. Whether that is in the cluster file shows when all that cannot be is out of it.
type origin struct {
	*virtualServer
	name    string // of the service
	target  Place
	servers []serverOrigin
	sorry   netip.AddrPort
	sources []source
}

type serverOrigin struct {
	*realServer
	at netip.AddrPort // in the service
}

// source is what of a file a check was made of.
type source struct {
	c     *checker
	p     *page // nil: it is no page's
	check fsm.Check
	asks  string // its question
	how   probing
	host  Place // where its host is said
}

// places are those of a source, the smallest part last.
func (s source) places() []Place {
	if s.p == nil {
		return []Place{s.c.Place}
	}
	return []Place{s.c.Place, s.p.Place}
}

// came returns the places of all virtual servers, lines of their groups, real servers, checks and pages of a host that came
// into some services of a cluster file, and of what is said about these checks.
func (m *model) came(c fsm.Config) map[Place]bool {
	all := make(map[Place]bool)
	for _, o := range m.origins {
		s, ok := c.Services.Lookup(o.name)
		if !ok {
			continue
		}
		all[o.Place], all[o.target] = true, true
		if g := m.host.lists[o.list]; g != nil {
			all[g.Place] = true
		}
		there := make(map[netip.AddrPort]bool)
		for _, f := range s.Servers {
			there[f.Address] = true
		}
		for _, r := range o.servers {
			all[r.Place] = all[r.Place] || there[r.at]
		}
		if o.virtualServer.sorry != nil && s.Fallback != nil && s.Fallback.Address == o.sorry {
			all[o.virtualServer.sorry.Place] = true
		}
		var asked []string
		for _, c := range s.Checks {
			asked = append(asked, question(c))
		}
		for _, from := range o.sources {
			from.came(s.Checks, asked, all)
		}
	}
	return all
}

// came adds the places of a source that are in one of some checks: where it is said what that asks, and when.
func (s source) came(checks []fsm.Check, asked []string, all map[Place]bool) {
	for i, c := range checks {
		if asked[i] != s.asks && asked[i] != connects {
			continue
		}
		all[s.how.loopAt] = all[s.how.loopAt] || c.Interval == s.check.Interval
		all[s.how.timeoutAt] = all[s.how.timeoutAt] || c.Timeout == s.check.Timeout
		all[s.how.retryAt] = all[s.how.retryAt] || c.Fall == s.check.Fall
		if asked[i] != s.asks {
			continue // a connection stands for it
		}
		for _, at := range append(s.places(), s.host) {
			all[at] = true
		}
	}
}

// part is where a part of a service comes from, and what it is there.
func (o origin) part(s fsm.Service, field string, index int) (Place, string, bool) {
	switch field {
	case "servers":
		for _, r := range o.servers {
			if index >= 0 && index < len(s.Servers) && s.Servers[index].Address == r.at {
				return r.Place, in(inService, inServer), true
			}
		}
	case "checks":
		for _, from := range o.sources {
			if index < 0 || index >= len(s.Checks) || question(s.Checks[index]) != from.asks {
				continue
			}
			if from.p != nil {
				return from.p.Place, in(from.c.word, "url"), true
			}
			return from.c.Place, in(inServer, from.c.word), true
		}
	case "fallback", "fallback.address":
		if o.virtualServer.sorry != nil {
			return o.virtualServer.sorry.Place, in(inService, "sorry_server"), true
		}
	}
	return Place{}, "", false
}
