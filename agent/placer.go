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
	"github.com/quorate/quorate/fsm"
)

// placer places the groups while this director leads. What it remembers ends with that.
type placer struct {
	*session
	led     time.Time // since when
	intents map[string]intentSeen
	dropped map[string]time.Time // group: when a move of it came to nothing
	ordered map[string]time.Time // group: when its successors were last put into another order
	wishes  ownership.Wishes
}

type intentSeen struct {
	epoch uint64
	at    time.Time
}

// placeGroups is the duty to place the groups.
func (s *session) placeGroups(ctx context.Context, n *cluster.Node) {
	p := &placer{
		session: s, led: time.Now(), intents: map[string]intentSeen{}, dropped: map[string]time.Time{}, ordered: map[string]time.Time{},
	}
	s.duty(reportEvery, p.place)(ctx, n)
}

// place proposes what [ownership.Place] decides, a step per group and round.
func (p *placer) place(ctx context.Context, now time.Time) {
	for _, s := range p.situations(now) {
		cmd, name := command(ownership.Place(s)), s.Group
		_, move := cmd.(fsm.SetIntent)
		_, order := cmd.(fsm.SetOrder)
		switch {
		case cmd == nil, move && now.Sub(p.dropped[name]) < moveAgain, order && now.Sub(p.ordered[name]) < reportEvery:
			continue
		case order:
			p.ordered[name] = now
		}
		err := p.node.Propose(ctx, cmd)
		if err != nil && ctx.Err() == nil {
			p.log.Warn("placement not agreed", "group", name, "err", err)
		}
		if text := decision(cmd); err == nil && text != "" {
			p.placed.add(name, s.Record(now, text))
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
func (p *placer) situations(now time.Time) []ownership.Situation {
	state := p.node.State()
	live, silent := p.reports.live(now), map[string]time.Duration{}
	for _, name := range p.others() {
		silent[name] = p.alive.tracker.Unheard(name, now)
	}
	placements := map[string]fsm.Placement{}
	for _, g := range state.Config.Groups() {
		placements[g.Name] = g.Placement
	}
	var all []ownership.Situation
	var shares []ownership.Share
	for _, name := range slices.Sorted(maps.Keys(state.Groups)) {
		g := state.Groups[name]
		s := ownership.Situation{
			Group: name, Log: g, Placement: placements[name], Leader: p.cfg.Name,
			Sound: ownership.Sound(silent, p.cfg.Name, g.Owner, now.Sub(p.led)) && !mutant.On(mutant.NoGrace),
			Age:   p.intentAge(name, g, now),
			Views: views(state, live, name, now),
		}
		for i := range s.Views {
			v := &s.Views[i]
			v.Silent, v.Score = silent[v.Name], v.Score+s.Placement.Scores[v.Name]
		}
		all, shares = append(all, s), append(shares, ownership.ShareOf(s))
	}
	load, plan := ownership.Loads(shares), ownership.Spread(shares)
	for i := range all {
		s := &all[i]
		s.Load, s.Spread = load, plan[s.Group]
		s.Wished = p.wishes.Look(s.Group, s.Log.Epoch, ownership.Wished(*s), now)
	}
	return all
}

// views is what a director knows of each candidate for a group.
func views(state *fsm.State, live map[string]received, group string, now time.Time) []ownership.View {
	var out []ownership.View
	for _, name := range director.Candidates(state) {
		r, alive := live[name]
		own := r.Groups[group]
		v := ownership.View{
			Name: name, Alive: alive, Ready: r.Ready, Active: r.active(group), Epoch: own.Epoch, Hears: own.Hears,
			Draining: state.Members[name].Draining || r.Leaving, Why: strings.Join(r.Reasons, "; "),
			Unfit: own.Unfit, Score: own.Score, Claim: own.Claim,
		}
		if v.Ready && own.Waiting {
			v.Ready, v.Why = false, "a requirement of "+group+" has said nothing yet"
		}
		if own.State == "initialize" {
			v.Fault = own.Reason
		}
		if !r.unreadySince.IsZero() {
			v.Unready = now.Sub(r.unreadySince)
		}
		out = append(out, v)
	}
	return out
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

// intentAge returns how long this leader has seen the group's intent.
func (p *placer) intentAge(name string, g fsm.Ownership, now time.Time) time.Duration {
	if g.Intent == nil {
		if seen, ok := p.intents[name]; ok && seen.epoch > g.Epoch { // it ended without an owner
			p.dropped[name] = now
			p.wishes.Again(name)
		}
		delete(p.intents, name)
		return 0
	}
	seen, ok := p.intents[name]
	if !ok || seen.epoch != g.Intent.Epoch {
		seen = intentSeen{g.Intent.Epoch, now}
		p.intents[name] = seen
	}
	return now.Sub(seen.at)
}
