package api_test

import (
	"context"

	"github.com/quorate/quorate/api"
)

var (
	save    = api.SaveRequest{Stale: true}
	state   = api.SavedState{Text: []byte("quorate-saved-state/1 00\n")}
	restore = api.RestoreRequest{Text: state.Text, Force: true, Base: 7, Author: "root"}
)

func (f *fake) SaveSnapshot(_ context.Context, r api.SaveRequest) (api.SavedState, error) {
	return state, f.ask(r)
}

func (f *fake) PlanRestore(_ context.Context, r api.RestoreRequest) (api.Plan, error) {
	return plan, f.ask("plan", r)
}

func (f *fake) Restore(_ context.Context, r api.RestoreRequest) (api.ApplyResult, error) {
	return result, f.ask(r)
}

// moreCalls are of what an agent is asked in bad times.
func moreCalls() []call {
	one := func(v any, err error) ([]any, error) { return []any{v}, err }
	return []call{
		{"SaveSnapshot", func(ctx context.Context, a api.Agent, _ api.Progress) ([]any, error) {
			s, err := a.SaveSnapshot(ctx, save)
			return one(s, err)
		}, []any{save}, []any{state}, false},
		{"PlanRestore", func(ctx context.Context, a api.Agent, _ api.Progress) ([]any, error) {
			p, err := a.PlanRestore(ctx, restore)
			return one(p, err)
		}, []any{"plan", restore}, []any{plan}, false},
		{"Restore", func(ctx context.Context, a api.Agent, _ api.Progress) ([]any, error) {
			r, err := a.Restore(ctx, restore)
			return one(r, err)
		}, []any{restore}, []any{result}, false},
	}
}
