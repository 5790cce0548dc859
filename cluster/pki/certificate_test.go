package pki

import (
	"fmt"
	"testing"
	"time"
)

var issued = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)

// lasting is a certificate that lasts so long, under a CA that lasts longer.
func lasting(life time.Duration) Certificate {
	return Certificate{Issued: issued, Expires: issued.Add(life), CAEnds: issued.Add(2 * life)}
}

func TestRenewalsAreSpreadOverATwelfthOfALifeBeforeTheyAreLate(t *testing.T) {
	for _, life := range []time.Duration{3 * time.Second, MemberLifetime} {
		t.Run(life.String(), func(t *testing.T) {
			c := lasting(life)
			from, until := c.Issued.Add(life*7/12), c.Issued.Add(life*2/3)
			low, high := until, from
			for i := range 200 {
				due := c.Due(fmt.Sprint(i))
				if due.Before(from) || due.After(until) || c.Late(due) {
					t.Fatalf("due at %v; late is %v", due, c.Late(due))
				}
				if due.Before(low) {
					low = due
				}
				if due.After(high) {
					high = due
				}
			}
			if spread := high.Sub(low); spread < life/20 {
				t.Errorf("two hundred members are spread over %v", spread)
			}
			if first, again := c.Due("1"), c.Due("1"); first != again {
				t.Error("a member changes its mind")
			}
			if !c.Late(until.Add(time.Millisecond)) {
				t.Error("a third before its end it is not late")
			}
		})
	}
}

func TestACertificateThatEndsWithTheCAIsTheLast(t *testing.T) {
	c := lasting(MemberLifetime)
	c.CAEnds = c.Expires
	if now := c.Expires.Add(-time.Hour); c.Due("a").Before(c.Expires) || c.Late(now) {
		t.Errorf("due at %v, late %v", c.Due("a"), c.Late(now))
	}
}

func TestACertificateIsVoidOutsideItsTime(t *testing.T) {
	c := lasting(MemberLifetime)
	for _, tt := range []struct {
		name string
		at   time.Time
		want bool
	}{
		{"a clock that is a little late", issued.Add(-ClockTolerance), false},
		{"too late", issued.Add(-ClockTolerance - time.Second), true},
		{"in its time", issued.Add(time.Hour), false},
		{"its last second", c.Expires, false},
		{"over", c.Expires.Add(time.Second), true},
	} {
		if got := c.Void(tt.at); got != tt.want {
			t.Errorf("%s: void %v", tt.name, got)
		}
	}
}

func TestARenewalIsTriedAgainAtMostOnceAMinute(t *testing.T) {
	c := lasting(MemberLifetime)
	for n, want := range map[int]time.Duration{0: time.Minute, 1: 2 * time.Minute, 5: 32 * time.Minute, 6: time.Hour, 1 << 40: time.Hour} {
		if got := c.Again(n); got != want {
			t.Errorf("after %d that failed: %v, want %v", n, got, want)
		}
	}
	if got := lasting(3 * time.Second).Again(99); got != 150*time.Millisecond {
		t.Errorf("of seconds: %v", got)
	}
}
