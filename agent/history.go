package agent

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/fsm"
)

// Edits of one director take turns, since to be refused costs the leader as much as a change. In its turn, an edit is tried again while
// others are faster, for editLimit at most. Before it tries again, an edit waits for a part of editPause, and then of twice as much each time,
// but of editAgain at most. If nothing is heard of the faster change for editLate, the leader is asked for it.
const (
	editLimit = time.Minute
	editPause = 5 * time.Millisecond
	editAgain = 200 * time.Millisecond
	editLate  = time.Second
)

// History implements [api.Agent]: newest first.
func (a *Agent) History(ctx context.Context) ([]api.Revision, error) {
	s, err := a.current()
	if err != nil {
		return nil, err
	}
	state, err := s.present(ctx)
	if err != nil {
		state = s.node.State() // as Config
	}
	if state.Level < fsm.LevelHistory {
		return nil, noHistory(state)
	}
	all := make([]api.Revision, 0, len(state.History))
	for _, p := range slices.Backward(state.History) {
		r := api.Revision{
			Revision: p.Revision, Time: p.At, Author: p.Author, Message: p.Message, Cause: p.Cause, Summary: p.Summary, Confirmed: p.Confirmed,
		}
		if state.Trial != nil && state.Trial.Revision == p.Revision {
			r.Until = state.Trial.Until
		}
		all = append(all, r)
	}
	return all, nil
}

func noHistory(state *fsm.State) error {
	return fmt.Errorf("a history is kept from feature level %d on, and the cluster is at %d: %w; once every member runs this version, `quorate upgrade finish` raises it", fsm.LevelHistory, state.Level, fsm.ErrLevel)
}

// asOf returns the configuration of a revision, with keys.
func (s *session) asOf(ctx context.Context, revision uint64) (fsm.Config, error) {
	state := s.node.State()
	cfg, err := state.AsOf(revision)
	if err == nil {
		return cfg, nil
	}
	if state, err = s.latest(ctx); err != nil {
		return fsm.Config{}, err
	}
	cfg, err = state.AsOf(revision)
	if err != nil && state.Level < fsm.LevelHistory {
		err = fmt.Errorf("revision %d: the cluster has the present one, %d, alone: %w", revision, state.Revision, noHistory(state))
	}
	return cfg, err
}

// ConfigAt implements [api.Agent].
func (a *Agent) ConfigAt(ctx context.Context, revision uint64) (fsm.Config, error) {
	s, err := a.current()
	if err != nil {
		return fsm.Config{}, err
	}
	cfg, err := s.asOf(ctx, revision)
	return cfg.Hidden(), err
}

// Diff implements [api.Agent]. Who asks sees no keys, and could not compare them.
func (a *Agent) Diff(ctx context.Context, from, to uint64) ([]config.Change, error) {
	s, err := a.current()
	if err != nil {
		return nil, err
	}
	before, err := s.asOf(ctx, from)
	if err != nil {
		return nil, err
	}
	after, err := s.asOf(ctx, to)
	return config.DiffKeys(before, after), err
}

// PlanRollback implements [api.Agent].
func (a *Agent) PlanRollback(ctx context.Context, r api.RollbackRequest) (api.Plan, error) {
	s, err := a.current()
	if err != nil {
		return api.Plan{}, err
	}
	if err := endsTrial(s.node.State(), r.Revision); err != nil {
		return api.Plan{}, err
	}
	cfg, err := s.asOf(ctx, r.Revision)
	if err != nil {
		return api.Plan{}, err
	}
	return s.plan(ctx, cfg, true)
}

// Rollback implements [api.Agent].
func (a *Agent) Rollback(ctx context.Context, r api.RollbackRequest) (api.ApplyResult, error) {
	s, err := a.current()
	if err != nil {
		return api.ApplyResult{}, err
	}
	if err := endsTrial(s.node.State(), r.Revision); err != nil {
		return api.ApplyResult{}, err
	}
	cfg, err := s.asOf(ctx, r.Revision)
	if err != nil {
		return api.ApplyResult{}, err
	}
	return s.put(ctx, wanted{base: r.Base, config: cfg, terms: r.Terms, returns: true, cause: fmt.Sprintf("rollback to revision %d", r.Revision)})
}

// editable returns why a cluster takes no edits, or nil.
func editable(state *fsm.State) error {
	if state.Level < fsm.LevelHistory {
		return fmt.Errorf("edits without a file need a history: %w", noHistory(state))
	}
	return nil
}

// PlanEdit implements [api.Agent].
func (a *Agent) PlanEdit(ctx context.Context, r api.EditRequest) (api.Plan, error) {
	s, err := a.current()
	if err != nil {
		return api.Plan{}, err
	}
	if err := editable(s.node.State()); err != nil {
		return api.Plan{}, err
	}
	state, d, err := s.edited(ctx, r.Edits)
	if err != nil {
		return api.Plan{}, err
	}
	plan, err := s.plan(ctx, d.Apply(state.Config), false)
	plan.Problems = append(plan.Problems.Errors(), about(d, plan.Problems.Warnings())...).ErrorsFirst()
	return plan, err
}

