package api_test

import (
	"context"
	"time"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/fsm"
)

var (
	terms    = api.Terms{Author: "root", Message: "because", Confirm: time.Minute, RevertBelow: 50}
	revision = api.Revision{Revision: 7, Time: noon, Author: "root@d1", Message: "because", Cause: "rollback to revision 5", Summary: "add router web", Confirmed: "eve@d2", Until: noon}
	rollback = api.RollbackRequest{Base: 7, Revision: 5, Terms: terms}
	edit     = api.EditRequest{Edits: []config.Edit{{Verb: config.Modify, Kind: config.KindServer, In: "web", Name: "192.0.2.11:80", Keys: map[string]string{"weight": "3"}}}, Terms: terms}
	confirm  = api.ConfirmRequest{Revision: 7, Author: "root"}
	upgrade  = api.UpgradeStatus{
		Name: "d1", Leader: "d2", Level: 1, RaiseTo: 2, RaiseAt: noon, ByHand: true, RaiseAwaits: []string{"d3 drains"},
		Directors: []api.UpgradeDirector{{Name: "d1", State: "alive", Version: "2", MinLevel: 1, MaxLevel: 2}},
		Next:      []api.NextLevel{{Level: 2, Brings: []string{"more"}, WaitsFor: []string{"d1"}}},
	}
)

func (f *fake) History(context.Context) ([]api.Revision, error) {
	return []api.Revision{revision}, f.ask("history")
}

func (f *fake) ConfigAt(_ context.Context, revision uint64) (fsm.Config, error) {
	return model, f.ask("config", revision)
}

func (f *fake) Diff(_ context.Context, from, to uint64) ([]config.Change, error) {
	return plan.Changes, f.ask("diff", from, to)
}

func (f *fake) PlanRollback(_ context.Context, r api.RollbackRequest) (api.Plan, error) {
	return plan, f.ask("plan", r)
}

func (f *fake) Rollback(_ context.Context, r api.RollbackRequest) (api.ApplyResult, error) {
	return result, f.ask(r)
}

func (f *fake) PlanEdit(_ context.Context, r api.EditRequest) (api.Plan, error) {
	return plan, f.ask("plan", r)
}

func (f *fake) Edit(_ context.Context, r api.EditRequest) (api.ApplyResult, error) {
	return result, f.ask(r)
}

func (f *fake) Confirm(_ context.Context, r api.ConfirmRequest) (api.ApplyResult, error) {
	return result, f.ask(r)
}

func (f *fake) UpgradeStatus(context.Context) (api.UpgradeStatus, error) {
	return upgrade, f.ask("upgrade")
}

func (f *fake) FinishUpgrade(_ context.Context, r api.UpgradeRequest) (api.UpgradeResult, error) {
	return api.UpgradeResult{Was: 1, Level: 2}, f.ask(r)
}

// historyCalls are of what an agent is asked about the past, and without a file.
func historyCalls() []call {
	one := func(v any, err error) ([]any, error) { return []any{v}, err }
	return []call{
		{"History", func(ctx context.Context, a api.Agent, _ api.Progress) ([]any, error) { return one(a.History(ctx)) }, []any{"history"}, []any{[]api.Revision{revision}}, false},
		{"ConfigAt", func(ctx context.Context, a api.Agent, _ api.Progress) ([]any, error) { return one(a.ConfigAt(ctx, 5)) }, []any{"config", uint64(5)}, []any{model}, false},
		{"Diff", func(ctx context.Context, a api.Agent, _ api.Progress) ([]any, error) { return one(a.Diff(ctx, 5, 7)) }, []any{"diff", uint64(5), uint64(7)}, []any{plan.Changes}, false},
		{"PlanRollback", func(ctx context.Context, a api.Agent, _ api.Progress) ([]any, error) {
			return one(a.PlanRollback(ctx, rollback))
		}, []any{"plan", rollback}, []any{plan}, false},
		{"Rollback", func(ctx context.Context, a api.Agent, _ api.Progress) ([]any, error) {
			return one(a.Rollback(ctx, rollback))
		}, []any{rollback}, []any{result}, false},
		{"PlanEdit", func(ctx context.Context, a api.Agent, _ api.Progress) ([]any, error) {
			return one(a.PlanEdit(ctx, edit))
		}, []any{"plan", edit}, []any{plan}, false},
		{"Edit", func(ctx context.Context, a api.Agent, _ api.Progress) ([]any, error) { return one(a.Edit(ctx, edit)) }, []any{edit}, []any{result}, false},
		{"Confirm", func(ctx context.Context, a api.Agent, _ api.Progress) ([]any, error) {
			return one(a.Confirm(ctx, confirm))
		}, []any{confirm}, []any{result}, false},
		{"UpgradeStatus", func(ctx context.Context, a api.Agent, _ api.Progress) ([]any, error) {
			return one(a.UpgradeStatus(ctx))
		}, []any{"upgrade"}, []any{upgrade}, false},
		{"FinishUpgrade", func(ctx context.Context, a api.Agent, _ api.Progress) ([]any, error) {
			return one(a.FinishUpgrade(ctx, api.UpgradeRequest{Author: "root"}))
		}, []any{api.UpgradeRequest{Author: "root"}}, []any{api.UpgradeResult{Was: 1, Level: 2}}, false},
	}
}
