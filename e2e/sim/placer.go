package sim

import (
	"slices"
	"time"

	"github.com/quorate/quorate/director/ownership"
	"github.com/quorate/quorate/director/placement"
	"github.com/quorate/quorate/fsm"
)

// placer places the groups while its director leads, as the agent's does.
type placer struct {
	led    time.Duration
	leader *placement.Leader
	busy   bool // a proposal is on its way
}

func newPlacer(w *world, name string) *placer {
	return &placer{led: w.now, leader: placement.NewLeader(name, ownership.GoneAfter, w.time())}
}

// place proposes what is decided, one thing after the other.
func (c *control) place() {
	w, p := c.w, c.placer
	stood := w.now-c.ticked >= tickEvery+longStall || c.thawed != 0 && w.now-c.thawed < settleTime
	if w.now-p.led < settleTime || p.busy || stood {
		return
	}
	for _, s := range c.situations() {
		cmd := p.leader.Decide(w.time(), s)
		if cmd == nil {
			continue
		}
		w.watch.reasoned(c.h, cmd)
		p.busy = true
		c.propose(cmd, 10*time.Second, func(error) {
			p.busy = false
			c.changed()
		})
		return
	}
}

// situations is what this leader knows of every group.
func (c *control) situations() []placement.Situation {
	w := c.w
	silent := map[string]time.Duration{}
	for _, h := range w.hosts {
		if h != c.h {
			silent[h.name] = w.now - c.heard[h.index]
		}
	}
	var all []placement.Situation
	for i, name := range w.groups {
		if g, ok := c.state.Groups[name]; ok {
			all = append(all, placement.Situation{Group: name, Log: g, Placement: w.placementOf(c.state, name), Views: c.views(i)})
		}
	}
	c.placer.leader.Look(w.time(), all, silent)
	return all
}

// placementOf is a group's placement, as the configuration has it.
func (w *world) placementOf(s *fsm.State, group string) fsm.Placement {
	if g, ok := s.Config.SyncGroups[group]; ok {
		return g.Placement
	}
	return s.Config.Routers[group].Placement
}

// views is what the leader knows of each candidate for a group.
func (c *control) views(group int) []placement.View {
	var out []placement.View
	for _, h := range c.w.hosts {
		if h.witness {
			continue
		}
		v := placement.View{Name: h.name, Draining: c.state.Members[h.name].Draining, Why: "it says so"}
		if r := c.reportOf(h.index); r != nil {
			v.Alive, v.Ready = true, r.ready
			v.Draining, v.Claim, v.Unproven = v.Draining || r.leaving, r.claims[group], r.unproven[group]
			if group < len(r.groups) {
				g := r.groups[group]
				v.Active, v.Epoch = g.part == ownership.Owner, g.epoch
				if g.part == ownership.Faulty {
					v.Fault = g.reason
				}
				if m := g.hears(); m >= 0 {
					v.Hears = c.w.hosts[m].name
				}
				v.Tells = true
				if v.Claimant = r.takers[group]; g.claimed() {
					v.Claimant = v.Hears
				}
			}
			if c.unready[h.index] != 0 {
				v.Unready = c.w.now - c.unready[h.index]
			}
		}
		out = append(out, v)
	}
	return out
}

// claimed reports whether the owner is heard with the priority of a claim.
func (g groupStatus) claimed() bool {
	return slices.ContainsFunc(g.routers, func(r routerStatus) bool { return r.heard >= 0 && !r.silent && r.claims && g.part == ownership.Standby })
}

// hears returns the member that is heard as Active on every router that hears anybody, and on one at least; or -1.
func (g groupStatus) hears() int {
	member := -1
	for _, r := range g.routers {
		if r.heard < 0 || r.silent || g.part != ownership.Standby {
			continue
		}
		if member >= 0 && r.heard != member {
			return -1
		}
		member = r.heard
	}
	return member
}
