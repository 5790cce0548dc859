package agent

import (
	"context"
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

// unjudged are the services on which verdicts are to be looked at again: what is known of them has changed. All are once
// in a while, since observers go silent without a word. Who begins to lead looks at all, so that others need to note nothing.
type unjudged struct {
	leads func() bool // whether this director does; nil: yes
	mu    sync.Mutex
	names map[string]bool
	at    time.Time // when all were
}

// allEvery is how often all are looked at. It is less than the time between two ticks of the duty, of which one that comes
// a little early would else leave all to the next.
const allEvery = reportEvery * 9 / 10

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

// of returns those of the services that are to be looked at now. It is to be called before what is known is read.
func (u *unjudged) of(now time.Time) func(map[string]fsm.Service) map[string]fsm.Service {
	u.mu.Lock()
	defer u.mu.Unlock()
	names := u.names
	u.names = nil
	if now.Sub(u.at) >= allEvery {
		u.at = now
		return func(all map[string]fsm.Service) map[string]fsm.Service { return all }
	}
	return func(all map[string]fsm.Service) map[string]fsm.Service {
		some := make(map[string]fsm.Service, len(names))
		for name := range names {
			if svc, ok := all[name]; ok {
				some[name] = svc
			}
		}
		return some
	}
}

// agreeVerdicts proposes what the observers agree about, all changes of one round in one entry.
func (s *session) agreeVerdicts(ctx context.Context, now time.Time) {
	due := s.unjudged.of(now)
	state := s.node.State()
	services := due(state.Config.Services)
	if len(services) == 0 {
		return
	}
	seen := map[string]map[fsm.ServerKey]checks.Observation{}
	for name, r := range s.reports.live(now) {
		if _, member := state.Members[name]; member {
			seen[name] = r.Observations
		}
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
