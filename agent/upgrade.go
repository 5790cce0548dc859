package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/quorate/quorate/agent/levels"
	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/fsm"
)

// raiseEvery is how often the leader looks whether it is to raise the feature level.
const raiseEvery = time.Second

// raising is what this director has seen of the members' feature levels. Every director watches them, so that a new leader
// knows since when all members support the next level. One that was started later counts from its start.
type raising struct {
	mu    sync.Mutex
	watch levels.Watch
}

// raise is what the leader says of the next feature level.
type raise struct {
	Level int           `json:"level"` // that all members support; 0 if there is none beyond the cluster's
	Never bool          `json:"never"` // it is not raised by itself
	In    time.Duration `json:"in"`    // that long from now on

	Awaits []string `json:"awaits,omitempty"` // why it is not raised yet, whatever the time
}

// binaries are the members' versions and feature levels: what they told the log, or the lower level that they said
// themselves since.
func binaries(state *fsm.State, live map[string]received) []levels.Member {
	var all []levels.Member
	for _, name := range slices.Sorted(maps.Keys(state.Members)) {
		m := state.Members[name]
		member := levels.Member{Name: name, Version: m.Version, Min: m.MinLevel, Max: m.MaxLevel}
		var said *levels.Member
		if r, ok := live[name]; ok {
			said = &levels.Member{Name: name, Version: r.Version, Min: r.MinLevel, Max: r.MaxLevel}
		}
		all = append(all, levels.Seen(member, said))
	}
	return all
}

// lookLevels notes what the members support, and says what that means for the cluster's level.
func (s *session) lookLevels(now time.Time) (next int, since time.Time) {
	state, live := s.node.State(), s.reports.live(now)
	s.raising.mu.Lock()
	defer s.raising.mu.Unlock()
	return s.raising.watch.Look(now, state.Level, binaries(state, live))
}

// patience is how long all members have to support a level before it is raised: the longest that any of them says.
func (s *session) patience(now time.Time) time.Duration {
	longest := s.cfg.RaiseLevel
	for _, r := range s.reports.live(now) {
		longest = levels.Longest(longest, r.RaiseLevel)
	}
	return longest
}

// raiseLevel raises the feature level when all members have supported it for long enough: a leader's duty. It does not while a
// member is away or drained, since that one may be on its way back to an older version.
func (s *session) raiseLevel(ctx context.Context, now time.Time) {
	next, since := s.lookLevels(now)
	why, due := levels.Due(now, next, since, s.patience(now))
	if !due || len(s.awaited(now)) > 0 {
		return
	}
	cmd := fsm.RaiseLevel{Level: next, Author: s.cfg.Name + ", since " + why}
	if err := s.node.Propose(ctx, cmd); err != nil && ctx.Err() == nil {
		s.log.Warn("the feature level is not raised yet", "level", next, "err", err)
	}
}

// awaited says which members do not answer or are drained: none, and the level may be raised.
func (s *session) awaited(now time.Time) []string {
	var why []string
	live, state := s.reports.live(now), s.node.State()
	for _, name := range slices.Sorted(maps.Keys(state.Members)) {
		if state.Members[name].Draining {
			why = append(why, name+" drains")
		} else if r, ok := live[name]; name != s.cfg.Name && (!ok || r.Stopped || r.Leaving) {
			why = append(why, name+" does not answer")
		}
	}
	return why
}

// nextRaise is what this director would do as the leader.
func (s *session) nextRaise(now time.Time) raise {
	next, since := s.lookLevels(now)
	after := s.patience(now)
	r := raise{Level: next, Never: after == levels.Never}
	if next > 0 && !r.Never {
		r.In, r.Awaits = max(after-now.Sub(since), 0), s.awaited(now)
	}
	return r
}

func (s *session) serveRaise(w http.ResponseWriter, _ *http.Request) {
	answer(w, s.nextRaise(time.Now()))
}

