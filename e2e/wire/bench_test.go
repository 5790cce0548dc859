package wire

import (
	"slices"
	"testing"
	"time"

	"github.com/quorate/quorate/e2e/lab"
)

// The benchmarks measure what a client sees, by an echo request each millisecond: `make bench
// BENCH=Away`. Nothing is asserted but that an owner is there at the end.

// BenchmarkAwayInAPlannedMove is how long the address does not answer when its owner is drained.
func BenchmarkAwayInAPlannedMove(b *testing.B) {
	away(b, func(w *testnet, owner *lab.Director) {
		owner.MustQuorate("drain", "director", owner.Name)
	}, func(w *testnet, owner *lab.Director) {
		owner.MustQuorate("enable", "director", owner.Name)
	})
}

// BenchmarkAwayWhenTheMachineDies is the same for a death, at adverts each 200 ms.
func BenchmarkAwayWhenTheMachineDies(b *testing.B) {
	away(b, func(_ *testnet, owner *lab.Director) { owner.Die() }, func(w *testnet, owner *lab.Director) {
		owner.Revive()
		owner.Agent(quiet{b})
	})
}

// BenchmarkAwayWhenALinkGoesDown is the same for a cable that is pulled.
func BenchmarkAwayWhenALinkGoesDown(b *testing.B) {
	var back func()
	away(b, func(w *testnet, owner *lab.Director) { back = w.Unplug(owner.Host, w.Outer) }, func(*testnet, *lab.Director) { back() })
}

// away breaks the owner again and again, and reports the median of the longest gaps.
func away(b *testing.B, harm, heal func(*testnet, *lab.Director)) {
	w := cluster(quiet{b}, 3)
	w.apply(quiet{b}, routerFile)
	var gaps []time.Duration
	for b.Loop() {
		owner := w.settled(quiet{b})
		probe := w.Client.Probe(lab.Probe{To: vip})
		time.Sleep(200 * time.Millisecond)
		harm(w, owner)
		w.taken(quiet{b}, owner)
		time.Sleep(time.Second)
		gaps = append(gaps, probe.Close().Longest)
		heal(w, owner)
	}
	slices.Sort(gaps)
	b.ReportMetric(float64(gaps[len(gaps)/2].Microseconds())/1000, "ms-away-median")
	b.ReportMetric(float64(gaps[len(gaps)-1].Microseconds())/1000, "ms-away-max")
	b.ReportMetric(0, "ns/op") // the time of a round means nothing
}

// quiet is a benchmark whose steps are not told: its figures are its output.
type quiet struct{ *testing.B }

// Logf implements [lab.T].
func (quiet) Logf(string, ...any) {}
