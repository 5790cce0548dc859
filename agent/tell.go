package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// telling is a report on its way to another member. There is one at a time for each: one that hangs delays no
// other, and what has changed meanwhile is told after it.
type telling struct {
	cancel context.CancelFunc
	again  bool // there was news while it was on its way
}

// tellings are the reports on their way, by the member's name.
type tellings struct {
	mu     sync.Mutex
	byName map[string]*telling
}

// begin notes that a report is to go to a member, unless one is on its way: then another follows that.
func (ts *tellings) begin(ctx context.Context, name string) (context.Context, *telling) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if t := ts.byName[name]; t != nil {
		t.again = true
		return nil, nil
	}
	if ts.byName == nil {
		ts.byName = map[string]*telling{}
	}
	ctx, cancel := context.WithTimeout(ctx, 2*reportEvery)
	t := &telling{cancel: cancel}
	ts.byName[name] = t
	return ctx, t
}

// end notes that a report is not on its way any more, and reports whether another is to follow.
func (ts *tellings) end(name string, t *telling) bool {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t.cancel()
	delete(ts.byName, name)
	return t.again
}

// renew has a member told anew: what is on its way to it may have been lost on a path that was cut.
func (ts *tellings) renew(name string) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if t := ts.byName[name]; t != nil {
		t.again = true
		t.cancel()
	}
}

// tellOthers sends this director's report to every other member, each in its own time.
func (s *session) tellOthers(ctx context.Context) error {
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	for {
		r := s.report()
		s.reports.put(r, time.Now())
		body, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("encode report: %w", err)
		}
		for _, name := range s.others() {
			s.tell(ctx, name, body)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.tellNow:
		case <-tick.C:
		}
	}
}

// tell sends a report to one member, beside what else goes on.
func (s *session) tell(ctx context.Context, name string, body []byte) {
	ctx, t := s.tellings.begin(ctx, name)
	if t == nil {
		return
	}
	s.group.Go(func() error {
		if err := s.ask(ctx, name, http.MethodPost, "/peer/report", body, nil); err != nil {
			s.log.Debug("report not delivered", "to", name, "err", err)
		}
		if s.tellings.end(name, t) {
			poke(s.tellNow)
		}
		return nil
	})
}

// returned has a member told anew that is heard again after a silence: the cut may have swallowed what it was told,
// and two owners that do not know of each other are to settle it at once.
func (s *session) returned(name string) {
	s.tellings.renew(name)
	poke(s.tellNow)
}