// askRaise asks the leader when it raises the level. Without one, or where it does not answer, that is not known.
func (s *session) askRaise(ctx context.Context) (raise, bool) {
	switch leader := s.node.Leader(); leader {
	case "":
		return raise{}, false
	case s.cfg.Name:
		return s.nextRaise(time.Now()), true
	default:
		ctx, cancel := context.WithTimeout(ctx, explainLimit)
		defer cancel()
		var r raise
		err := s.ask(ctx, leader, http.MethodGet, "/peer/raise", nil, &r)
		return r, err == nil
	}
}

// UpgradeStatus implements [api.Agent].
func (a *Agent) UpgradeStatus(ctx context.Context) (api.UpgradeStatus, error) {
	s, err := a.current()
	if err != nil {
		return api.UpgradeStatus{}, err
	}
	now := time.Now()
	state, live := s.node.State(), s.everyReport(now)
	st := api.UpgradeStatus{
		Name: s.cfg.Name, Leader: s.node.Leader(), Level: state.Level, Directors: []api.UpgradeDirector{}, Next: []api.NextLevel{},
	}
	all := binaries(state, live)
	for _, m := range all {
		d := directorStatus(state.Members[m.Name], live, 0)
		st.Directors = append(st.Directors, api.UpgradeDirector{
			Name: m.Name, State: d.State, Version: m.Version, MinLevel: m.Min, MaxLevel: m.Max,
		})
	}
	for level := state.Level + 1; level <= MaxLevel; level++ {
		next := api.NextLevel{Level: level, Brings: fsm.Brings(level), WaitsFor: []string{}}
		for _, m := range levels.Lacking(all, level) {
			next.WaitsFor = append(next.WaitsFor, m.Name)
		}
		st.Next = append(st.Next, next)
	}
	if r, known := s.askRaise(ctx); known && r.Level > state.Level {
		st.RaiseTo, st.ByHand, st.RaiseAwaits = r.Level, r.Never, r.Awaits
		if !r.Never {
			st.RaiseAt = now.Add(r.In).UTC().Truncate(time.Second)
		}
	}
	return st, nil
}

// FinishUpgrade implements [api.Agent]: it raises the feature level to what this binary supports. Members that
// are older are named, and then nothing is changed.
func (a *Agent) FinishUpgrade(ctx context.Context, r api.UpgradeRequest) (api.UpgradeResult, error) {
	s, err := a.current()
	if err != nil {
		return api.UpgradeResult{}, err
	}
	state, live := s.node.State(), s.reports.live(time.Now())
	if err := errors.Join(wentBack(state, live), older(state, live)); err != nil {
		return api.UpgradeResult{}, err
	}
	if err := s.propose(ctx, fsm.RaiseLevel{Level: MaxLevel, Author: s.author(ctx, r.Author)}); err != nil {
		return api.UpgradeResult{}, err
	}
	return api.UpgradeResult{Was: state.Level, Level: MaxLevel}, nil
}

// older names a member that knows levels beyond the cluster's, of which this binary knows none: it would find nothing to raise,
// and who asked believe that the upgrade is done.
func older(state *fsm.State, live map[string]received) error {
	if state.Level < MaxLevel {
		return nil
	}
	for _, m := range binaries(state, live) {
		if m.Max > MaxLevel {
			return fmt.Errorf("this director's version supports no level beyond %d, at which the cluster is: %s (version %s) supports %d; run `quorate upgrade finish` there, once all members do",
				MaxLevel, m.Name, cmp.Or(m.Version, "unknown"), m.Max)
		}
	}
	return nil
}

// wentBack is an error if members run an older version than the log says: they have gone back to it a moment ago, and would not
// know the new level.
func wentBack(state *fsm.State, live map[string]received) error {
	var old []string
	for _, m := range levels.Lacking(binaries(state, live), MaxLevel) {
		if state.Members[m.Name].MaxLevel >= MaxLevel {
			old = append(old, fmt.Sprintf("%s (version %s) supports %d", m.Name, cmp.Or(m.Version, "unknown"), m.Max))
		}
	}
	if len(old) == 0 {
		return nil
	}
	return fmt.Errorf("feature level %d: %w: %s; install a newer version there first", MaxLevel, fsm.ErrLevel, strings.Join(old, ", "))
}
