package agent

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/director"
	"github.com/quorate/quorate/director/hook"
	"github.com/quorate/quorate/director/keeper"
	"github.com/quorate/quorate/director/track"
	"github.com/quorate/quorate/fsm"
)

const (
	// unfitGrace is how long an owner that a requirement forbids to own is given to hand over. After it
	// the group is given up here, whoever takes it.
	unfitGrace = 2 * time.Second
	// faultAfter is how long a group must not work before its hooks are told of a fault: at the start of a
	// keeper no interface was looked at yet.
	faultAfter = time.Second
	// stopLimit is how long the hooks of a director that stops are waited for.
	stopLimit = 3 * time.Second
)

// newNeeds makes what watches this director, and what follows its part in each group.
func (s *session) newNeeds() {
	s.tracks = track.New(track.Config{Log: s.log.Named("track"), Changed: s.tracked})
	s.hooks = hook.New(hook.Config{
		Director: s.cfg.Name, File: filepath.Join(s.cfg.DataDir, "hooks.json"), Log: s.log.Named("hook"), Report: s.hooked,
	})
}

// setNeeds gives them a configuration.
func (s *session) setNeeds(cfg fsm.Config) {
	s.tracks.Set(director.Tracks(cfg, director.Self{Interfaces: s.cfg.Interfaces}))
	s.hooks.Set(director.Hooks(cfg))
}

// tracked tells of tracks that have changed, and has all that depends on them looked at again.
func (s *session) tracked() {
	results := s.tracks.Results()
	s.mu.Lock()
	before := s.results
	s.results = results
	s.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(results)) {
		r, was := results[name], before[name].State
		if was == r.State || was == "" && r.State != track.Failing {
			continue
		}
		text := fmt.Sprintf("track %s on %s is %s", name, s.cfg.Name, r.State)
		if r.Reason != "" {
			text += ": " + r.Reason
		}
		s.events.add(s.cfg.Name, 0, "track", name, text)
	}
	s.director.Poke()
	poke(s.tellNow)
	s.heard.ring()
}

// standing is what this director's tracks say of it and a group.
func (s *session) standing(g fsm.Group) track.Standing {
	return track.Judge(director.Uses(g.Needs), s.tracks.Results())
}

// blocked says of each group that this director must not own why that is so. An owner is given a while
// to hand over first: make before break.
func (s *session) blocked(state *fsm.State) map[string]string {
	now, out := time.Now(), map[string]string{}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range state.Config.Groups() {
		st := s.standing(g)
		if st.Fit || !st.Known {
			delete(s.unfit, g.Name)
			continue
		}
		since, ok := s.unfit[g.Name]
		if !ok {
			since = now
			s.unfit[g.Name] = now
		}
		if !s.keeper.Active(g.Name) || now.Sub(since) > unfitGrace {
			out[g.Name] = strings.Join(st.Reasons, "; ")
		}
	}
	return out
}

// followHooks tells the hooks what this director is to each group.
func (s *session) followHooks() {
	state := s.node.State()
	for _, g := range s.keeper.Status().Groups {
		if part, ok := part(g, time.Now()); ok {
			s.hooks.Want(g.Name, hook.Wish{State: part, Epoch: state.Groups[g.Name].Epoch, Reason: g.Reason})
		}
	}
}

// part is what a director is to a group whose keeper says this; false while that is not clear.
func part(g keeper.GroupStatus, now time.Time) (hook.State, bool) {
	switch g.State {
	case "active":
		return hook.Owner, true
	case "backup":
		return hook.Standby, true
	}
	return hook.Fault, now.Sub(g.Since) > faultAfter
}

// stopHooks tells the hooks that this director has no part any more, and waits a while for them.
func (s *session) stopHooks(reason string) {
	for name, g := range s.node.State().Groups {
		s.hooks.Want(name, hook.Wish{State: hook.Stop, Epoch: g.Epoch, Reason: reason})
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	if err := s.hooks.Settle(ctx); err != nil {
		s.log.Warn("hooks of a stop are not all done", "err", err)
	}
}

// hooked tells how a hook ended.
func (s *session) hooked(r hook.Report) {
	if r.Stale {
		s.log.Debug("hook was overtaken", "group", r.Group, "hook", r.Hook, "state", r.State)
		return
	}
	text := fmt.Sprintf("hook %s of %s for %s in epoch %d took %v", r.Hook, r.Group, r.State, r.Epoch, r.Took.Round(time.Millisecond))
	if !r.OK {
		text = fmt.Sprintf("hook %s of %s for %s in epoch %d failed: %s", r.Hook, r.Group, r.State, r.Epoch, r.Problem)
		if r.Again > 0 {
			text += fmt.Sprintf("; again in %v", r.Again.Round(time.Second))
		}
		s.log.Warn(text, "attempt", r.Attempt, "output", r.Output)
	}
	s.events.add(s.cfg.Name, 0, "hook", r.Group, text)
}
