package fsm

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"testing"
)

// large is a state with so many services of 50 servers each, all up.
func large(tb testing.TB, services int) State {
	tb.Helper()
	d := Delta{Services: map[string]*Service{}}
	verdicts := map[ServerKey]Verdict{}
	for i := range services {
		s := articleConfig().Services["web"]
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

// reweighed is the entry that changes one weight of a service of a large state.
func reweighed(tb testing.TB, s State) []byte {
	tb.Helper()
	web := s.Config.Services["s-7"]
	web.Servers = slices.Clone(web.Servers)
	web.Servers[3].Weight = 9
	entry, err := Encode(ChangeConfig{Base: s.Revision, Delta: Delta{Services: map[string]*Service{"s-7": &web}}, Note: note("root@d1", "weight")})
	if err != nil {
		tb.Fatal(err)
	}
	return entry
}

// TestAChangedWeightCostsNothingOfTheOtherServers counts what is allocated to apply one among 1,000 servers and among 20,000. To
// copy the map of services is one piece of memory for each of them; of their servers, of the verdicts and of the history nothing is
// walked through. What does walk through all of a state is seen so: a scrub.
func TestAChangedWeightCostsNothingOfTheOtherServers(t *testing.T) {
	const more = 20
	few, many := large(t, 20), large(t, more*20)
	count := func(s State, do func(State) error) float64 {
		return testing.AllocsPerRun(5, func() {
			if err := do(s); err != nil {
				t.Fatal(err)
			}
		})
	}
	change := func(s State) error {
		c, err := Decode(reweighed(t, s))
		if err != nil {
			return err
		}
		next, feed, err := Apply(s, s.Index+1, c)
		if err == nil && (len(feed) != 2 || next.Hash() == s.Hash()) {
			err = fmt.Errorf("feed %v, hash %s", feed, next.Hash())
		}
		return err
	}
	copied := float64((more - 1) * 20)
	a, b := count(few, change), count(many, change)
	t.Logf("%v allocations among 20 services, %v among %d", a, b, more*20)
	if b > a+1.1*copied+20 {
		t.Errorf("a weight costs %v allocations among 20 services, and %v among %d: more than a copy of their map", a, b, more*20)
	}
	if a, b := count(few, State.Verify), count(many, State.Verify); b-a < 3*copied {
		t.Errorf("to walk through all costs %v allocations and %v: that would not be seen", a, b)
	}
}

// BenchmarkState2000x50 is what one changed weight costs in a state of 100,000 servers, and what is done with the
// whole of such a state.
func BenchmarkState2000x50(b *testing.B) {
	s := large(b, 2000)
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
	judged := SetVerdicts{Verdicts: map[ServerKey]Verdict{{"s-7", s.Config.Services["s-7"].Servers[3].Address}: {Down, "down at d1, d2, d3"}}}
	b.Run("change one verdict", func(b *testing.B) {
		b.ReportAllocs()
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
