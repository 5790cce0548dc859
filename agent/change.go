package agent

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/cluster"
	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/program"
)

// Config implements [api.Agent].
func (a *Agent) Config(ctx context.Context) (fsm.Config, uint64, error) {
	s, err := a.current()
	if err != nil {
		return fsm.Config{}, 0, err
	}
	state, err := s.present(ctx)
	if err != nil {
		state = s.node.State() // without a leader, or where the log cannot be applied, this is all that can be shown; status says so
	}
	return state.Config, state.Revision, nil
}

// present returns the state, after catching up if another director is known to be ahead, as after a long absence. It is an error
// if that is not possible.
func (s *session) present(ctx context.Context) (*fsm.State, error) {
	state := s.node.State()
	if !s.reports.ahead(state.Index, time.Now()) {
		return state, nil
	}
	return s.latest(ctx)
}

// latest returns the state with everything in it that the cluster has agreed on so far. Only by that state may anybody be told
// that there is nothing to do, or that something does not exist: this director may be cut off, or behind.
func (s *session) latest(ctx context.Context) (*fsm.State, error) {
	if _, err := s.clock(ctx); err != nil {
		return nil, err
	}
	return s.node.State(), nil
}

// clock catches up, and returns the time in UTC by the leader's clock, which is the one by which a change on trial ends.
func (s *session) clock(ctx context.Context) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	now, err := s.node.CatchUp(ctx)
	if err == nil && now.IsZero() { // a leader of an older version does not say
		now = time.Now()
	}
	return now.UTC(), err
}

// complete fills in what a configuration leaves to its defaults and to the keys that are kept, and says
// what is wrong with it.
func complete(state *fsm.State, c fsm.Config) (fsm.Config, config.Problems) {
	c = config.KeepKeys(state.Config, config.WithDefaults(c), state.Secrets())
	return c, append(config.Validate(c), config.MissingKeys(state.Config, c)...)
}

// Plan implements [api.Agent].
func (a *Agent) Plan(ctx context.Context, r api.ApplyRequest) (api.Plan, error) {
	s, err := a.current()
	if err != nil {
		return api.Plan{}, err
	}
	return s.plan(ctx, r.Config, false)
}

// plan says what a configuration would change. Returns is true for a rollback, which may end a trial; any other change has to wait
// until the trial has ended.
func (s *session) plan(ctx context.Context, cfg fsm.Config, returns bool) (api.Plan, error) {
	state, err := s.present(ctx)
	if err != nil {
		return api.Plan{}, err
	}
	wanted := cfg
	cfg, problems := complete(state, wanted)
	change := config.Delta(state.Config, cfg)
	if change.Empty() {
		if state, err = s.latest(ctx); err != nil {
			return api.Plan{}, err
		}
		cfg, problems = complete(state, wanted)
		change = config.Delta(state.Config, cfg)
	}
	plan := api.Plan{
		Base:     state.Revision,
		Changes:  config.Diff(change.Part(state.Config), change.Part(cfg)), // the rest is equal
		Problems: slices.Concat(problems, s.fits(state, cfg)),
		Kernel:   map[string][]string{},
	}
	if state.Trial != nil {
		plan.Until = state.Trial.Until
	}
	plan.Problems = append(plan.Problems, s.refused(ctx, state, change, returns)...).ErrorsFirst()
	err = s.planEverywhere(ctx, change, &plan)
	return plan, err
}

// refused says why a change that is as it should be would be refused all the same.
func (s *session) refused(ctx context.Context, state *fsm.State, change fsm.Delta, returns bool) (all config.Problems) {
	if state.Trial != nil && !returns && !change.Empty() {
		all = append(all, config.Problem{
			Text: onTrial(state)[0], Hint: fmt.Sprintf("until then nothing else is applied; `quorate rollback %d` takes it back now", state.Revision-1),
		})
	}
	if why := s.mayNotRun(ctx, state.Config, change); why != "" {
		all = append(all, config.Problem{Text: why})
	}
	return all
}

// Apply implements [api.Agent]. Nothing is applied if anything is wrong.
func (a *Agent) Apply(ctx context.Context, r api.ApplyRequest) (api.ApplyResult, error) {
	s, err := a.current()
	if err != nil {
		return api.ApplyResult{}, err
	}
	return s.put(ctx, wanted{
		base: r.Base, config: r.Config, terms: r.Terms,
		old: func(author string, cfg fsm.Config) fsm.Command {
			return fsm.PutConfig{Base: r.Base, Config: cfg, Author: author}
		},
	})
}

// wanted is a whole configuration that somebody wants.
type wanted struct {
	base    uint64
	config  fsm.Config
	terms   api.Terms
	returns bool // to an older revision
	cause   string
	old     func(author string, cfg fsm.Config) fsm.Command // the command of a feature level without a history
}

// plain reports whether the old command is to be used. A wish that needs a history is not plain: it is proposed as a change, and
// refused with the reason.
func (w wanted) plain(state *fsm.State) bool {
	return state.Level < fsm.LevelHistory && w.old != nil && w.terms.Message == "" && w.terms.Confirm == 0 && w.terms.RevertBelow == 0
}

