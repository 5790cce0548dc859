package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"reflect"
	"sync"
	"time"
)

// telling is a report on its way to another member. There is one at a time for each: one that hangs delays no
// other, and what has changed meanwhile is told after it.
type telling struct {
	cancel context.CancelFunc
	again  bool // there was news while it was on its way
}

// tellings are the reports on their way, by the member's name, and what was told.
type tellings struct {
	numbering sync.Mutex        // guards what follows: nobody waits for a large report to be compared and encoded but who has another
	last      report            // the newest, without a number and without who was refused
	encoded   []byte            // the newest, with its number
	refused   map[string]uint64 // as that has it
	made      time.Time         // when it was encoded

	mu     sync.Mutex
	byName map[string]*telling
	told   map[string]told

	number uint32    // of the newest report; written by who holds numbering, too
	begun  time.Time // when the first was made; likewise
	looked time.Time // when it was looked whether that stands
}

// told is what a member has.
type told struct {
	number uint32
	at     time.Time
}

// numbered gives a report its number, and returns it encoded, too: the number is that of the last one if it says the
// same. No number is 0, nor likely to be one of an agent that ran here before. How many were refused is no news, for
// strangers count it up as often as they like: it is encoded anew with what is, or where that was done long ago. What a
// report holds is kept here and in [reports], and nobody changes it from now on.
func (ts *tellings) numbered(r report, now time.Time) (report, []byte, error) {
	refused := r.Refused
	r.Refused = nil
	ts.numbering.Lock()
	defer ts.numbering.Unlock()
	number, begun := ts.number, ts.begun
	if number == 0 {
		number, begun = rand.Uint32(), now
	}
	same, err := ts.same(r, number, begun)
	if err != nil {
		return r, nil, err
	}
	if !same {
		number = max(number+1, 1)
	}
	encoded := ts.encoded
	if !same || refused != nil && now.Sub(ts.made) >= reportAgain {
		if encoded, err = encode(r, number, begun, refused); err != nil {
			return r, nil, err
		}
		ts.refused, ts.made = refused, now
	}
	ts.last, ts.encoded = r, encoded // that of before is of no use any more
	ts.mu.Lock()
	ts.number, ts.begun, ts.looked = number, begun, now
	ts.mu.Unlock()
	r.Number, r.Begun, r.Refused = number, begun.UnixNano(), refused
	return r, encoded, nil
}

// same reports whether a report says the same as the last one. It is encoded only where it is not equal: all of its observations
// each second would be most of what an idle director does.
func (ts *tellings) same(r report, number uint32, begun time.Time) (bool, error) {
	if ts.encoded == nil || reflect.DeepEqual(r, ts.last) {
		return ts.encoded != nil, nil
	}
	body, err := encode(r, number, begun, ts.refused)
	return bytes.Equal(body, ts.encoded), err
}

// encode encodes a report with what it says of itself.
func encode(r report, number uint32, begun time.Time, refused map[string]uint64) ([]byte, error) {
	r.Number, r.Begun, r.Refused = number, begun.UnixNano(), refused
	body, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode report: %w", err)
	}
	return body, nil
}

// stands is the number of the report that says how this director is; 0 if it was not looked for that in time.
func (ts *tellings) stands(now time.Time) uint32 {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if now.Sub(ts.looked) > 2*reportEvery {
		return 0
	}
	return ts.number
}

// knows reports whether a member was told the newest report, not too long ago.
func (ts *tellings) knows(name string, now time.Time) bool {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t := ts.told[name]
	return t.number == ts.number && now.Sub(t.at) < reportAgain
}

// has reports whether a member was told a report, or a later one.
func (ts *tellings) has(name string, number uint32) bool {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t, ok := ts.told[name]
	return ok && int32(t.number-number) >= 0
}

// await waits until some members were told a report, or a later one, or ctx ends.
func (ts *tellings) await(ctx context.Context, names []string, number uint32) {
	for _, name := range names {
		for !ts.has(name, number) && sleep(ctx, 10*time.Millisecond) {
		}
	}
}

// took notes that a member was told a report, unless it is to be told again anyway.
func (ts *tellings) took(name string, t *telling, number uint32, now time.Time) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if t.again {
		return
	}
	if ts.told == nil {
		ts.told = map[string]told{}
	}
	ts.told[name] = told{number, now}
}

// forget has a member told anew: it may be another process by now, which knows nothing.
func (ts *tellings) forget(name string) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	delete(ts.told, name)
	if t := ts.byName[name]; t != nil {
		t.again = true
	}
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
	delete(ts.told, name)
	if t := ts.byName[name]; t != nil {
		t.again = true
		t.cancel()
	}
}

// tellOthers sends this director's report to every other member that does not have it, each in its own time.
func (s *session) tellOthers(ctx context.Context) error {
	tick := s.ticker(reportEvery)
	defer tick.Stop()
	for {
		now := time.Now()
		r, body, err := s.newReport(now)
		if err != nil {
			return err
		}
		s.reports.put(r, now)
		for _, name := range s.others() {
			if !s.tellings.knows(name, now) {
				s.tell(ctx, name, r.Number, body)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.tellNow:
		case <-tick.C:
		}
	}
}

// newReport returns how this director is now, as it is told, and encoded.
func (s *session) newReport(now time.Time) (report, []byte, error) {
	return s.tellings.numbered(s.report(), now)
}

// tellAll has the others know how this director is now. One that does not answer is waited for no longer than a report
// takes.
func (s *session) tellAll(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*reportEvery)
	defer cancel()
	r, _, err := s.newReport(time.Now())
	if err != nil {
		return // the loop that tells says so
	}
	poke(s.tellNow)
	s.tellings.await(ctx, s.others(), r.Number)
}

// tell sends a report to one member, beside what else goes on.
func (s *session) tell(ctx context.Context, name string, number uint32, body []byte) {
	ctx, t := s.tellings.begin(ctx, name)
	if t == nil {
		return
	}
	s.group.Go(func() error {
		if err := s.ask(ctx, name, http.MethodPost, "/peer/report", body, nil); err != nil {
			s.log.Debug("report not delivered", "to", name, "err", err)
		} else {
			s.tellings.took(name, t, number, time.Now())
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
