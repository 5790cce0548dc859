package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/cluster"
	"github.com/quorate/quorate/fsm"
)

// Remove implements [api.Agent]: it ends another director's membership.
func (a *Agent) Remove(ctx context.Context, name string, force bool) (api.Ended, error) {
	s, err := a.current()
	if err != nil {
		return api.Ended{}, err
	}
	return ended(unknownMember(atRisk(s.remove(ctx, name, force))))
}

// ended takes it for success that something had been ended before.
func ended(err error) (api.Ended, error) {
	if errors.Is(err, fsm.ErrAlready) {
		return api.Ended{Before: err.Error()}, nil
	}
	return api.Ended{}, err
}

func (s *session) remove(ctx context.Context, name string, force bool) error {
	if name == s.cfg.Name {
		return errors.New("this is that director: use `quorate leave` here")
	}
	// Without a quorum the last reports are no news, and nothing can be removed whoever is alive.
	if r, alive := s.reports.live(time.Now())[name]; alive && !r.Stopped && !force && s.node.Quorum() && !s.portClosed(ctx, name) {
		err := s.node.MayRemove(ctx, name)
		if isNoMember(err) { // this director may be behind, and it may be one again: who leads would end that, and asks nobody whether it is alive
			if _, err := s.latest(ctx); err != nil {
				return fmt.Errorf("%s is alive, and not known here as a member: %w", name, err)
			}
			err = s.node.MayRemove(ctx, name)
		}
		if isNoMember(err) {
			return s.node.Remove(ctx, name, force) // who leads knows whether all is done
		}
		if err != nil {
			return err
		}
		return fmt.Errorf("%s is alive: `quorate leave` there hands over first, and takes what quorate made with it; --force removes it all the same", name)
	}
	return s.node.Remove(ctx, name, force)
}

// isNoMember reports whether it is said of a name that no member has it.
func isNoMember(err error) bool {
	return errors.Is(err, fsm.ErrNotFound) || errors.Is(err, fsm.ErrAlready)
}

// closedLimit is how long a member may take to answer before it counts as alive by what it reported last.
const closedLimit = time.Second

// portClosed reports whether nothing listens on the cluster port of a member any more, though it reported a moment ago.
func (s *session) portClosed(ctx context.Context, name string) bool {
	ctx, cancel := context.WithTimeout(ctx, closedLimit)
	defer cancel()
	return errors.Is(s.node.Reach(ctx, name), unix.ECONNREFUSED)
}

// atRisk adds to a refusal how it is overruled.
func atRisk(err error) error {
	if errors.Is(err, cluster.ErrQuorumAtRisk) {
		return fmt.Errorf("%w (--force)", err)
	}
	return err
}

// unknownMember adds to a refusal where the names of members are found.
func unknownMember(err error) error {
	if errors.Is(err, fsm.ErrNotFound) {
		return fmt.Errorf("%w: `quorate members` lists all members", err)
	}
	return err
}
