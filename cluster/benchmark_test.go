package cluster

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/quorate/quorate/fsm"
)

// large is a configuration of 2,000 services of 50 servers each.
func large() fsm.Config {
	c := fsm.Config{}
	for i := range 2000 {
		s := fsm.Service{
			Name: fmt.Sprintf("s-%d", i), Address: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), uint16(1000+i)), Protocol: fsm.TCP, Scheduler: "wlc", Forward: fsm.NAT,
			Checks: []fsm.Check{{Kind: fsm.CheckTCP, Interval: 2 * time.Second, Timeout: time.Second, Rise: 2, Fall: 2}},
		}
		for k := range 50 {
			s.Servers = append(s.Servers, fsm.Server{Address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i / 250), byte(i % 250), byte(k + 1)}), 80), Weight: 1})
		}
		c.Services = c.Services.With(s.Name, s)
	}
	return c
}

// BenchmarkOneWeightOf2000x50 is the time until three nodes on one machine, each with its log on disk, have one
// changed weight among 100,000 servers in their states: as the change that it is, and as a whole configuration.
func BenchmarkOneWeightOf2000x50(b *testing.B) {
	cfg := config(b, "a")
	if err := Init(b.Context(), cfg); err != nil {
		b.Fatal(err)
	}
	a := start(b, cfg)
	eventually(b, "a leads", func() error { return leads(a) })
	nodes := []*testnode{a}
	for _, name := range []string{"b", "c"} {
		token, err := a.CreateToken(b.Context(), fsm.RoleDirector, time.Hour)
		if err != nil {
			b.Fatal(err)
		}
		cfg := config(b, name)
		if err := Join(b.Context(), cfg, a.cfg.Bind.String(), token, func(string) {}); err != nil {
			b.Fatal(err)
		}
		n := start(b, cfg)
		eventually(b, name+" votes", func() error {
			if !n.Voter() || !n.Current() {
				return fmt.Errorf("voter %v, current %v", n.Voter(), n.Current())
			}
			return nil
		})
		nodes = append(nodes, n)
	}
	everywhere := func(c fsm.Command, revision uint64) {
		if err := nodes[1].Propose(b.Context(), c); err != nil { // on a follower
			b.Fatal(err)
		}
		for _, n := range nodes {
			for changed := n.Changed(); n.State().Revision < revision; changed = n.Changed() {
				<-changed
			}
		}
	}
	all := large()
	delta := fsm.Delta{Services: map[string]*fsm.Service{}}
	for name, s := range all.Services.All() {
		delta.Services[name] = &s
	}
	began := time.Now()
	everywhere(fsm.ChangeConfig{Delta: delta}, 1)
	first := time.Since(began)
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	weighed := func() fsm.Service {
		s := all.Services.Of("s-7")
		s.Servers = append([]fsm.Server(nil), s.Servers...)
		s.Servers[3].Weight++
		all.Services = all.Services.With("s-7", s)
		return s
	}
	b.Run("change", func(b *testing.B) {
		for b.Loop() {
			s, base := weighed(), nodes[1].State().Revision
			everywhere(fsm.ChangeConfig{Base: base, Delta: fsm.Delta{Services: map[string]*fsm.Service{"s-7": &s}}}, base+1)
		}
		b.ReportMetric(float64(first.Milliseconds()), "ms-for-all-at-first")
		b.ReportMetric(float64(m.HeapAlloc>>20)/float64(len(nodes)), "MiB-a-node")
	})
	b.Run("whole", func(b *testing.B) {
		for b.Loop() {
			weighed()
			base := nodes[1].State().Revision
			everywhere(fsm.PutConfig{Base: base, Config: all}, base+1)
		}
	})
}
