package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/director/address"
	"github.com/quorate/quorate/director/keeper"
	"github.com/quorate/quorate/director/ownership"
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
	tick := s.ticker(fenceAfter) // one whose report has come may be heard again only since
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-heard:
		}
		first := s.contested(report.active)
		if len(first) == 0 || s.keeper.Answers(ctx, fenceAfter) || ctx.Err() != nil {
			continue
		}
		present, unknown := presentAddresses(s.log)
		// Still so; or the keeper of who owns it by now was started anew meanwhile, and has the addresses.
		for _, g := range still(first, s.contested(report.serves)) {
			if unknown == nil && !anyThere(g, present) { // they were removed before
				continue
			}
			if err := removeAddresses(g, s.log); err != nil { // whatever is there, if that is not known
				s.log.Error("addresses of a keeper that is frozen stay for their lifetime", "group", g.Name, "err", err)
				continue
			}
			s.log.Warn("the keeper is frozen and another director owns the group: its addresses are removed", "group", g.Name)
			s.groups.Fenced(g.Name)
		}
	}
}

// still are the groups of some that were contested before the keeper was waited for: of another, who is about to let its
// addresses go, after a move to here, has them for a moment as well.
func still(before, now []keeper.Group) []keeper.Group {
	return slices.DeleteFunc(now, func(g keeper.Group) bool {
		return !slices.ContainsFunc(before, func(b keeper.Group) bool { return b.Name == g.Name })
	})
}

// contested are the groups of which the keeper has addresses, or has just given them up, and of which another director says
// something, as that it owns them.
func (s *session) contested(says func(report, string) bool) []keeper.Group {
	now := time.Now()
	silent := func(name string) bool { return s.usual(s.alive.tracker.Unheard(name, now)) >= ownership.GoneAfter }
	return contested(s.cfg.Name, s.keeper.Ordered(), s.mayKeep, s.reports.live(now), silent, says)
}

// mayKeep are the groups of which this host has addresses, and those that the keeper has given up so lately that it may have been
// frozen before they were removed.
func (s *session) mayKeep() []string { return append(s.kept(), s.keeper.Leaves()...) }

// kept are the groups of which this host has addresses: as the keeper said last, though it may not own them yet, since one that
// was started keeps what it finds while it listens. Where none is there, or it has not said anything since this process was
// connected to it, they are those of which the kernel has addresses.
func (s *session) kept() []string {
	if s.keeper.Attached() {
		return s.keeper.Kept()
	}
	ordered := s.keeper.Ordered()
	if len(ordered) == 0 {
		return nil
	}
	present, err := presentAddresses(s.log)
	if err != nil {
		s.log.Error("it is not known what a keeper that does not answer has", "err", err)
	}
	return kept(ordered, present)
}

// kept are the groups of which a kernel has addresses with a lifetime, as a keeper adds them.
func kept(groups []keeper.Group, present map[address.Address]time.Duration) []string {
	has := func(r keeper.Router) bool {
		return slices.ContainsFunc(r.Kept(), func(a address.Address) bool { return present[a] > 0 })
	}
	var names []string
	for _, g := range groups {
		if slices.ContainsFunc(g.Routers, has) {
			names = append(names, g.Name)
		}
	}
	return names
}

func presentAddresses(log hclog.Logger) (present map[address.Address]time.Duration, err error) {
	host, err := address.New(address.Config{Log: log})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, host.Close()) }()
	return host.Present()
}

// contested goes by the reports of others. One that is silent may be dead or frozen, and own the group no more. What is owned here
// is asked only where another says something: where there is no keeper, the kernel lists all of its addresses for that.
func contested(self string, ordered []keeper.Group, owned func() []string, live map[string]received, silent func(string) bool, says func(report, string) bool) []keeper.Group {
	owned = sync.OnceValue(owned)
	return slices.DeleteFunc(ordered, func(g keeper.Group) bool {
		for name, r := range live {
			if name != self && !silent(name) && says(r.report, g.Name) {
				return !slices.Contains(owned(), g.Name)
			}
		}
		return true
	})
}

// anyThere reports whether a kernel has any address of a group, with a lifetime or without one.
func anyThere(g keeper.Group, present map[address.Address]time.Duration) bool {
	return slices.ContainsFunc(addresses(g), func(a address.Address) bool { _, there := present[a]; return there })
}

func addresses(g keeper.Group) (all []address.Address) {
	for _, r := range g.Routers {
		all = append(all, r.Kept()...)
	}
	return all
}

// removeAddresses removes the addresses of a group.
func removeAddresses(g keeper.Group, log hclog.Logger) (err error) {
	host, err := address.New(address.Config{Log: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, host.Close()) }()
	if err := host.Remove(addresses(g)); err != nil {
		return fmt.Errorf("remove the addresses of %s: %w", g.Name, err)
	}
	return nil
}
