package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/checks"
	"github.com/quorate/quorate/fsm"
)

func TestAReportIsToldAgainWhenItSaysSomethingElse(t *testing.T) {
	var ts tellings
	now := time.Unix(1000, 0)
	numbered := func(ready bool) uint32 {
		t.Helper()
		r, body, err := ts.numbered(report{Name: "d1", Ready: ready}, now)
		if err != nil || r.Number == 0 {
			t.Fatalf("number %d, %v", r.Number, err)
		}
		if want, err := json.Marshal(r); err != nil || !bytes.Equal(body, want) {
			t.Errorf("encoded as %s, %v, is %s", body, err, want)
		}
		return r.Number
	}
	tell := func(number uint32) {
		_, x := ts.begin(t.Context(), "d2")
		ts.took("d2", x, number, now)
		ts.end("d2", x)
	}
	first := numbered(true)
	if ts.knows("d2", now) {
		t.Error("a member knows what it was not told")
	}
	tell(first)
	if again := numbered(true); again != first || !ts.knows("d2", now) || ts.knows("d3", now) {
		t.Errorf("the same report: number %d, %d before; told to d2: %v, to d3: %v", again, first, ts.knows("d2", now), ts.knows("d3", now))
	}
	if ts.knows("d2", now.Add(reportAgain)) {
		t.Error("it is never told again")
	}
	second := numbered(false)
	if second == first || ts.knows("d2", now) {
		t.Errorf("another report: number %d, %d before; told: %v", second, first, ts.knows("d2", now))
	}
	if got := ts.stands(now.Add(reportEvery)); got != second {
		t.Errorf("beats say %d, want %d", got, second)
	}
	if got := ts.stands(now.Add(2*reportEvery + 1)); got != 0 {
		t.Errorf("an agent that does not look at itself any more says %d", got)
	}
}

func TestAReportIsNotEncodedAnewWhileItSaysTheSame(t *testing.T) {
	var ts tellings
	now := time.Unix(1000, 0)
	server := fsm.ServerKey{Service: "web"}
	seen := func(o checks.Observation) (made *byte) {
		t.Helper()
		if _, _, err := ts.numbered(report{Name: "d1", Observations: map[fsm.ServerKey]checks.Observation{server: o}}, now); err != nil {
			t.Fatal(err)
		}
		return &ts.encoded[0]
	}
	first := seen(checks.Observation{Health: fsm.Up, Since: now})
	for range 10 {
		now = now.Add(reportEvery)
		if seen(checks.Observation{Health: fsm.Up, Since: time.Unix(1000, 0)}) != first {
			t.Fatal("it was encoded anew, and says the same")
		}
	}
	if seen(checks.Observation{Health: fsm.Down, Since: now}) == first {
		t.Error("it was not encoded anew, and says something else")
	}
}

// Who compares and encodes the next report reads what others read of the last one, and nobody changes that.
func TestAReportIsNumberedWhileTheLastIsRead(t *testing.T) {
	var ts tellings
	var rs reports
	now, key := time.Unix(1000, 0), fsm.ServerKey{Service: "web"}
	next := func(n int) report {
		return report{
			Name: "d1", Ready: n%4 < 2, Refused: map[string]uint64{"foreign": uint64(n)},
			Groups: map[string]groupReport{"g": {State: "backup"}}, Observations: map[fsm.ServerKey]checks.Observation{key: {Health: fsm.Up}},
		}.keeping([]string{"g"})
	}
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for ended := false; !ended; {
				select {
				case <-done:
					ended = true
				default:
				}
				r, ok := rs.live(now)["d1"]
				if !ok {
					continue
				}
				again := r.keeping([]string{"g", "h"})
				if len(r.Groups) != 1 || len(again.Groups) != 2 || r.Observations[key].Health != fsm.Up || r.Refused["foreign"] > 1000 {
					t.Errorf("what others have was changed: %+v", r.report)
					return
				}
			}
		})
	}
	for n := range 200 {
		r, _, err := ts.numbered(next(n), now.Add(time.Duration(n)*reportEvery))
		if err != nil {
			t.Fatal(err)
		}
		rs.put(r, now)
	}
	close(done)
	readers.Wait()
}

func TestAReportThatWasTheSameOnceEncodedHasItsNumber(t *testing.T) {
	var ts tellings
	now := time.Now() // with the monotonic clock, of which nothing is told
	numbered := func(r report) uint32 {
		t.Helper()
		r, _, err := ts.numbered(r, now)
		if err != nil {
			t.Fatal(err)
		}
		return r.Number
	}
	group := func(at time.Time) map[string]groupReport { return map[string]groupReport{"g": {Since: at}} }
	first := numbered(report{Name: "d1", Groups: group(now), Refused: map[string]uint64{"foreign": 1}})
	if again := numbered(report{Name: "d1", Groups: group(now.Round(0)), Refused: map[string]uint64{"foreign": 2}}); again != first {
		t.Errorf("it has number %d, %d before", again, first)
	}
	if again := numbered(report{Name: "d1", Groups: group(now.Add(1))}); again == first {
		t.Error("another has that number")
	}
}

