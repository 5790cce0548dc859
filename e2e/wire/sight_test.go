package wire

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// A sight is what was seen of who has the address, while something happened to a network.
type sight struct {
	several time.Duration // the longest time in which more than one had it
	nobody  time.Duration // the longest time in which no host that is on had it
	stall   time.Duration // the longest time between two looks
	order   []string      // who had it, one after the other: "d1", "d1 d2", ""
}

// see looks at who has the address while f runs.
func (w *testnet) see(t *testing.T, f func()) (seen sight) {
	t.Helper()
	done, out := make(chan struct{}), make(chan sight)
	go func() {
		defer close(out) // a look may end the test
		var s sight
		since := time.Now() // the last in order have had it
		for last := since; ; {
			var names []string
			for _, h := range w.Owners(vip) {
				names = append(names, h.Name)
			}
			if now := strings.Join(names, " "); len(s.order) == 0 || s.order[len(s.order)-1] != now {
				s.order, since = append(s.order, now), time.Now()
			}
			s.stall, last = max(s.stall, time.Since(last)), time.Now()
			switch {
			case len(names) == 0:
				s.nobody = max(s.nobody, time.Since(since))
			case len(names) > 1:
				s.several = max(s.several, time.Since(since))
			}
			select {
			case <-done:
				out <- s
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	}()
	defer func() { // f may end the test
		close(done)
		seen = <-out
		t.Logf("owners, one after the other: %q; more than one for %v, nobody for %v (looked at least every %v)",
			seen.order, seen.several.Round(10*time.Millisecond), seen.nobody.Round(10*time.Millisecond), seen.stall.Round(10*time.Millisecond))
	}()
	f()
	return seen
}

// alone holds that f never sees two hosts with the address for longer than a second.
func (w *testnet) alone(t *testing.T, f func()) sight {
	t.Helper()
	s := w.see(t, f)
	if s.several > time.Second+s.stall {
		t.Errorf("two hosts had the address for %v", s.several)
	}
	return s
}

// owners are the directors that were owners alone, one after the other.
func (s sight) owners() []string {
	out := slices.DeleteFunc(slices.Clone(s.order), func(names string) bool { return names == "" || strings.Contains(names, " ") })
	return slices.Compact(out)
}
