package agent

import (
	"context"
	"maps"
	"slices"
	"sync"
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

// unjudged are the services on which verdicts are to be looked at again: what is known of them has changed. All are where
// others observe than before, since observers go silent without a word; and once in a while, whatever was not noted. Who
// begins to lead looks at all, so that others need to note nothing.
type unjudged struct {
	leads     func() bool // whether this director does; nil: yes
	mu        sync.Mutex
	names     map[string]bool
	at        time.Time // when all were
	observers []string  // then and since, sorted
}

// allEvery is how often all are looked at, though nothing says that anything has changed.
const allEvery = 10 * time.Second

func (u *unjudged) add(services []string) {
	leads := u.leads == nil || u.leads()
	u.mu.Lock()
	defer u.mu.Unlock()
	if !leads {
		u.names = nil
		return
	}
	if u.names == nil {
		u.names = map[string]bool{}
	}
	for _, name := range services {
		u.names[name] = true
	}
}

// all has all looked at next time.
func (u *unjudged) all() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.at = time.Time{}
}

// of returns those of the services that are to be looked at now, if these observe. It is to be called before what is known is read.
func (u *unjudged) of(now time.Time) func(all fsm.Map[fsm.Service], observers []string) fsm.Map[fsm.Service] {
	u.mu.Lock()
	defer u.mu.Unlock()
	names := u.names
	u.names = nil
	due := now.Sub(u.at) >= allEvery
	if due {
		u.at = now
	}
	return func(all fsm.Map[fsm.Service], observers []string) fsm.Map[fsm.Service] {
		if u.others(observers) || due {
			return all
		}
		return all.Only(maps.Keys(names))
	}
}

// others notes who observes, and reports whether these are others than before.
func (u *unjudged) others(observers []string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	same := slices.Equal(observers, u.observers)
	u.observers = observers
	return !same
}

// agree has the leader agree on verdicts, first on all: who does not lead notes nothing.
func (s *session) agree(ctx context.Context, node *cluster.Node) {
	s.unjudged.all()
	s.duty(reportEvery, s.agreeVerdicts)(ctx, node)
}

// agreeVerdicts proposes what the observers agree about, all changes of one round in one entry.
func (s *session) agreeVerdicts(ctx context.Context, now time.Time) {
	due := s.unjudged.of(now)
	state := s.node.State()
	seen := map[string]map[fsm.ServerKey]checks.Observation{}
	for name, r := range s.reports.live(now) {
		if _, member := state.Members[name]; member {
			seen[name] = r.Observations
		}
	}
	services := due(state.Config.Services, slices.Sorted(maps.Keys(seen)))
	if services.IsZero() {
		return
	}
	changed := checks.AgreeAll(checks.Inputs{Verdicts: state.Verdicts, Services: services, Reports: seen})
	if len(changed) == 0 {
		return
	}
	if err := s.node.Propose(ctx, fsm.SetVerdicts{Verdicts: changed}); err != nil && ctx.Err() == nil {
		s.unjudged.all()
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
