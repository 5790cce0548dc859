package suspend

import (
	"context"
	"testing"
	"time"
)

func TestASuspendIsToldOnceAndTheKernelAskedOnlyWhereTheClocksDiffer(t *testing.T) {
	const beat = 100 * time.Millisecond
	var slept time.Duration
	asked := 0
	c := newClock(func() time.Duration { asked++; return slept }, time.Unix(0, 0))
	c.wall, c.up, asked = 0, 0, 0
	var wall, up time.Duration
	for _, tt := range []struct {
		name        string
		wall, slept time.Duration // how much more the wall clock has gone, and what the kernel counts
		want        time.Duration
		asks        bool
	}{
		{"nothing", 0, 0, 0, false},
		{"the clock is slewed", time.Millisecond, 0, 0, false},
		{"the clock is set", time.Hour, 0, 0, true},
		{"the clock is set back", -time.Hour, 0, 0, true},
		{"a suspend", 20 * time.Second, 20 * time.Second, 20 * time.Second, true},
		{"nothing since", 0, 0, 0, false},
		{"a suspend, and the clock is set", time.Minute, 20 * time.Second, 20 * time.Second, true},
		{"the two clocks are not read at the same instant", time.Hour, time.Millisecond, 0, true},
	} {
		wall, up, slept, asked = wall+beat+tt.wall, up+beat, slept+tt.slept, 0
		if got := c.since(wall, up); got != tt.want || (asked > 0) != tt.asks {
			t.Errorf("%s: %v, asked %d times; want %v, asked %v", tt.name, got, asked, tt.want, tt.asks)
		}
	}
}

func TestASuspendIsFoundByWhoGoesByATimeOfBefore(t *testing.T) {
	const asleep = 20 * time.Second
	var slept, wall, up time.Duration
	c := newClock(func() time.Duration { return slept }, time.Now())
	wall, up = c.wall, c.up
	c.read = func() (time.Duration, time.Duration) { return wall, up }
	before := [2]time.Duration{wall, up}
	wall, slept = wall+asleep, asleep
	if got := c.since(before[0], before[1]); got != 0 {
		t.Errorf("at a time of before it was suspended for %v", got)
	}
	if got := c.SinceLast(); got != asleep {
		t.Errorf("it was suspended for %v, want %v", got, asleep)
	}
	if got := c.SinceLast(); got != 0 {
		t.Errorf("it is told again: %v", got)
	}
}

func TestAHostThatRunsIsNotSuspended(t *testing.T) {
	c, before := NewClock(), Slept()
	time.Sleep(2 * least)
	if got, more := c.Since(time.Now()), Slept()-before; got != 0 || before < -least || more > least {
		t.Errorf("it was suspended for %v, the kernel says %v more than %v", got, more, before)
	}
}

func TestClocksAreReadAgainWhereTheProcessorWasTakenBetweenThem(t *testing.T) {
	for name, taken := range map[string][]time.Duration{
		"never":           {0, 0},
		"before the one":  {time.Second, 0},
		"after the one":   {0, time.Second},
		"twice, each way": {time.Second, 0, 0, time.Second},
	} {
		var now time.Duration
		next := func() (d time.Duration) {
			if len(taken) > 0 {
				d, taken = taken[0], taken[1:]
			}
			return d
		}
		reads := 0
		one := func() time.Duration { now += next(); at := now + time.Hour; now += next(); return at }
		other := func() time.Duration { reads++; return now }
		if got := between(one, other); got != time.Hour || reads > 6 {
			t.Errorf("%s: %v, after %d readings", name, got, reads)
		}
	}
}

func TestAWatchCallsNobodyWhileNothingHappensAndEnds(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	called := 0
	if err := Watch(ctx, func() { called++ }); err != nil || called > 0 {
		t.Errorf("called %d times: %v", called, err)
	}
}
