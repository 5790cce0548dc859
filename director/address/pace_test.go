package address

import (
	"testing"
	"time"
)

func TestV66APaceLetsABurstThroughAndThenARateOnEachInterface(t *testing.T) {
	p := Pace{Rate: 1000, Burst: 50}
	start := time.Unix(1000, 0)
	if got := p.Take(start, "wan", 200); got != 50 {
		t.Errorf("at once: %d frames, want the burst of 50", got)
	}
	if got := p.Take(start, "lan", 20); got != 20 {
		t.Errorf("on another interface: %d, want 20", got)
	}
	sent := 0
	now := start
	for sent < 150 {
		wait := p.Next(now, "wan")
		if wait <= 0 || wait > 20*time.Millisecond {
			t.Fatalf("with %d sent, wait %v", sent, wait)
		}
		now = now.Add(wait + time.Microsecond)
		got := p.Take(now, "wan", 150-sent)
		if got < 1 || got > 11 {
			t.Fatalf("after %v: %d frames", wait, got)
		}
		sent += got
	}
	if d := now.Sub(start); d < 149*time.Millisecond || d > 165*time.Millisecond {
		t.Errorf("150 frames beyond the burst took %v, want 150 ms", d)
	}
	if got := p.Take(now.Add(time.Hour), "wan", 200); got != 50 {
		t.Errorf("after a pause: %d, want the burst and no more", got)
	}
	if p.Take(now.Add(-time.Hour), "wan", 1) != 0 {
		t.Error("a clock that goes back gives frames")
	}
}

func TestAPaceOfZeroLimitsNothing(t *testing.T) {
	var p Pace
	if n, wait := p.Take(time.Unix(0, 0), "wan", 1000), p.Next(time.Unix(0, 0), "wan"); n != 1000 || wait != 0 {
		t.Errorf("%d of 1000 frames, then %v", n, wait)
	}
}
