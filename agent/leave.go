package agent

import (
	"context"
	"errors"
	"fmt"

	"github.com/quorate/quorate/agent/keeperlink"
	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/director/keeper"
	"github.com/quorate/quorate/fsm"
)

// Leave implements [api.Agent]: hand over, leave the cluster, then remove what quorate made here. In no cluster there is
// nothing to leave, which is no error: an agent that was restarted does not know that it has left one. One that is about to be
// in a cluster says so.
func (a *Agent) Leave(ctx context.Context, r api.LeaveRequest, p api.Progress) error {
	a.change.Lock()
	defer a.change.Unlock()
	s, err := a.current()
	if errors.As(err, new(unjoined)) {
		return fmt.Errorf("%w: take `join` out of that, and restart the agent", err)
	}
	if errors.Is(err, errNoCluster) { // a leave before this one may have been cut off in its last steps
		kept := a.keeper.Set(ctx, keeper.Order{})
		if errors.Is(kept, keeperlink.ErrNoKeeper) { // mostly there is nothing to give up, and it is told when it is there
			p("no keeper answers: if one has left virtual addresses here, they end with their lifetime, or when it is there")
			kept = nil
		}
		if err := errors.Join(kept, a.clearKernel(ctx)); err != nil {
			return err
		}
		p("this agent is in no cluster: nothing to leave")
		return nil
	}
	if err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx) // half a leave helps nobody: it goes on when who asked is gone
	removed := s.node.Removed() != nil
	r.Force = r.Force || removed // the others have ended it: nothing is at stake
	if err := s.node.MayLeave(ctx, r.Force); err != nil {
		return atRisk(err)
	}
	s.setLeaving(true)
	if len(s.node.State().Members) > 1 && !removed && s.cfg.Role != fsm.RoleWitness { // which has nothing to hand over
		if err := s.leaveAddresses(ctx, r.Force, p); err != nil {
			s.setLeaving(false)
			return err
		}
	}
	if err := s.node.Leave(ctx, r.Force, p); err != nil {
		s.setLeaving(false)
		return err
	}
	p("membership ended")
	s.stopHooks(s.cfg.Name + " leaves")
	a.mu.Lock()
	a.session = nil
	a.mu.Unlock()
	_ = s.close() // the node has ended already: nothing new can be said by its errors
	if err := errors.Join(a.keeper.Clear(ctx), a.clearKernel(ctx)); err != nil {
		return err
	}
	p("removed from this host: virtual addresses, IPVS services and sync daemons that quorate made")
	return nil
}

// leaveAddresses hands over what this director owns, before it leaves. Who could take them may be about to
// be ready: it joined a moment ago.
func (s *session) leaveAddresses(ctx context.Context, force bool, p api.Progress) error {
	last := ""
	patient := func(left []unmoved) {
		if text := said(left); text != last {
			last = text
			p("waiting: nobody can take over " + text + " yet")
		}
	}
	if force {
		patient = nil
	}
	left := s.giver().giveAway(ctx, s.cfg.Name+" leaves", patient)
	switch {
	case len(left) == 0:
		p("addresses are with other directors")
	case !force:
		return fmt.Errorf("nobody else could take over %s, so nothing was left; --force leaves all the same", said(left))
	default:
		p("nobody else could take over " + said(left))
	}
	return nil
}

func (s *session) setLeaving(v bool) {
	s.mu.Lock()
	s.leaving = v
	s.mu.Unlock()
	poke(s.tellNow)
}

func (s *session) isLeaving() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leaving
}

func (s *session) isStopped() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopped
}