// A flood of strangers would have each director send all that it sees to all others, every second.
func TestThatMoreStrangersWereRefusedIsNoNewsAndTravelsWithTheNextReport(t *testing.T) {
	var ts tellings
	now := time.Unix(1000, 0)
	told := func(ready bool, refused uint64) (uint32, uint64) {
		t.Helper()
		r, body, err := ts.numbered(report{Name: "d1", Ready: ready, Refused: map[string]uint64{"foreign": refused}}, now)
		if err != nil || r.Refused["foreign"] != refused {
			t.Fatalf("here it says %v, %v", r.Refused, err)
		}
		var sent report
		if err := json.Unmarshal(body, &sent); err != nil || sent.Number != r.Number {
			t.Fatalf("encoded with number %d, %v, is %d", sent.Number, err, r.Number)
		}
		return r.Number, sent.Refused["foreign"]
	}
	first, _ := told(true, 1)
	for n := range uint64(9) {
		now = now.Add(reportEvery)
		if number, sent := told(true, n+2); number != first || sent != 1 {
			t.Fatalf("after %d more it is report %d with %d of them, %d before", n+1, number, sent, first)
		}
	}
	now = now.Add(reportAgain)
	if number, sent := told(true, 20); number != first || sent != 20 {
		t.Errorf("when it is told again anyway, it is report %d with %d of them, %d before", number, sent, first)
	}
	if number, sent := told(false, 21); number == first || sent != 21 {
		t.Errorf("with what is news it is report %d with %d of them, %d before", number, sent, first)
	}
}

func TestAMemberThatMayBeAnotherProcessIsToldAnew(t *testing.T) {
	for name, forget := range map[string]func(*tellings){
		"a new stream":              func(ts *tellings) { ts.forget("d2") },
		"a word after a silence":    func(ts *tellings) { ts.renew("d2") },
		"a stream while it is told": nil,
	} {
		var ts tellings
		now := time.Unix(1000, 0)
		r, _, err := ts.numbered(report{Name: "d1"}, now)
		if err != nil {
			t.Fatal(err)
		}
		_, x := ts.begin(t.Context(), "d2")
		if forget == nil {
			ts.forget("d2")
		}
		ts.took("d2", x, r.Number, now)
		again := ts.end("d2", x)
		if forget != nil {
			if !ts.knows("d2", now) {
				t.Errorf("%s: it was told", name)
			}
			forget(&ts)
		} else if !again {
			t.Errorf("%s: nobody tells it again", name)
		}
		if ts.knows("d2", now) {
			t.Errorf("%s: not told anew", name)
		}
	}
}

func TestABeatRenewsTheReportThatItNames(t *testing.T) {
	var rs reports
	now := time.Unix(1000, 0)
	rs.put(report{Name: "d2", Number: 7}, now)
	rs.put(report{Name: "d3"}, now) // of an agent that gives no numbers
	later := now.Add(reportLife)
	for _, number := range []uint32{0, 6} {
		rs.renew("d2", number, later)
		rs.renew("d3", number, later)
		if live := rs.live(later); len(live) != 0 {
			t.Errorf("number %d renews %v", number, live)
		}
	}
	rs.renew("d4", 7, later)
	rs.renew("d2", 7, later)
	if live := rs.live(later); len(live) != 1 || live["d2"].Number != 7 {
		t.Errorf("live: %v, want that of d2", live)
	}
}

func TestAReportThatWasOvertakenDoesNotCount(t *testing.T) {
	now := time.Unix(1000, 0)
	for name, tt := range map[string]struct {
		late  report
		after time.Duration
		want  bool
	}{
		"the next one":                       {report{Begun: 5, Number: 8}, 0, true},
		"the same again":                     {report{Begun: 5, Number: 7}, 0, true},
		"the one before":                     {report{Begun: 5, Number: 6}, 0, false},
		"one of the process before":          {report{Begun: 4, Number: 99}, 0, false},
		"the first of the next process":      {report{Begun: 6, Number: 1}, 0, true},
		"of a process whose clock went back": {report{Begun: 4, Number: 99}, reportLife, true},
	} {
		var rs reports
		rs.put(report{Name: "d2", Begun: 5, Number: 7}, now)
		tt.late.Name, tt.late.Version = "d2", "late"
		rs.put(tt.late, now.Add(tt.after))
		if got := rs.live(now.Add(tt.after))["d2"].Version == "late"; got != tt.want {
			t.Errorf("%s counts: %v, want %v", name, got, tt.want)
		}
	}
	var rs reports
	rs.put(report{Name: "d2", Number: 1<<32 - 1}, now)
	rs.put(report{Name: "d2", Number: 1, Version: "late"}, now)
	if rs.live(now)["d2"].Version != "late" {
		t.Error("after the last number the first does not count")
	}
}

// Who has joined says that it is ready when the others know it, or have had their time.
func TestAReportIsAwaitedUntilAllHaveItOrALaterOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ts tellings
		r, _, err := ts.numbered(report{Name: "d1", Ready: true}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		tell := func(name string, number uint32) {
			_, x := ts.begin(t.Context(), name)
			ts.took(name, x, number, time.Now())
			ts.end(name, x)
		}
		tell("d2", r.Number-1)
		go func() {
			time.Sleep(300 * time.Millisecond)
			tell("d2", r.Number+1)
			time.Sleep(200 * time.Millisecond)
			tell("d3", r.Number)
		}()
		began := time.Now()
		ts.await(t.Context(), []string{"d2", "d3"}, r.Number)
		if took := time.Since(began); took < 500*time.Millisecond || took > 600*time.Millisecond {
			t.Errorf("all had it after %v", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began = time.Now()
		ts.await(ctx, []string{"d4", "d2"}, r.Number)
		if took := time.Since(began); took != time.Second {
			t.Errorf("who does not answer was waited for %v", took)
		}
	})
}
