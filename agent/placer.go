package agent

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/cluster"
	"github.com/quorate/quorate/director"
	"github.com/quorate/quorate/director/mutant"
	"github.com/quorate/quorate/director/ownership"
	"github.com/quorate/quorate/director/placement"
	"github.com/quorate/quorate/fsm"
)

// longStall is for how long a leader must have stood still for the reports that wait for it to be old.
const longStall = time.Second

// placer places the groups while this director leads. What it remembers ends with that.
type placer struct {
	*session
	leader *placement.Leader
}

// placeGroups is the duty to place the groups.
func (s *session) placeGroups(ctx context.Context, n *cluster.Node) {
	p := &placer{s, placement.NewLeader(s.cfg.Name, scaled(s.cfg.Liveness, ownership.GoneAfter), time.Now())}
	s.duty(reportEvery, p.place)(ctx, n)
}

// place proposes what is decided, a step per group and round. A leader that stood still listens as a new one does: the
// reports that waited for it are of the time before, and one that is old may have come to an end meanwhile.
func (p *placer) place(ctx context.Context, now time.Time) {
	if now.Sub(p.alive.tracker.Thawed(longStall, now)) < settle {
		return
	}
	all := p.situations(now)
	p.outlooks.look(all, now)
	for _, s := range all {
		cmd := p.leader.Decide(now, s)
		if cmd == nil {
			continue
		}
		err := p.node.Propose(ctx, cmd)
		if err != nil && ctx.Err() == nil {
			p.log.Warn("placement not agreed", "group", s.Group, "err", err)
		}
		if text := decision(cmd); err == nil && text != "" {
			p.placed.add(s.Group, s.Record(now, text))
		}
	}
}

// decision says in words what a command that places a group does; "" of one that nobody asks about.
func decision(c fsm.Command) string {
	switch c := c.(type) {
	case fsm.SetOwner:
		return fmt.Sprintf("%s owns %s: %s", c.Owner, c.Group, c.Reason)
	case fsm.SetIntent:
		return fmt.Sprintf("%s is to move to %s: %s", c.Group, c.Intent.To, c.Intent.Reason)
	case fsm.DropIntent:
		return fmt.Sprintf("the move of %s ends: %s", c.Group, c.Reason)
	}
	return ""
}

// situations is what this leader knows of every group.
func (p *placer) situations(now time.Time) []placement.Situation {
	state := p.node.State()
	live, silent := p.reports.live(now), map[string]time.Duration{}
	for _, name := range p.others() {
		silent[name] = p.alive.tracker.Unheard(name, now)
	}
	placements, before := map[string]fsm.Placement{}, map[string][]string{}
	for _, g := range state.Config.Groups() {
		placements[g.Name], before[g.Name] = g.Placement, p.regrouped.before(g)
	}
	var all []placement.Situation
	for _, name := range slices.Sorted(maps.Keys(state.Groups)) {
		all = append(all, placement.Situation{
			Group: name, Log: state.Groups[name], Placement: placements[name], Before: before[name], Views: views(state, live, p.reports.stopped, name, now),
		})
	}
	p.leader.Look(now, all, silent)
	for i := range all {
		all[i].Sound = all[i].Sound && !mutant.On(mutant.NoGrace)
	}
	return all
}

// yielded is why a router is Backup, of the reasons that the keeper has, to who asks how it lost a group.
func yielded(reason string) string {
	switch reason {
	case "start":
		return "its keeper was started"
	case "fit again":
		return "a fault, which is over"
	}
	return reason
}

// views is what a director knows of each candidate for a group, with who has said that it stops.
func views(state *fsm.State, live map[string]received, stopped func(name string, now time.Time) bool, group string, now time.Time) []placement.View {
	var out []placement.View
	for _, name := range director.Candidates(state) {
		r, alive := live[name]
		own := r.Groups[group]
		v := placement.View{
			Name: name, Alive: alive, Ready: r.Ready, Active: r.active(group), Epoch: own.Epoch, Hears: own.Hears, Claimant: own.Claimant, Tells: r.Claimants,
			Draining: state.Members[name].Draining || r.Leaving, Why: strings.Join(r.Reasons, "; "),
			Unfit: own.Unfit, Score: own.Score, Claim: own.Claim, Unproven: own.Unproven != "",
		}
		_, v.Lacks = r.Lacks[state.Groups[group].Owner]
		if r.Stopped || stopped(name, now) {
			v.Gone = wasStopped
		}
		if v.Ready && own.Waiting {
			v.Ready, v.Why = false, "a requirement of "+group+" has said nothing yet"
		}
		switch own.State {
		case "initialize":
			v.Fault = own.Reason
		case "backup":
			v.Yielded = yielded(own.Reason)
		}
		if !r.unreadySince.IsZero() && !r.Holds { // a bad disk is no need to move, see unready
			v.Unready = now.Sub(r.unreadySince)
		}
		out = append(out, v)
	}
	return out
}
