package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/quorate/quorate/director/address"
	"github.com/quorate/quorate/director/keeper"
)

// fenceAfter is how long a keeper may take for an answer when another director says that it owns what this
// keeper owned. One that takes longer is frozen, and cannot give its addresses up.
const fenceAfter = 300 * time.Millisecond

// fence removes the addresses of a keeper that is frozen, once another director says that it owns them: the
// kernel would answer for them until their lifetime ends, and two would for longer than a second. It is
// the one thing that control does to addresses. A keeper that goes on looks at what it has first.
func (s *session) fence(ctx context.Context) error {
	heard, stop := s.heard.listen()
	defer stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-heard:
		}
		if len(s.contested()) == 0 || s.keeper.answers(ctx) || ctx.Err() != nil {
			continue
		}
		for _, g := range s.contested() { // still so
			if err := removeAddresses(g, s); err != nil {
				s.log.Error("addresses of a keeper that is frozen stay for their lifetime", "group", g.Name, "err", err)
				continue
			}
			s.log.Warn("the keeper is frozen and another director owns the group: its addresses are removed", "group", g.Name)
		}
	}
}

// contested are the groups that the keeper said last to own, and that another director says to own.
func (s *session) contested() []keeper.Group {
	owned, live := s.keeper.owned(), s.reports.live(time.Now())
	return slices.DeleteFunc(s.keeper.ordered(), func(g keeper.Group) bool {
		for name, r := range live {
			if name != s.cfg.Name && r.active(g.Name) && slices.Contains(owned, g.Name) {
				return false
			}
		}
		return true
	})
}

func removeAddresses(g keeper.Group, s *session) (err error) {
	host, err := address.New(address.Config{Log: s.log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, host.Close()) }()
	var all []address.Address
	for _, r := range g.Routers {
		all = append(all, r.Kept()...)
	}
	if err := host.Remove(all); err != nil {
		return fmt.Errorf("remove the addresses of %s: %w", g.Name, err)
	}
	return nil
}

// answers reports whether the keeper does not hang. One that is not there is not frozen: what it had is taken
// up by the next.
func (k *keeperLink) answers(ctx context.Context) bool {
	c, err := k.current()
	if err != nil {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, fenceAfter)
	defer cancel()
	_, err = c.Status(ctx)
	return !errors.Is(err, context.DeadlineExceeded)
}

// ordered are the groups that the keeper is to run.
func (k *keeperLink) ordered() []keeper.Group {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.order == nil {
		return nil
	}
	return slices.Clone(k.order.Groups)
}
