package liveness

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/quorate/quorate/director/probe"
)

// Every is how often the members of the tests beat, and steady three times that.
const (
	Every  = 100 * time.Millisecond
	steady = 3 * Every
)

// A history is a tracker in a time that the test makes.
type history struct {
	*Tracker
	t     *testing.T
	start time.Time
	now   time.Time
	slept time.Duration // since that was asked last
}

func newHistory(t *testing.T) *history {
	h := &history{t: t, start: time.Unix(1_000_000, 0)}
	h.now = h.start
	h.Tracker = NewTracker(h.now, Every, func() time.Duration {
		d := h.slept
		h.slept = 0
		return d
	})
	return h
}

// run lets d pass, in which the probers run on time.
func (h *history) run(d time.Duration, probers ...string) {
	for end := h.now.Add(d); h.now.Before(end); {
		h.now = h.now.Add(Every)
		for _, p := range probers {
			h.Ran(p, h.now)
		}
	}
}

func (h *history) wants(onTime bool, unheard time.Duration) {
	h.t.Helper()
	if got := h.OnTime(h.now); got != onTime {
		h.t.Errorf("after %v: on time %t, want %t", h.now.Sub(h.start), got, onTime)
	}
	if got := h.Unheard("b", h.now); got != unheard {
		h.t.Errorf("after %v: b unheard for %v, want %v", h.now.Sub(h.start), got, unheard)
	}
}

func target(address string) probe.Target {
	return probe.Target{Interface: "eth0", Source: netip.MustParseAddr("192.0.2.1"), Address: netip.MustParseAddr(address)}
}

func TestSilenceCountsFromTheStartAndFromTheLastWord(t *testing.T) {
	h := newHistory(t)
	h.wants(false, 0)
	h.run(200*time.Millisecond, "pulse")
	h.wants(false, 200*time.Millisecond)
	h.run(100*time.Millisecond, "pulse")
	h.wants(true, 300*time.Millisecond)
	h.Heard("b", h.now)
	h.wants(true, 0)
	h.run(time.Second, "pulse")
	h.wants(true, time.Second)
	h.Heard("b", h.now.Add(-5*time.Second)) // told late: another has been newer
	h.wants(true, time.Second)
}

func TestAfterAStallAllSilenceCountsAnew(t *testing.T) {
	h := newHistory(t)
	h.Watch([]probe.Target{target("192.0.2.2")})
	h.run(time.Second, "pulse", "eth0")
	h.Heard("b", h.now)
	h.Asked(target("192.0.2.2"), h.now, nil)
	h.now = h.now.Add(Every + slack) // as late as it may be
	h.wants(true, 200*time.Millisecond)
	h.Ran("pulse", h.now)
	h.Ran("eth0", h.now)
	h.now = h.now.Add(Every + slack + 1)
	h.wants(false, 0) // who asks before the probers run is told so too
	if got := h.Unreached([]probe.Target{target("192.0.2.2")}, h.now); got != 0 {
		t.Errorf("unreached for %v over a stall", got)
	}
	h.run(200*time.Millisecond, "pulse", "eth0")
	h.wants(false, 200*time.Millisecond)
	h.run(100*time.Millisecond, "pulse", "eth0")
	h.wants(true, 300*time.Millisecond)
}

func TestOneProberThatIsLateIsAStall(t *testing.T) {
	h := newHistory(t)
	h.run(time.Second, "pulse", "eth0")
	h.run(2*time.Second, "pulse") // eth0 hangs for good
	if h.OnTime(h.now) {
		t.Error("on time, and one prober does not run")
	}
	h.Ended("eth0")
	h.run(300*time.Millisecond, "pulse")
	if !h.OnTime(h.now) {
		t.Error("not on time, and the prober that hung has ended")
	}
}

func TestAMachineThatSleptAccusesNobody(t *testing.T) {
	h := newHistory(t)
	h.run(time.Second, "pulse")
	h.wants(true, time.Second)
	h.slept = time.Hour // the clock stood still
	h.wants(false, 0)
	h.run(300*time.Millisecond, "pulse")
	h.wants(true, 300*time.Millisecond)
}

// A look that straddles a suspend goes by the time at which it began.
func TestAMachineThatSleptAccusesNobodyByATimeOfBefore(t *testing.T) {
	h := newHistory(t)
	h.run(time.Second, "pulse")
	h.slept = time.Hour
	h.now = h.now.Add(-Every / 2)
	h.wants(false, 0)
}

func TestTheLastStallOfALengthIsKnown(t *testing.T) {
	const long = time.Second
	h := newHistory(t)
	h.run(time.Second, "pulse")
	thawed := func(want time.Time) {
		t.Helper()
		if got := h.Thawed(long, h.now); !got.Equal(want) {
			t.Errorf("thawed at %v, want %v", got, want)
		}
	}
	h.now = h.now.Add(Every + long - 1)
	thawed(time.Time{})
	h.now = h.now.Add(Every + long)
	at := h.now
	thawed(at)
	h.run(time.Second, "pulse")
	thawed(at)
	h.slept = long // the clock stood still
	thawed(h.now)
	at = h.now
	h.now = h.now.Add(Every + long/2)
	thawed(at)
	if got := h.Thawed(long/2, h.now); !got.Equal(h.now) {
		t.Errorf("the last one of half that ended at %v, want %v", got, h.now)
	}
	h.run(past, "pulse")
	h.now = h.now.Add(Every + long/4)
	thawed(time.Time{})
	if got := h.Thawed(long/4, h.now); !got.Equal(h.now) || len(h.stalls) != 1 {
		t.Errorf("the last one of a quarter ended at %v, want %v, of %d that are known", got, h.now, len(h.stalls))
	}
}

