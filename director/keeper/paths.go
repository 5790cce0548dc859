package keeper

import (
	"slices"
	"time"

	"github.com/quorate/quorate/director/address"
)

// path is one route or one rule.
type path struct {
	route address.Route
	rule  address.Rule
}

func pathsIn(p address.Paths) []path {
	out := make([]path, 0, len(p.Routes)+len(p.Rules))
	for _, r := range p.Routes {
		out = append(out, path{route: r})
	}
	for _, r := range p.Rules {
		out = append(out, path{rule: r})
	}
	return out
}

func pathsOf(ps []path) (out address.Paths) {
	for _, p := range ps {
		if p.route != (address.Route{}) {
			out.Routes = append(out.Routes, p.route)
		} else {
			out.Rules = append(out.Rules, p.rule)
		}
	}
	return out
}

// withPaths has a call of routes and rules take them as together gives them.
func withPaths(f func(address.Paths) error) func([]path) error {
	return func(ps []path) error { return f(pathsOf(ps)) }
}

// allPaths are those of all routers that are wanted.
func allPaths(wants map[identity]want) (out address.Paths) {
	for _, v := range wants {
		out.Routes = append(out.Routes, v.paths.Routes...)
		out.Rules = append(out.Rules, v.paths.Rules...)
	}
	return out
}

// dropPaths removes the routes and rules of routers that are not wanted any more, before their addresses
// go. It returns those with which that failed, which keeps no address.
func (w *worker) dropPaths(gone []identity, wants map[identity]want) map[identity]error {
	failed := map[identity]error{}
	gone = slices.DeleteFunc(slices.Clone(gone), func(id identity) bool { return w.have[id].paths.Empty() })
	if len(gone) == 0 {
		return failed
	}
	kept := allPaths(wants)
	surplus := func(id identity) []path { return pathsIn(w.have[id].paths.Beyond(kept)) }
	together(gone, surplus, withPaths(w.host.RemovePaths), func(id identity, err error) {
		if err != nil {
			failed[id] = err
			return
		}
		w.have[id].paths = address.Paths{}
	})
	return failed
}

// lookPaths finds what somebody else removed of a router's routes and rules. A router whose addresses
// lapsed does not come here.
func (p *pass) lookPaths(t *task) {
	if t.h.paths.Empty() {
		return
	}
	if p.paths == nil {
		paths, err := p.worker.host.Paths()
		if err != nil {
			p.failPaths(t, err)
			t.h.check = 0 // and again then
			return
		}
		p.paths = &paths
	}
	t.lost = p.paths.Lacks(t.h.paths)
	t.h.paths = t.h.paths.Beyond(t.lost)
}

// removePaths removes what a router does not want any more, and no other does.
func (p *pass) removePaths() {
	tasks := slices.DeleteFunc(p.rest(), func(t *task) bool {
		return t.h.pathRetry.After(p.now) || t.h.paths.Beyond(t.v.paths).Empty()
	})
	if len(tasks) == 0 {
		return
	}
	kept := allPaths(p.wants)
	surplus := func(t *task) []path { return pathsIn(t.h.paths.Beyond(kept)) }
	together(tasks, surplus, withPaths(p.worker.host.RemovePaths), func(t *task, err error) {
		if err != nil {
			p.failPaths(t, err)
			return
		}
		t.h.paths = t.h.paths.Beyond(t.h.paths.Beyond(t.v.paths))
	})
}

// renewPaths adds what is missing, after the addresses, and renews all with them. What cannot be added is
// tried again, and stops neither announcements nor the care of the addresses.
func (p *pass) renewPaths() {
	due := func(t *task) []path {
		if t.renewed {
			return pathsIn(t.v.paths)
		}
		return pathsIn(t.h.paths.Lacks(t.v.paths))
	}
	lifetimes := map[time.Duration][]*task{}
	for _, t := range p.rest() {
		switch {
		case t.h.pathRetry.After(p.now):
		case len(due(t)) == 0:
			t.pathsWell()
		default:
			lifetimes[t.v.lifetime] = append(lifetimes[t.v.lifetime], t)
		}
	}
	for lifetime, tasks := range lifetimes {
		renew := func(ps address.Paths) error { return p.worker.host.RenewPaths(ps, lifetime) }
		together(tasks, due, withPaths(renew), func(t *task, err error) {
			if err != nil {
				p.failPaths(t, err)
				return
			}
			t.h.paths = t.v.paths
			t.pathsWell()
		})
	}
}

func (t *task) pathsWell() {
	t.pathNews = t.pathNews || t.h.pathError != ""
	t.h.pathError, t.h.pathRetry = "", time.Time{}
}

// failPaths notes an error of the kernel about a router's routes or rules.
func (p *pass) failPaths(t *task, err error) {
	t.h.pathRetry = p.now.Add(retryAfter)
	if text := err.Error(); text != t.h.pathError {
		t.h.pathError, t.pathNews = text, true
		p.worker.log.Error("keep routes and rules", "router", t.id, "err", text)
	}
}