// Edit implements [api.Agent]. An edit is made on the configuration of the moment: if somebody else was faster, it is made again
// on what there is then.
func (a *Agent) Edit(ctx context.Context, r api.EditRequest) (api.ApplyResult, error) {
	s, err := a.current()
	if err != nil {
		return api.ApplyResult{}, err
	}
	return s.again(ctx, func(ctx context.Context) (api.ApplyResult, error) { return s.edit(ctx, r) })
}

// again does what makes a change of the configuration of the moment, until nobody else is faster. Once ctx has ended it does nothing
// more: who asked has gone, or is told who was faster.
func (s *session) again(ctx context.Context, do func(context.Context) (api.ApplyResult, error)) (api.ApplyResult, error) {
	end, err := s.edits.take(ctx, func() uint64 { return s.node.State().Index })
	if err != nil {
		return api.ApplyResult{}, err
	}
	defer end()
	ctx, cancel := context.WithTimeout(ctx, editLimit)
	defer cancel()
	for pause := editPause; ; pause = min(2*pause, editAgain) {
		news := s.node.Changed()
		res, err := do(ctx)
		if !errors.Is(err, fsm.ErrStale) {
			return res, err
		}
		select {
		case <-news: // the faster change may have been on its way to this director
		case <-ctx.Done():
		case <-time.After(editLate):
			if _, unheard := s.latest(ctx); unheard != nil && ctx.Err() == nil {
				return res, unheard
			}
		}
		if !sleep(ctx, rand.N(pause)) {
			return res, err
		}
	}
}

// edited returns what edits change, and in which state. If they change nothing, or cannot be made, the latest state decides.
func (s *session) edited(ctx context.Context, edits []config.Edit) (*fsm.State, fsm.Delta, error) {
	state := s.node.State()
	d, err := config.Edited(state.Config, edits)
	if err == nil && !d.Empty() {
		return state, d, nil
	}
	if state, err = s.latest(ctx); err != nil {
		return nil, d, err
	}
	d, err = config.Edited(state.Config, edits)
	return state, d, err
}

func (s *session) edit(ctx context.Context, r api.EditRequest) (api.ApplyResult, error) {
	if err := editable(s.node.State()); err != nil {
		return api.ApplyResult{}, err
	}
	state, d, err := s.edited(ctx, r.Edits)
	if err != nil {
		return api.ApplyResult{}, err
	}
	look := inQuestion(state.Config, d)
	problems := append(append(config.Validate(look), config.MissingKeys(state.Config, look)...), s.fits(state, look)...)
	if err := inALine(problems); err != nil {
		return api.ApplyResult{}, err
	}
	res, err := s.change(ctx, state, fsm.ChangeConfig{Base: state.Revision, Delta: d}, r.Terms)
	if err != nil {
		return res, err
	}
	res.Changes = config.Diff(d.Part(state.Config), d.Puts())
	res.Warnings = about(d, problems.Warnings())
	return res, nil
}

// inALine joins the errors among problems into one, without places: an edit has no file.
func inALine(problems config.Problems) error {
	var texts []string
	for _, p := range problems.Errors() {
		p.Path = ""
		texts = append(texts, strings.TrimPrefix(p.String(), "error: "))
	}
	if len(texts) == 0 {
		return nil
	}
	return errors.New(strings.Join(texts, "; "))
}

// inQuestion returns the part of the configuration after an edit that has to be validated. If no router and no address of a
// service has changed, the services that have not changed need not be looked at again.
func inQuestion(c fsm.Config, d fsm.Delta) fsm.Config {
	if len(d.Routers) > 0 {
		return d.Apply(c)
	}
	for name, is := range d.Services {
		was := c.Services.Of(name)
		if is != nil && (is.Address != was.Address || is.Protocol != was.Protocol || is.Mark != was.Mark || is.IPv6 != was.IPv6) {
			return d.Apply(c)
		}
	}
	all := d.Services
	d.Services = nil
	after := d.Apply(c)
	after.Services = fsm.Delta{Services: all}.Puts().Services
	return after
}

// about returns the problems that are about the routers and services of a delta.
func about(d fsm.Delta, all config.Problems) config.Problems {
	things := map[string]bool{}
	for name := range d.Routers {
		things[fmt.Sprintf("routers[%q", name)] = true
	}
	for name := range d.Services {
		things[fmt.Sprintf("services[%q", name)] = true
	}
	return slices.DeleteFunc(slices.Clone(all), func(p config.Problem) bool {
		thing, _, _ := strings.Cut(p.Path, "]")
		return !things[thing]
	})
}
