package agent

import (
	"context"
	"time"

	"github.com/quorate/quorate/checks"
	"github.com/quorate/quorate/cluster"
	"github.com/quorate/quorate/fsm"
)

// settle is how long a new leader listens before it decides: it has to have heard everybody once.
const settle = 2 * reportEvery

// quorumGrace is how long a quorum may be gone before a director acts on that.
const quorumGrace = 2 * time.Second

// duty makes a leader's duty of a function that is to run again and again: when a report came, and
// each tick.
func (s *session) duty(every time.Duration, do func(ctx context.Context, now time.Time)) func(context.Context, *cluster.Node) {
	return func(ctx context.Context, _ *cluster.Node) {
		if !sleep(ctx, settle) {
			return
		}
		tick := s.ticker(every)
		defer tick.Stop()
		heard, stop := s.heard.listen()
		defer stop()
		for {
			do(ctx, time.Now())
			select {
			case <-ctx.Done():
				return
			case <-heard:
			case <-tick.C:
			}
		}
	}
}

// agreeVerdicts proposes what the observers agree about, all changes of one round in one entry.
func (s *session) agreeVerdicts(ctx context.Context, now time.Time) {
	state := s.node.State()
	seen := map[string]map[fsm.ServerKey]checks.Observation{}
	for name, r := range s.reports.live(now) {
		if _, member := state.Members[name]; member {
			seen[name] = r.Observations
		}
	}
	changed := checks.AgreeAll(checks.Inputs{Verdicts: state.Verdicts, Services: state.Config.Services, Reports: seen})
	if len(changed) == 0 {
		return
	}
	if err := s.node.Propose(ctx, fsm.SetVerdicts{Verdicts: changed}); err != nil && ctx.Err() == nil {
		s.log.Warn("verdicts not agreed", "servers", len(changed), "err", err)
	}
}

// sleep waits for d, or until ctx ends; it reports whether all of d passed.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
