package agent

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/director/mutant"
	"github.com/quorate/quorate/fsm"
)

// trialEvery is how often a leader looks whether a change is to be taken back.
const trialEvery = 200 * time.Millisecond

// endTrial takes back a change that was not confirmed in time, or that took too many servers down. All that it needs is in the
// log, so that it does not matter who led when the trial began.
func (s *session) endTrial(ctx context.Context, now time.Time) {
	state := s.node.State()
	why := whyRevert(state, now)
	if why == "" || mutant.On(mutant.NoRevert) {
		return
	}
	cmd := fsm.RevertConfig{Revision: state.Trial.Revision, Note: fsm.Note{
		At: now.UTC(), Author: s.cfg.Name, Cause: fmt.Sprintf("takes back revision %d: %s", state.Trial.Revision, why),
		Summary: summaryBack(state),
	}}
	if err := s.node.Propose(ctx, cmd); err != nil && ctx.Err() == nil && !errors.Is(err, fsm.ErrStale) {
		s.log.Warn("a change that was not confirmed is not taken back yet", "revision", state.Trial.Revision, "err", err)
	}
}

// summaryBack says in a line what it does to take the last revision back, keys of routers included.
func summaryBack(state *fsm.State) string {
	back := state.History[len(state.History)-1].Back
	is, err := state.AsOf(state.Revision)
	if err != nil {
		is = state.Config
	}
	was, err := state.AsOf(state.Revision - 1)
	if err != nil {
		was = back.Puts()
	}
	return config.Summary(config.DiffKeys(back.Part(is), back.Part(was)))
}

// whyRevert says why the change on trial is to be taken back, or "".
func whyRevert(state *fsm.State, now time.Time) string {
	t := state.Trial
	if t == nil {
		return ""
	}
	if down, all := health(state, state.Touched()); below(down, all, t.Below) {
		return fmt.Sprintf("%d of %d servers that it touched are down, so that fewer than %d%% are up", down, all, t.Below)
	}
	if !now.Before(t.Until) {
		return "it was not confirmed in time"
	}
	return ""
}

// touched returns the services that a delta names, sorted.
func touched(d fsm.Delta) []string { return slices.Sorted(maps.Keys(d.Services)) }

// health counts the real servers of services: those that are down, and all.
func health(state *fsm.State, services []string) (down, all int) {
	for _, name := range services {
		for _, server := range state.Config.Services.Of(name).Servers {
			all++
			if state.Verdict(fsm.ServerKey{Service: name, Server: server.Address}).Health == fsm.Down {
				down++
			}
		}
	}
	return down, all
}

// below reports whether fewer servers are up than a bound in percent. Servers of which nothing is known yet, since they or their
// checks are new, count as up.
func below(down, all, percent int) bool { return (all-down)*100 < percent*all }

// onTrial warns of a change that takes itself back unless somebody does something.
func onTrial(state *fsm.State) []string {
	if state.Trial == nil {
		return nil
	}
	return []string{fmt.Sprintf("%s: it is taken back at %s unless `quorate confirm` comes",
		state.History[len(state.History)-1], state.Trial.Until.Local().Format(time.DateTime))}
}

// endsTrial refuses a rollback during a trial, unless it is to the revision before. One to any other revision would end the
// trial with a configuration that nobody has tried.
func endsTrial(state *fsm.State, revision uint64) error {
	if state.Trial == nil || revision == state.Trial.Revision-1 {
		return nil
	}
	return fmt.Errorf("%w; then roll back further", state.OnTrial())
}

// Confirm implements [api.Agent]. To confirm a revision again does nothing. What waits is known by the latest state alone: to a
// director that is behind, a change that was confirmed long ago may still wait, and another may do so in fact.
func (a *Agent) Confirm(ctx context.Context, r api.ConfirmRequest) (api.ApplyResult, error) {
	s, err := a.current()
	if err != nil {
		return api.ApplyResult{}, err
	}
	now, err := s.clock(ctx)
	if err != nil {
		return api.ApplyResult{}, err
	}
	state := s.node.State()
	if r.Revision == 0 {
		if state.Trial == nil {
			return api.ApplyResult{}, nothingWaits(state)
		}
		r.Revision = state.Trial.Revision
	}
	if t := state.Trial; t != nil && t.Revision == r.Revision && !now.Before(t.Until) {
		if err := s.over(ctx, *t); err != nil {
			return api.ApplyResult{}, err
		} // else it is refused now, with what became of it
	}
	if err := s.propose(ctx, fsm.ConfirmConfig{Revision: r.Revision, Author: s.author(ctx, r.Author)}); err != nil {
		return api.ApplyResult{}, unsure(err)
	}
	return api.ApplyResult{Revision: r.Revision, Index: s.node.State().Index}, nil
}

// nothingWaits is the answer to who confirms whatever waits, where nothing does.
func nothingWaits(state *fsm.State) error {
	fate := ""
	if len(state.History) > 0 {
		fate = " (" + state.Fate(state.Revision) + ")"
	}
	return fmt.Errorf("no change waits to be confirmed: the cluster is at revision %d%s, `quorate history` says how it came there", state.Revision, fate)
}

// overLimit is how long somebody who confirms too late waits to hear what became of the change.
const overLimit = 15 * trialEvery

// over waits until a trial whose time is up has ended. It is an error if it has not: the leader has yet to look.
func (s *session) over(ctx context.Context, t fsm.Trial) error {
	ctx, cancel := context.WithTimeout(ctx, overLimit)
	defer cancel()
	for {
		news := s.node.Changed()
		if now := s.node.State().Trial; now == nil || now.Revision != t.Revision {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return fmt.Errorf("revision %d was to be confirmed by %s, and it is later than that by the leader's clock: it is taken back", t.Revision, t.Until.Local().Format(time.DateTime))
		}
	}
}