func TestATargetCountsFromWhenItIsAskedAndTheBestCounts(t *testing.T) {
	h := newHistory(t)
	a, b, c := target("192.0.2.2"), target("192.0.2.3"), target("192.0.2.4")
	wants := func(want time.Duration, of ...probe.Target) {
		t.Helper()
		if got := h.Unreached(of, h.now); got != want {
			t.Errorf("after %v: unreached for %v, want %v", h.now.Sub(h.start), got, want)
		}
	}
	h.Watch([]probe.Target{a, b})
	h.run(time.Second, "pulse")
	wants(-1, a, b)
	wants(-1)
	h.Asked(a, h.now, nil)
	h.Asked(b, h.now, nil)
	h.Asked(c, h.now, nil) // is no target
	h.run(400*time.Millisecond, "pulse")
	h.Asked(a, h.now, nil) // again: it has not answered
	wants(400*time.Millisecond, a, b, c)
	wants(-1, c)
	h.Answered(b, h.now)
	h.Answered(c, h.now)
	h.run(100*time.Millisecond, "pulse")
	wants(100*time.Millisecond, a, b)
	wants(500*time.Millisecond, a)
	h.Asked(a, h.now, errors.New("no such interface"))
	wants(-1, a, c)
	h.run(time.Second, "pulse")
	h.Asked(a, h.now, nil)
	wants(0, a)
	h.Watch([]probe.Target{a})
	wants(-1, b)
	h.Watch([]probe.Target{a, b})
	wants(-1, b)
}

func TestWhoIsNoMemberIsForgotten(t *testing.T) {
	h := newHistory(t)
	h.Heard("b", h.now)
	h.Heard("gone", h.now)
	h.Keep([]string{"b", "new"}, h.now.Add(time.Second))
	if len(h.heard) != 2 || !h.heard["b"].Equal(h.now) || !h.heard["new"].Equal(h.now.Add(time.Second)) {
		t.Errorf("remembers %v", h.heard)
	}
}

func TestAnAnswerAfterASilenceIsToldOf(t *testing.T) {
	h, b := newHistory(t), target("192.0.2.2")
	told := 0
	h.OnReach(func() { told++ })
	h.Watch([]probe.Target{b})
	h.Asked(b, h.now, nil)
	for i, d := range []time.Duration{200 * time.Millisecond, 300 * time.Millisecond, 100 * time.Millisecond, time.Minute} {
		h.run(d, "segment")
		h.Answered(b, h.now)
		h.Answered(target("192.0.2.3"), h.now) // it is not asked
		if want := (i + 1) / 2; told != want {
			t.Errorf("it answers %v after it did, and %d were told of so far, want %d", d, told, want)
		}
	}
}

func TestAnswersAreReadBeforeAnybodyIsDoubted(t *testing.T) {
	h := newHistory(t)
	a, reads := target("192.0.2.2"), 0
	h.Watch([]probe.Target{a})
	h.Asked(a, h.now, nil)
	came := h.now
	h.BeforeDoubt(func() { reads++; h.Answered(a, came) })
	for range 3 { // each answer is read a beat after it came
		came = h.now
		h.run(Every, "p")
		if got := h.Doubted(Every*3/2, h.now); got != 0 {
			t.Errorf("it answered %v ago, and is doubted for %v", h.now.Sub(came), got)
		}
	}
	if reads != 2 { // of the last question but one, which nobody else has read
		t.Errorf("answers were read %d times", reads)
	}
	h.run(2*Every, "p")
	if got := h.Doubted(Every*3/2, h.now); got != 3*Every {
		t.Errorf("it is doubted for %v", got)
	}
}

func TestWhoHasJustMissedAnAnswerIsDoubtedAndNotWhoIsSilentForLong(t *testing.T) {
	h := newHistory(t)
	a, b, never := target("192.0.2.2"), target("192.0.2.3"), target("192.0.2.4")
	h.Watch([]probe.Target{a, b, never})
	h.Asked(a, h.now, nil)
	h.Asked(b, h.now, nil)
	doubted := func(want time.Duration) {
		t.Helper()
		if got := h.Doubted(Every*3/2, h.now); got != want {
			t.Errorf("after %v: doubted for %v, want %v", h.now.Sub(h.start), got, want)
		}
	}
	h.run(Every, "p")
	doubted(0)
	h.run(Every, "p")
	doubted(2 * Every)
	h.run(8*Every, "p")
	h.Answered(b, h.now)
	doubted(10 * Every)
	h.run(2*Every, "p")
	doubted(2 * Every) // b, of the two
}
