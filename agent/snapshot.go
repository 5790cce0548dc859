package agent

import (
	"context"
	"fmt"
	"time"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/fsm"
)

// SaveSnapshot implements [api.Agent].
func (a *Agent) SaveSnapshot(ctx context.Context, r api.SaveRequest) (api.SavedState, error) {
	s, err := a.current()
	if err != nil {
		return api.SavedState{}, err
	}
	saved, err := s.node.Saved(ctx, r.Stale)
	if err != nil {
		return api.SavedState{}, fmt.Errorf("save the state: %w", err)
	}
	text, err := saved.Encode()
	return api.SavedState{Text: text}, err
}

// PlanRestore implements [api.Agent].
func (a *Agent) PlanRestore(ctx context.Context, r api.RestoreRequest) (api.Plan, error) {
	s, err := a.current()
	if err != nil {
		return api.Plan{}, err
	}
	saved, err := s.restorable(r)
	if err != nil {
		return api.Plan{}, err
	}
	return s.plan(ctx, saved.State.WithKeys(), false)
}

// Restore implements [api.Agent]. The file is looked at again: nobody's word is taken for what is in it.
func (a *Agent) Restore(ctx context.Context, r api.RestoreRequest) (api.ApplyResult, error) {
	s, err := a.current()
	if err != nil {
		return api.ApplyResult{}, err
	}
	saved, err := s.restorable(r)
	if err != nil {
		return api.ApplyResult{}, err
	}
	source := fmt.Sprintf("revision %d of %s (saved by %s)", saved.State.Revision, saved.At.UTC().Format(time.RFC3339), saved.Director)
	return s.put(ctx, wanted{
		base: r.Base, config: saved.State.WithKeys(), terms: api.Terms{Author: r.Author}, cause: "restored from " + source,
		old: func(author string, cfg fsm.Config) fsm.Command {
			return fsm.RestoreConfig{Base: r.Base, Level: saved.State.Level, Config: cfg, Source: source, Author: author}
		},
	})
}

// restorable reads a saved state, and says why it is not for this cluster.
func (s *session) restorable(r api.RestoreRequest) (fsm.Saved, error) {
	saved, err := fsm.DecodeSaved(r.Text)
	if err != nil {
		return saved, fmt.Errorf("%w; nothing was restored", err)
	}
	now := s.node.State()
	switch {
	case saved.State.Level > now.Level:
		return saved, fmt.Errorf("it was saved at feature level %d, and the cluster is at %d: upgrade the cluster first (`quorate upgrade status` says what the next level waits for); nothing was restored", saved.State.Level, now.Level)
	case saved.State.ClusterID != now.ClusterID && !r.Force:
		return saved, fmt.Errorf("it is of cluster %s, and this is cluster %s; nothing was restored. --force takes that cluster's configuration and keys, "+
			"while members, certificates and tokens stay those of this one", saved.State.ClusterID, now.ClusterID)
	}
	return saved, nil
}
