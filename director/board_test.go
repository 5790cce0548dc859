package director

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/director/ipvs"
	"github.com/quorate/quorate/fsm"
)

// anyService is a service of a few that get in each other's way: TCP and UDP on the same addresses, and marks.
func anyService(rnd *rand.Rand, name string, number int) fsm.Service {
	svc := fsm.Service{
		Name: name, Scheduler: "wlc", Forward: fsm.NAT, Protocol: fsm.TCP,
		Address: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), uint16(80+number/2)),
	}
	switch {
	case number%2 == 1:
		svc.Protocol = fsm.UDP
	case number == 0:
		svc.Address, svc.Mark = netip.AddrPort{}, 7
	}
	for i := range rnd.IntN(3) {
		svc.Servers = append(svc.Servers, fsm.Server{Address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(1 + i + rnd.IntN(3))}), 80), Weight: uint32(rnd.IntN(3))})
	}
	return svc
}

// TestWhatIsMadeOfTheChangedServicesIsTheSameAsOfAll changes configurations at random.
func TestWhatIsMadeOfTheChangedServicesIsTheSameAsOfAll(t *testing.T) {
	pool := func(svc fsm.Service) (all []Real) {
		for _, s := range svc.Servers {
			all = append(all, Real{Address: s.Address, Weight: s.Weight})
		}
		return all
	}
	own := []netip.Addr{netip.MustParseAddr("10.0.0.1")}
	local := func(a netip.Addr) bool { return slices.Contains(own, a) }
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		var b board
		cfg, table := fsm.Config{}, ipvs.Table{}
		b.update(cfg, nil, own, pool)
		for step := range 20 {
			names := []string{}
			numbers := rnd.Perm(6)
			for i := range rnd.IntN(7) {
				name := fmt.Sprintf("s%d", i)
				names = append(names, name)
				if cfg.Services = cfg.Services.Without(name); rnd.IntN(3) > 0 {
					cfg.Services = cfg.Services.With(name, anyService(rnd, name, numbers[i]))
				}
			}
			if !distinct(cfg) { // it would be refused
				names = nil
				cfg.Services = fsm.Map[fsm.Service]{}
			}
			got, keys := b.update(cfg, names, own, pool)
			if keys == nil {
				table = got
			}
			for _, key := range keys {
				if delete(table, key); got[key].Dests != nil {
					table[key] = got[key]
				}
			}
			want := Table(cfg, pool)
			if diff := cmp.Diff(want, table, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
				t.Fatalf("seed %d, step %d, changed %v (-want +got):\n%s", seed, step, names, diff)
			}
			if want := ipvs.QuietAddresses(want, local); !slices.Equal(b.quiet, want) {
				t.Fatalf("seed %d, step %d, changed %v: quiet %v, want %v", seed, step, names, b.quiet, want)
			}
		}
	}
}

// distinct reports whether no two services have the same name in the kernel.
func distinct(cfg fsm.Config) bool {
	keys := map[ipvs.Key]bool{}
	for _, svc := range cfg.Services.All() {
		keys[Key(svc)] = true
	}
	return len(keys) == cfg.Services.Len()
}

func TestAllServicesAreLookedAtWhereItIsNotKnownWhich(t *testing.T) {
	own, other := []netip.Addr{netip.MustParseAddr("10.0.0.1")}, []netip.Addr{netip.MustParseAddr("10.0.0.2")}
	var b board
	if got := b.due([]string{"web"}, false, own); got != nil {
		t.Errorf("at first: %v", got)
	}
	b.update(fsm.Config{}, nil, own, allServers)
	if got := b.due(nil, false, own); got == nil || len(got) > 0 {
		t.Errorf("nothing has changed: %v", got)
	}
	if got := b.due([]string{"web"}, false, own); !slices.Equal(got, []string{"web"}) {
		t.Errorf("one has changed: %v", got)
	}
	if got := b.due([]string{"web"}, true, own); got != nil {
		t.Errorf("any may have: %v", got)
	}
	if got := b.due([]string{"web"}, false, other); got != nil {
		t.Errorf("this host has other addresses: %v", got)
	}
}

// BenchmarkReconcile2000x50 is what a director does about one changed weight among 100,000 servers, but for the kernel.
func BenchmarkReconcile2000x50(b *testing.B) {
	cfg := fsm.Config{}
	for i := range 2000 {
		svc := fsm.Service{Name: fmt.Sprintf("s-%d", i), Scheduler: "wrr", Forward: fsm.NAT, Protocol: fsm.TCP, Address: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), uint16(1000+i))}
		for k := range 50 {
			svc.Servers = append(svc.Servers, fsm.Server{Address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i / 250), byte(i % 250), byte(k + 1)}), 80), Weight: 1})
		}
		cfg.Services = cfg.Services.With(svc.Name, svc)
	}
	k := &table{have: ipvs.Table{}}
	state := &fsm.State{ClusterID: "c", Config: cfg}
	d := overTable(b, k, func() *fsm.State { return state }, func() bool { return true })
	for _, names := range [][]string{nil, {"s-7"}} {
		name := "all"
		if names != nil {
			name = "one service"
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if names == nil {
					d.All()
				}
				d.Changed(names...)
				d.reconcileTable(b.Context())
			}
		})
	}
}