// put makes a configuration the cluster's, if nothing is wrong with it.
func (s *session) put(ctx context.Context, w wanted) (api.ApplyResult, error) {
	state := s.node.State()
	cfg, problems := complete(state, w.config)
	if err := problems.Err(); err != nil {
		return api.ApplyResult{}, err
	}
	if err := s.fits(state, cfg).Err(); err != nil {
		return api.ApplyResult{}, err
	}
	if w.plain(state) {
		if err := s.mayRun(ctx, state.Config, config.Delta(state.Config, cfg)); err != nil {
			return api.ApplyResult{}, err
		}
		if err := s.propose(ctx, w.old(s.author(ctx, w.terms.Author), cfg)); err != nil {
			return api.ApplyResult{}, err
		}
		return api.ApplyResult{Revision: w.base + 1, Index: s.node.State().Index}, nil
	}
	return s.change(ctx, state, fsm.ChangeConfig{
		Base: w.base, Delta: config.Delta(state.Config, cfg), Returns: w.returns, Note: fsm.Note{Cause: w.cause},
	}, w.terms)
}

// change proposes a change of a state that this director has, in one entry.
func (s *session) change(ctx context.Context, state *fsm.State, c fsm.ChangeConfig, terms api.Terms) (api.ApplyResult, error) {
	if c.Base > state.Revision {
		return api.ApplyResult{}, fmt.Errorf("planned on revision %d, and %s has heard of %d: %w; plan again", c.Base, s.cfg.Name, state.Revision, fsm.ErrStale)
	}
	if c.Base == state.Revision && c.Delta.Empty() {
		state, err := s.latest(ctx)
		if err != nil {
			return api.ApplyResult{}, err
		}
		if c.Base == state.Revision && state.Trial != nil && !c.Returns { // the configuration is the wanted one, but is on trial
			return api.ApplyResult{}, state.OnTrial()
		}
		if c.Base == state.Revision {
			return api.ApplyResult{Revision: state.Revision, Index: state.Index}, nil
		} // else it is proposed all the same, and refused with the name of who was faster
	}
	if err := s.mayRun(ctx, state.Config, c.Delta); err != nil {
		return api.ApplyResult{}, err
	}
	if err := s.acceptable(state, c.Delta, terms); err != nil {
		return api.ApplyResult{}, err
	}
	now := time.Now().UTC()
	if terms.Confirm > 0 {
		leaders, err := s.clock(ctx)
		if err != nil {
			return api.ApplyResult{}, err
		}
		c.Trial = &fsm.Trial{Revision: c.Base + 1, Until: leaders.Add(terms.Confirm), Below: terms.RevertBelow}
	}
	c.Note.At, c.Note.Author, c.Note.Message = now, s.author(ctx, terms.Author), program.Printable(terms.Message, api.MaxMessage)
	c.Note.Summary = config.Summary(config.Diff(c.Delta.Part(state.Config), c.Delta.Puts()))
	if err := s.propose(ctx, c); err != nil {
		return api.ApplyResult{}, unsure(err)
	}
	res := api.ApplyResult{Revision: c.Base + 1, Index: s.node.State().Index}
	if c.Trial != nil {
		res.Until = c.Trial.Until
	}
	return res, nil
}

// unsure says where to look, where it is not known whether a change takes effect.
func unsure(err error) error {
	if errors.Is(err, cluster.ErrUncertain) {
		return fmt.Errorf("%w; `quorate history` shows it", err)
	}
	return err
}

// acceptable says what is wrong with the terms of a change.
func (s *session) acceptable(state *fsm.State, d fsm.Delta, terms api.Terms) error {
	if err := terms.Check(); err != nil || terms.Confirm == 0 {
		return err
	}
	down, all := health(state, touched(d))
	if below(down, all, terms.RevertBelow) {
		return fmt.Errorf("%d of the %d servers that this touches are down already, so that fewer than %d%% are up: choose a lower bound, or none; nothing was applied", down, all, terms.RevertBelow)
	}
	return nil
}

// mayRun refuses a change that the caller may not make, as [session.mayNotRun] says.
func (s *session) mayRun(ctx context.Context, have fsm.Config, d fsm.Delta) error {
	if why := s.mayNotRun(ctx, have, d); why != "" {
		return errors.New(why + "; nothing was applied")
	}
	return nil
}

// mayNotRun says why a change is not the caller's to make, if it brings a new program and the caller is no admin: programs may run
// as root, and whoever may run anything as root on every director is an admin.
func (s *session) mayNotRun(ctx context.Context, have fsm.Config, d fsm.Delta) string {
	if callerIn(ctx, s.cfg).Role.Covers(fsm.RoleAdmin) {
		return ""
	}
	some := d.Puts().Programs()
	if len(some) == 0 {
		return ""
	}
	known := have.Programs()
	for _, p := range slices.Sorted(maps.Keys(some)) {
		if known[p] {
			continue
		}
		user, command, _ := strings.Cut(p, "\x00")
		if user != "" {
			user = " as " + user
		}
		return fmt.Sprintf("the program `%s`%s runs nowhere in the cluster yet, and only an admin may have it run", strings.ReplaceAll(command, "\x00", " "), user)
	}
	return ""
}
