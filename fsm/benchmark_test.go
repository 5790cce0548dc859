package fsm

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"
)

// large is a state with 2,000 services of 50 servers each, all up.
func large(tb testing.TB) State {
	tb.Helper()
	d := Delta{Services: map[string]*Service{}}
	verdicts := map[ServerKey]Verdict{}
	for i := range 2000 {
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

// BenchmarkState2000x50 is what one changed weight costs in a state of 100,000 servers, and what is done with the
// whole of such a state.
func BenchmarkState2000x50(b *testing.B) {
	s := large(b)
	web := s.Config.Services["s-7"]
	web.Servers = append([]Server(nil), web.Servers...)
	web.Servers[3].Weight = 9
	change := ChangeConfig{Base: s.Revision, Delta: Delta{Services: map[string]*Service{"s-7": &web}}, Note: note("root@d1", "weight")}
	entry, err := Encode(change)
	if err != nil {
		b.Fatal(err)
	}
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
	judged := SetVerdicts{Verdicts: map[ServerKey]Verdict{{"s-7", web.Servers[3].Address}: {Down, "down at d1, d2, d3"}}}
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
