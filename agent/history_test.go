package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/fsm"
)

// TestADifferenceOfRevisionsKnowsKeys has two revisions that differ in a key alone.
func TestADifferenceOfRevisionsKnowsKeys(t *testing.T) {
	a, s := alone(t, nodeConfig(t, "d1", fsm.LevelHistory))
	for i, key := range []string{"s3cret-a", "s3cret-b"} {
		r := fsm.Router{Name: "r", Auth: &fsm.Auth{Kind: fsm.AuthPassword, Key: key}}
		d := fsm.Delta{Routers: map[string]*fsm.Router{"r": &r}}
		if _, err := s.change(t.Context(), s.node.State(), fsm.ChangeConfig{Base: uint64(i), Delta: d}, api.Terms{}); err != nil {
			t.Fatal(err)
		}
	}
	changes, err := a.Diff(t.Context(), 1, 2)
	if text := config.Render(changes); err != nil || len(changes) != 1 || strings.Contains(text, "s3cret") {
		t.Errorf("%v\n%s", err, text)
	}
	if changes, err := a.Diff(t.Context(), 2, 2); err != nil || len(changes) != 0 {
		t.Errorf("of one with itself: %v, %v", changes, err)
	}
}

func TestAClusterWithoutAHistorySaysSo(t *testing.T) {
	a, s := alone(t, nodeConfig(t, "d1", 1))
	edits := api.EditRequest{Edits: []config.Edit{{Verb: config.Remove, Kind: config.KindService, In: "web"}}}
	for what, do := range map[string]func() error{
		"edit": func() error {
			_, err := a.Edit(t.Context(), edits)
			return err
		},
		"edit --plan": func() error {
			_, err := a.PlanEdit(t.Context(), edits)
			return err
		},
		"rollback": func() error {
			_, err := a.Rollback(t.Context(), api.RollbackRequest{Revision: 6})
			return err
		},
		"the plan of a rollback": func() error {
			_, err := a.PlanRollback(t.Context(), api.RollbackRequest{Revision: 6})
			return err
		},
		"show --revision": func() error {
			_, err := a.ConfigAt(t.Context(), 6)
			return err
		},
		"diff": func() error {
			_, err := a.Diff(t.Context(), 0, 6)
			return err
		},
		"history": func() error {
			_, err := a.History(t.Context())
			return err
		},
		"--confirm": func() error {
			_, err := s.change(t.Context(), s.node.State(), fsm.ChangeConfig{Delta: fsm.Delta{Services: map[string]*fsm.Service{"web": {}}}}, api.Terms{Confirm: time.Minute})
			return err
		},
	} {
		if err := do(); !errors.Is(err, fsm.ErrLevel) || !strings.Contains(err.Error(), "quorate upgrade finish") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := a.ConfigAt(t.Context(), s.node.State().Revision); err != nil {
		t.Errorf("the present revision: %v", err)
	}
}

func TestWhatNeedsAHistoryIsNotDoneAsIfItDidNot(t *testing.T) {
	w := wanted{old: func(string, fsm.Config) fsm.Command { return nil }}
	if state := (&fsm.State{Level: 1}); !w.plain(state) || w.plain(&fsm.State{Level: fsm.LevelHistory}) {
		t.Error("a change without terms, at either level")
	}
	for _, terms := range []api.Terms{{Message: "why"}, {Confirm: time.Minute}, {RevertBelow: 50}} {
		w.terms = terms
		if w.plain(&fsm.State{Level: 1}) {
			t.Errorf("%+v are dropped", terms)
		}
	}
}

// TestNoEditFailsSinceOthersAreFaster makes hundreds at the same time, on both directors of a cluster.
func TestNoEditFailsSinceOthersAreFaster(t *testing.T) {
	t.Parallel()
	const each = 100
	leads, s, _ := ofTwoWith(t)
	withWeb(t, s)
	var edits sync.WaitGroup
	for d, s := range []*session{leads, s} {
		for i := range each {
			server := config.Edit{Verb: config.Add, Kind: config.KindServer, In: "web", Name: fmt.Sprintf("198.51.%d.%d:80", d, i)}
			edit := func(ctx context.Context) (api.ApplyResult, error) {
				state, d, err := s.edited(ctx, []config.Edit{server})
				if err != nil {
					return api.ApplyResult{}, err
				}
				return s.change(ctx, state, fsm.ChangeConfig{Base: state.Revision, Delta: d}, api.Terms{})
			}
			edits.Go(func() {
				if _, err := s.again(t.Context(), edit); err != nil {
					t.Errorf("%s: %v", server.Name, err)
				}
			})
		}
	}
	edits.Wait()
	state := s.node.State()
	if n := len(state.Config.Services.Of("web").Servers); n != 2*each || state.Revision != 1+2*each {
		t.Errorf("%d servers at revision %d", n, state.Revision)
	}
}

// TestNoEditIsMadeOnceItsCallerHasGone has callers who go while they wait for their turn, and before they try again.
func TestNoEditIsMadeOnceItsCallerHasGone(t *testing.T) {
	t.Parallel()
	_, s := alone(t, nodeConfig(t, "d1", fsm.LevelHistory))
	gone, leave := context.WithCancel(t.Context())
	defer leave()
	tries := 0
	_, err := s.again(gone, func(context.Context) (api.ApplyResult, error) {
		if tries++; tries > 1 {
			return api.ApplyResult{}, nil
		}
		time.AfterFunc(10*time.Millisecond, leave)
		return api.ApplyResult{}, fmt.Errorf("eve was faster: %w", fsm.ErrStale)
	})
	if tries != 1 || !errors.Is(err, fsm.ErrStale) {
		t.Errorf("gone before another try: %d, %v", tries, err)
	}
	end, err := s.edits.take(t.Context(), func() uint64 { return 0 })
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	_, err = s.again(gone, func(context.Context) (api.ApplyResult, error) {
		tries++
		return api.ApplyResult{}, nil
	})
	if tries != 1 || !errors.Is(err, context.Canceled) {
		t.Errorf("gone before its turn: %d, %v", tries, err)
	}
}
