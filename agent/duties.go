package agent

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/checks"
	"github.com/quorate/quorate/cluster"
	"github.com/quorate/quorate/director"
	"github.com/quorate/quorate/director/ownership"
	"github.com/quorate/quorate/fsm"
)

// settle is how long a new leader listens before it decides: it has to have heard everybody once.
const settle = 2 * reportEvery

// moveAgain is how long the leader waits after a move that came to nothing before it orders another.
const moveAgain = 5 * time.Second

// quorumGrace is how long a quorum may be gone before a director acts on that.
const quorumGrace = 2 * time.Second

// duty makes a leader's duty of a function that is to run again and again: when a report came, and
// each tick.
func (s *session) duty(every time.Duration, do func(ctx context.Context, now time.Time)) func(context.Context, *cluster.Node) {
	return func(ctx context.Context, _ *cluster.Node) {
		if !sleep(ctx, settle) {
			return
		}
		tick := time.NewTicker(every)
		defer tick.Stop()
		heard, stop := s.heard.listen()
		defer stop()
		for {
			do(ctx, time.Now())
			select {
			case <-ctx.Done():
				return
			case <-heard:
			case <-tick.C:
			}
		}
	}
}

// agreeVerdicts proposes what the observers agree about, all changes of one round in one entry.
func (s *session) agreeVerdicts(ctx context.Context, now time.Time) {
	state := s.node.State()
	seen := map[string]map[fsm.ServerKey]checks.Observation{}
	for name, r := range s.reports.live(now) {
		if _, member := state.Members[name]; member {
			seen[name] = r.Observations
		}
	}
	changed := checks.AgreeAll(checks.Inputs{Verdicts: state.Verdicts, Services: state.Config.Services, Reports: seen})
	if len(changed) == 0 {
		return
	}
	if err := s.node.Propose(ctx, fsm.SetVerdicts{Verdicts: changed}); err != nil && ctx.Err() == nil {
		s.log.Warn("verdicts not agreed", "servers", len(changed), "err", err)
	}
}

// placeGroups proposes what [ownership.Place] decides, a step per group and round.
func (s *session) placeGroups(ctx context.Context, now time.Time) {
	state := s.node.State()
	live := s.reports.live(now)
	for _, name := range slices.Sorted(maps.Keys(state.Groups)) {
		g := state.Groups[name]
		cmd := command(ownership.Place(name, g, views(state, live, name, now), s.intentAge(name, g, now)))
		_, move := cmd.(fsm.SetIntent)
		_, order := cmd.(fsm.SetOrder)
		switch {
		case cmd == nil, move && now.Sub(s.dropped[name]) < moveAgain, order && now.Sub(s.ordered[name]) < reportEvery:
			continue
		case order:
			s.ordered[name] = now
		}
		if err := s.node.Propose(ctx, cmd); err != nil && ctx.Err() == nil {
			s.log.Warn("placement not agreed", "group", name, "err", err)
		}
	}
}

// views is what the leader knows of each candidate for a group.
func views(state *fsm.State, live map[string]received, group string, now time.Time) []ownership.View {
	var out []ownership.View
	for _, name := range director.Candidates(state) {
		r, alive := live[name]
		v := ownership.View{
			Name: name, Alive: alive, Ready: r.Ready, Active: r.active(group),
			Draining: state.Members[name].Draining || r.Leaving, Why: strings.Join(r.Reasons, "; "),
		}
		own := r.Groups[group]
		if v.Ready && own.Waiting {
			v.Ready, v.Why = false, "a requirement of "+group+" has said nothing yet"
		}
		v.Unfit, v.Score = own.Unfit, own.Score
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
func (s *session) intentAge(name string, g fsm.Ownership, now time.Time) time.Duration {
	if g.Intent == nil {
		if seen, ok := s.intents[name]; ok && seen.epoch > g.Epoch { // it ended without an owner
			s.dropped[name] = now
		}
		delete(s.intents, name)
		return 0
	}
	seen, ok := s.intents[name]
	if !ok || seen.epoch != g.Intent.Epoch {
		seen = intentSeen{g.Intent.Epoch, now}
		s.intents[name] = seen
	}
	return now.Sub(seen.at)
}

type intentSeen struct {
	epoch uint64
	at    time.Time
}

// sleep waits for d, or until ctx ends; it reports whether all of d passed.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
