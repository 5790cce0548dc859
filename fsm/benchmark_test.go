package fsm

import (
	"bytes"
	"fmt"
	"math"
	"net/netip"
	"runtime"
	"slices"
	"testing"
)

// large is a state with so many services of 50 servers each, all up.
func large(tb testing.TB, services int) State {
	tb.Helper()
	d := Delta{Services: map[string]*Service{}}
	verdicts := map[ServerKey]Verdict{}
	for i := range services {
		s := articleConfig().Services.Of("web")
		s.Name, s.Address, s.Servers = fmt.Sprintf("s-%d", i), netip.AddrPortFrom(s.Address.Addr(), uint16(1000+i)), nil
		for k := range 50 {
			a := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i / 250), byte(i % 250), byte(k + 1)}), 80)
			s.Servers = append(s.Servers, Server{Address: a, Weight: 1})
			verdicts[ServerKey{s.Name, a}] = Verdict{Up, "up at d1, d2, d3"}
		}
		d.Services[s.Name] = &s
	}
	s := State{Level: LevelSum, ClusterID: "c1"}
	for _, c := range []Command{ChangeConfig{Delta: d}, SetVerdicts{Verdicts: verdicts}} {
		next, _, err := Apply(s, s.Index+1, c)
		if err != nil {
			tb.Fatal(err)
		}
		s = next
	}
	return s
}

// judgedDown is the entry of which one server of a large state is down.
func judgedDown(tb testing.TB, s State) []byte {
	tb.Helper()
	entry, err := Encode(SetVerdicts{Verdicts: map[ServerKey]Verdict{{"s-7", s.Config.Services.Of("s-7").Servers[3].Address}: {Down, "down at d1, d2, d3"}}})
	if err != nil {
		tb.Fatal(err)
	}
	return entry
}

// reweighed is the entry that changes one weight of a service of a large state.
func reweighed(tb testing.TB, s State) []byte {
	tb.Helper()
	web := s.Config.Services.Of("s-7")
	web.Servers = slices.Clone(web.Servers)
	web.Servers[3].Weight = 9
	entry, err := Encode(ChangeConfig{Base: s.Revision, Delta: Delta{Services: map[string]*Service{"s-7": &web}}, Note: note("root@d1", "weight")})
	if err != nil {
		tb.Fatal(err)
	}
	return entry
}

// allocated is how many pieces of memory something takes, and how many bytes, the time it takes least: what the rest of the
// process takes meanwhile is counted too, and pools are empty now and then.
func allocated(do func()) (times, size uint64) {
	times, size = math.MaxUint64, math.MaxUint64
	for range 100 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		do()
		runtime.ReadMemStats(&after)
		times, size = min(times, after.Mallocs-before.Mallocs), min(size, after.TotalAlloc-before.TotalAlloc)
	}
	return times, size
}

// TestAChangeCostsNothingOfTheOtherServices counts what is allocated to apply an entry about one among 20 services and among 400.
// The difference is the few more branches of a tree on the way to it: not a pointer for each of the others would be among them.
func TestAChangeCostsNothingOfTheOtherServices(t *testing.T) {
	const branches, branch = 12, 64 // bytes
	few, many := large(t, 20), large(t, 400)
	for _, tt := range []struct {
		name  string
		entry func(State) []byte
		feed  int
	}{
		{"a weight", func(s State) []byte { return reweighed(t, s) }, 2},
		{"a verdict", func(s State) []byte { return judgedDown(t, s) }, 1},
	} {
		change := func(s State) func() {
			entry := tt.entry(s)
			return func() {
				c, err := Decode(entry)
				if err != nil {
					t.Fatal(err)
				}
				if next, feed, err := Apply(s, s.Index+1, c); err != nil || len(feed) != tt.feed || next.Hash() == s.Hash() {
					t.Fatalf("feed %v, hash %s: %v", feed, next.Hash(), err)
				}
			}
		}
		times, size := allocated(change(few))
		timesMany, sizeMany := allocated(change(many))
		t.Logf("%s: %d allocations of %d bytes among 20 services, %d of %d among 400", tt.name, times, size, timesMany, sizeMany)
		if timesMany > times+branches || sizeMany > size+branches*branch {
			t.Errorf("%s costs %d allocations of %d bytes among 20 services, and %d of %d among 400", tt.name, times, size, timesMany, sizeMany)
		}
	}
}

// BenchmarkState2000x50 is what one changed weight costs in a state of 100,000 servers that has its whole history, and what is
// done with the whole of such a state.
func BenchmarkState2000x50(b *testing.B) {
	s := large(b, 2000)
	for range maxPast {
		c, err := Decode(reweighed(b, s))
		if err != nil {
			b.Fatal(err)
		}
		if s, _, err = Apply(s, s.Index+1, c); err != nil {
			b.Fatal(err)
		}
	}
	entry := reweighed(b, s)
	b.Run("change one weight", func(b *testing.B) {
		b.ReportAllocs()
		b.ReportMetric(float64(len(entry)), "bytes/entry")
		for b.Loop() {
			c, err := Decode(entry)
			if err != nil {
				b.Fatal(err)
			}
			if _, feed, err := Apply(s, s.Index+1, c); err != nil || len(feed) != 2 {
				b.Fatal(err, feed)
			}
		}
	})
	b.Run("change one verdict", func(b *testing.B) {
		b.ReportAllocs()
		judged, err := Decode(judgedDown(b, s))
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if _, feed, err := Apply(s, s.Index+1, judged); err != nil || len(feed) != 1 {
				b.Fatal(err, feed)
			}
		}
	})
	b.Run("hash", func(b *testing.B) {
		for b.Loop() {
			s.Hash()
		}
	})
	b.Run("scrub", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := s.Verify(); err != nil {
				b.Fatal(err)
			}
		}
	})
	var snapshot bytes.Buffer
	b.Run("write snapshot", func(b *testing.B) {
		for b.Loop() {
			snapshot.Reset()
			if err := WriteSnapshot(&snapshot, s); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("read snapshot", func(b *testing.B) {
		for b.Loop() {
			if _, err := ReadSnapshot(bytes.NewReader(snapshot.Bytes())); err != nil {
				b.Fatal(err)
			}
		}
	})
}
