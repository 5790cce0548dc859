package sim

import (
	"time"

	"github.com/quorate/quorate/director/ownership"
	"github.com/quorate/quorate/fsm"
)

// placer places the groups while its director leads, as the agent's does. What it remembers ends with that.
type placer struct {
	led     time.Duration
	intents map[string]intentSeen
	dropped map[string]time.Duration
	ordered map[string]time.Duration
	wishes  ownership.Wishes
	busy    bool // a proposal is on its way
}

type intentSeen struct {
	epoch uint64
	at    time.Duration
}

func newPlacer(now time.Duration) *placer {
	return &placer{led: now, intents: map[string]intentSeen{}, dropped: map[string]time.Duration{}, ordered: map[string]time.Duration{}}
}

// place proposes what [ownership.Place] decides, one thing after the other.
func (c *control) place() {
	w, p := c.w, c.placer
	if w.now-p.led < settleTime || p.busy {
		return
	}
	for _, s := range c.situations() {
		cmd, name := command(ownership.Place(s)), s.Group
		_, move := cmd.(fsm.SetIntent)
		_, order := cmd.(fsm.SetOrder)
		switch {
		case cmd == nil, move && w.within(p.dropped, name, moveAgain), order && w.within(p.ordered, name, reportEvery):
			continue
		case order:
			p.ordered[name] = w.now
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

func (w *world) within(of map[string]time.Duration, name string, d time.Duration) bool {
	at, ok := of[name]
	return ok && w.now-at < d
}

// situations is what this leader knows of every group.
func (c *control) situations() []ownership.Situation {
	w := c.w
	silent := map[string]time.Duration{}
	for _, h := range w.hosts {
		if h != c.h {
			silent[h.name] = w.now - c.heard[h.index]
		}
	}
	var all []ownership.Situation
	var shares []ownership.Share
	for i, name := range w.groups {
		g, ok := c.state.Groups[name]
		if !ok {
			continue
		}
		s := ownership.Situation{
			Group: name, Log: g, Placement: w.placementOf(c.state, name), Leader: c.h.name,
			Sound: ownership.Sound(silent, c.h.name, g.Owner, w.now-c.placer.led),
			Age:   c.intentAge(name, g), Views: c.views(i),
		}
		for j := range s.Views {
			v := &s.Views[j]
			v.Silent, v.Score = silent[v.Name], v.Score+s.Placement.Scores[v.Name]
		}
		all, shares = append(all, s), append(shares, ownership.ShareOf(s))
	}
	load, plan := ownership.Loads(shares), ownership.Spread(shares)
	for i := range all {
		s := &all[i]
		s.Load, s.Spread = load, plan[s.Group]
		s.Wished = c.placer.wishes.Look(s.Group, s.Log.Epoch, ownership.Wished(*s), w.time())
	}
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
func (c *control) views(group int) []ownership.View {
	var out []ownership.View
	for _, h := range c.w.hosts {
		if h.witness {
			continue
		}
		v := ownership.View{Name: h.name, Draining: c.state.Members[h.name].Draining, Why: "it says so"}
		if r := c.reportOf(h.index); r != nil {
			v.Alive, v.Ready = true, r.ready
			v.Draining, v.Claim = v.Draining || r.leaving, r.claims[group]
			if group < len(r.groups) {
				g := r.groups[group]
				v.Active, v.Epoch = g.part == ownership.Owner, g.epoch
				if g.part == ownership.Faulty {
					v.Fault = g.reason
				}
				if m := g.hears(); m >= 0 {
					v.Hears = c.w.hosts[m].name
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

func command(d ownership.Decision) fsm.Command {
	switch {
	case d.Confirm != nil:
		return *d.Confirm
	case d.Drop != nil:
		return *d.Drop
	case d.Move != nil:
		return *d.Move
	case d.Order != nil:
		return *d.Order
	}
	return nil
}

// intentAge returns how long this leader has seen a group's intent.
func (c *control) intentAge(name string, g fsm.Ownership) time.Duration {
	p := c.placer
	seen, ok := p.intents[name]
	if g.Intent == nil {
		if ok && seen.epoch > g.Epoch { // it ended without an owner
			p.dropped[name] = c.w.now
			p.wishes.Again(name)
		}
		delete(p.intents, name)
		return 0
	}
	if !ok || seen.epoch != g.Intent.Epoch {
		seen = intentSeen{g.Intent.Epoch, c.w.now}
		p.intents[name] = seen
	}
	return c.w.now - seen.at
}
