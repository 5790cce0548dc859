package agent

import (
	"context"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/fsm"
)

// FinishUpgrade implements [api.Agent]: it raises the feature level to what this binary supports. Members that
// are older are named, and then nothing is changed.
func (a *Agent) FinishUpgrade(ctx context.Context, r api.UpgradeRequest) (api.UpgradeResult, error) {
	s, err := a.current()
	if err != nil {
		return api.UpgradeResult{}, err
	}
	was := s.node.State().Level
	if err := s.propose(ctx, fsm.RaiseLevel{Level: MaxLevel, Author: s.author(ctx, r.Author)}); err != nil {
		return api.UpgradeResult{}, err
	}
	return api.UpgradeResult{Was: was, Level: MaxLevel}, nil
}
