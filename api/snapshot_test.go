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

var (
	recoverRequest = api.RecoverRequest{Force: true}
	recoveryPlan   = api.RecoveryPlan{Survivor: "d3", Epoch: 2, AsOf: 9, Revision: 7, Written: noon, Members: []api.LostMember{{Name: "d1", Answers: true, AppliedIndex: 8}}}
)

func (f *fake) PlanRecovery(_ context.Context, r api.RecoverRequest) (api.RecoveryPlan, error) {
	return recoveryPlan, f.ask(r)
}

func (f *fake) Recover(_ context.Context, r api.RecoverRequest, p api.Progress) error {
	return f.long(p, "recover", r)
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
		{"PlanRecovery", func(ctx context.Context, a api.Agent, _ api.Progress) ([]any, error) {
			p, err := a.PlanRecovery(ctx, recoverRequest)
			return one(p, err)
		}, []any{recoverRequest}, []any{recoveryPlan}, false},
		{"Recover", func(ctx context.Context, a api.Agent, p api.Progress) ([]any, error) {
			return nil, a.Recover(ctx, recoverRequest, p)
		}, []any{"recover", recoverRequest}, nil, true},
	}
}
