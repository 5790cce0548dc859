package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/cluster"
	"github.com/quorate/quorate/director/keeper"
	"github.com/quorate/quorate/fsm"
)

// PlanRecovery implements [api.Agent].
func (a *Agent) PlanRecovery(ctx context.Context, r api.RecoverRequest) (api.RecoveryPlan, error) {
	s, err := a.current()
	if err != nil {
		return api.RecoveryPlan{}, err
	}
	return s.planRecovery(ctx, r)
}

func (s *session) planRecovery(ctx context.Context, r api.RecoverRequest) (api.RecoveryPlan, error) {
	v, err := s.node.Survey(ctx)
	if err != nil {
		return api.RecoveryPlan{}, fmt.Errorf("nothing was recovered: %w", err)
	}
	p := api.RecoveryPlan{
		Survivor: v.Name, Epoch: v.Epoch + 1, AsOf: v.AsOf, Written: v.Written, Revision: v.Revision, Halted: v.Halted, Members: []api.LostMember{},
	}
	owners := heardOwners(s.node.State(), s.keeper.Status().Groups)
	for i := range v.Members {
		v.Members[i].Owns = owners[v.Members[i].Name]
		p.Members = append(p.Members, lostMember(v.Members[i]))
	}
	if v.Done() {
		p.Done, p.Epoch = true, v.Epoch
		return p, nil
	}
	return p, v.Refusal(r.Force)
}

func lostMember(m cluster.SurveyMember) api.LostMember {
	return api.LostMember{Name: m.Name, Address: m.Address, Answers: m.Answers, AppliedIndex: m.Index, Why: m.Why, Owns: m.Owns}
}

// heardOwners are the members whose adverts arrive here, each with a group as whose owner it is heard.
func heardOwners(state *fsm.State, groups []keeper.GroupStatus) map[string]string {
	owners := map[string]string{}
	for _, g := range groups {
		for _, router := range g.Routers {
			if !arrives(g, router) {
				continue
			}
			if name := memberAt(state, router.Heard.Source.String()); name != "" {
				owners[name] = g.Name
			}
		}
	}
	return owners
}

// Recover implements [api.Agent]. The session ends and another begins on what the recovery has made;
// the keeper and the kernel go on meanwhile, as in a restart of this process.
func (a *Agent) Recover(ctx context.Context, r api.RecoverRequest, p api.Progress) error {
	a.change.Lock()
	defer a.change.Unlock()
	ctx = context.WithoutCancel(ctx) // half a recovery helps nobody: it goes on when who asked is gone
	s, err := a.current()
	if err != nil {
		return err
	}
	plan, err := s.planRecovery(ctx, r)
	if err != nil {
		return err
	}
	if plan.Done {
		p(fmt.Sprintf("this director has recovered the cluster already, which is in epoch %d: nothing to do", plan.Epoch))
		return a.waitLed(ctx, p)
	}
	p(fmt.Sprintf("the others are lost: going on as of log entry %d, revision %d", plan.AsOf, plan.Revision))
	a.mu.Lock()
	a.session, a.between = nil, errors.New("the cluster is being recovered here: ask again in a moment")
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		a.between = nil
		a.mu.Unlock()
	}()
	decided := s.decisions()
	if err := s.close(); err != nil {
		a.cfg.Log.Warn("the part in the old cluster did not end in order", "err", err)
	}
	done, err := cluster.RecoverData(a.clusterConfig(), p)
	if startErr := a.start(); startErr != nil {
		err = errors.Join(err, startErr)
		select {
		case a.failed <- fmt.Errorf("after a recovery: %w", startErr): // systemd starts this process again, on what is there
		default:
		}
	}
	if err != nil {
		return fmt.Errorf("recover: %w", err)
	}
	if next, err := a.current(); err == nil {
		next.placed.follow(decided)
	}
	a.events.add(a.cfg.File.Name, done.Index, "member", a.cfg.File.Name, fmt.Sprintf("cluster recovered on %s as of log entry %d: epoch %d", done.Survivor, done.AsOf, done.Epoch))
	return a.waitLed(ctx, p)
}

// waitLed waits until the cluster can change something again, and this director is ready.
func (a *Agent) waitLed(ctx context.Context, p api.Progress) error {
	limit, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	for {
		s, err := a.current()
		if err != nil {
			return err
		}
		if err := s.node.Removed(); err != nil { // another has recovered it, too
			return err
		}
		if s.node.Quorum() && s.node.Leader() != "" {
			return a.waitReady(ctx, p)
		}
		if !sleep(limit, 50*time.Millisecond) {
			return fmt.Errorf("the cluster is recovered, but nobody leads it after %v: see the agent's log", readyLimit)
		}
	}
}

// order gives the keeper its orders. A director that a recovery left behind has none but to own nothing.
func (s *session) order(ctx context.Context, o keeper.Order) error {
	if s.node.LeftBehind() != nil {
		o = keeper.Order{}
	}
	return s.keeper.Set(ctx, o)
}

// yield has the keeper give up what it owns once a recovery has left this director behind, and looks that
// it stays so: orders from before may still be on their way.
func (s *session) yield(ctx context.Context) error {
	tick := s.ticker(reportEvery)
	defer tick.Stop()
	said := false
	for {
		changed := s.node.Changed()
		if r := s.node.LeftBehind(); r != nil {
			if !said {
				said = true
				s.events.add(s.cfg.Name, r.Index, "member", s.cfg.Name, s.node.Removed().Error())
			}
			if len(s.keeper.Ordered()) > 0 || len(s.keeper.Status().Groups) > 0 {
				if err := s.keeper.Set(ctx, keeper.Order{}); err != nil && ctx.Err() == nil {
					s.log.Warn("the keeper does not give up what it owns yet", "err", err)
				}
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-tick.C:
		}
	}
}
