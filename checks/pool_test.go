package checks

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/quorate/quorate/fsm"
)

func TestWeight(t *testing.T) {
	type outcome struct {
		Weight         uint32
		In, Asymmetric bool
	}
	in, out := outcome{5, true, false}, outcome{}
	for _, tt := range []struct {
		name         string
		verdict, own rune
		quorum       outcome
		alone        outcome // without quorum
	}{
		{"up, seen up", 'u', 'u', in, in},
		{"up, not seen", 'u', '?', in, in},
		{"up, seen dead here", 'u', 'd', outcome{0, false, true}, out},
		{"dead, seen dead", 'd', 'd', out, out},
		{"dead, seen up here", 'd', 'u', out, in},
		{"dead, not seen", 'd', '?', out, out},
		{"no verdict, seen up", '?', 'u', out, in},
		{"no verdict, seen dead", '?', 'd', out, out},
		{"no verdict, not seen", '?', '?', out, out},
		{"nothing at all", '-', '-', out, out},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, inhibit := range []bool{false, true} {
				for quorum, want := range map[bool]outcome{true: tt.quorum, false: tt.alone} {
					want.In = want.In || inhibit // in its place, with weight 0
					server := fsm.Server{Address: serverA, Weight: 5, Inhibit: inhibit}
					var got outcome
					got.Weight, got.In, got.Asymmetric = Weight(server, healthOf(tt.verdict), healthOf(tt.own), quorum)
					if got != want {
						t.Errorf("quorum %v, inhibit %v: %+v, want %+v", quorum, inhibit, got, want)
					}
				}
			}
		})
	}
}

// poolCase makes verdicts and observations of letters, one for each server.
func poolCase(servers []fsm.Server, verdicts, own string) (fsm.Verdicts, map[fsm.ServerKey]Observation) {
	v, o := map[fsm.ServerKey]fsm.Verdict{}, map[fsm.ServerKey]Observation{}
	for i, s := range servers {
		v[webKey(s.Address)] = fsm.Verdict{Health: healthOf(rune(verdicts[i]))}
		o[webKey(s.Address)] = Observation{Health: healthOf(rune(own[i])), Checks: Fingerprint([]fsm.Check{tcp})}
	}
	return fsm.VerdictsOf(v), o
}

func agreed(v fsm.Verdicts, key fsm.ServerKey) fsm.Verdict {
	verdict, _ := v.Of(key)
	return verdict
}

func TestPool(t *testing.T) {
	server := func(a netip.AddrPort, weight uint32) PoolServer {
		return PoolServer{Address: a, Weight: weight, Forward: fsm.NAT}
	}
	asymmetric := func(s PoolServer) PoolServer { s.Asymmetric = true; return s }
	fallback := PoolServer{Address: spare, Weight: 1, Forward: fsm.NAT, Fallback: true}
	a, b := server(serverA, 1), server(serverB, 3)
	for _, tt := range []struct {
		name          string
		verdicts, own string
		quorum        bool
		edit          func(*fsm.Service)
		want          []PoolServer
	}{
		{"both up", "uu", "uu", true, nil, []PoolServer{a, b}},
		{"one dead", "du", "du", true, nil, []PoolServer{b}},
		{"both dead, the fallback serves", "dd", "dd", true, nil, []PoolServer{fallback}},
		{"both dead, though this director sees one", "dd", "ud", true, nil, []PoolServer{fallback}},
		{"both new, the fallback serves", "??", "uu", true, nil, []PoolServer{fallback}},
		{"one dead here only", "uu", "du", true, nil, []PoolServer{b}},
		{"the last one, dead here only, stays", "ud", "dd", true, nil, []PoolServer{asymmetric(a)}},
		{"all dead here only stay", "uu", "dd", true, nil, []PoolServer{asymmetric(a), asymmetric(b)}},
		{"no quorum: own observations", "du", "ud", false, nil, []PoolServer{a}},
		{"no quorum: the last verdict where nothing is seen yet", "du", "??", false, nil, []PoolServer{b}},
		{"no quorum: the last ones stay", "uu", "dd", false, nil, []PoolServer{a, b}},
		{"no quorum: what the verdict had dead does not come back as the last one", "du", "dd", false, nil, []PoolServer{b}},
		{"no quorum: agreed dead and seen dead, the fallback serves", "dd", "dd", false, nil, []PoolServer{fallback}},
		{"without a fallback there may be none", "dd", "dd", true, func(s *fsm.Service) { s.Fallback = nil }, nil},
		{"without checks all are up", "??", "??", true, func(s *fsm.Service) { s.Checks = nil }, []PoolServer{a, b}},
		{"observations by other checks say nothing", "uu", "du", true, func(s *fsm.Service) { s.Checks = []fsm.Check{{Kind: fsm.CheckSMTP}} }, []PoolServer{a, b}},
		{"weight 0 is drained and stays", "uu", "uu", true, func(s *fsm.Service) { s.Servers[0].Weight = 0 }, []PoolServer{server(serverA, 0), b}},
		{"all drained, the fallback serves", "uu", "uu", true, func(s *fsm.Service) { s.Servers[0].Weight, s.Servers[1].Weight = 0, 0 },
			[]PoolServer{server(serverA, 0), server(serverB, 0), fallback}},
		{"a drained one is not the last one", "uu", "ud", true, func(s *fsm.Service) { s.Servers[0].Weight = 0 },
			[]PoolServer{server(serverA, 0), asymmetric(b)}},
		{"inhibit keeps a dead one's place", "du", "du", true, func(s *fsm.Service) { s.Servers[0].Inhibit = true }, []PoolServer{server(serverA, 0), b}},
		{"inhibit, dead here only", "uu", "du", true, func(s *fsm.Service) { s.Servers[0].Inhibit = true },
			[]PoolServer{asymmetric(server(serverA, 0)), b}},
		{"inhibit with all dead, the fallback serves", "dd", "dd", true, func(s *fsm.Service) { s.Servers[0].Inhibit = true },
			[]PoolServer{server(serverA, 0), fallback}},
		{"a fallback with inhibit waits in its place", "uu", "uu", true, func(s *fsm.Service) { s.Fallback.Inhibit = true },
			[]PoolServer{a, b, {Address: spare, Forward: fsm.NAT, Fallback: true}}},
		{"a fallback that is also a server", "dd", "dd", true, func(s *fsm.Service) { s.Fallback.Address, s.Servers[0].Inhibit = serverA, true },
			[]PoolServer{{Address: serverA, Weight: 1, Forward: fsm.NAT, Fallback: true}}},
		{"a fallback with inhibit that is also a server", "uu", "uu", true, func(s *fsm.Service) { s.Fallback.Address, s.Fallback.Inhibit = serverA, true },
			[]PoolServer{a, b}},
		{"a server's own forwarding", "uu", "uu", true, func(s *fsm.Service) { s.Servers[0].Forward = fsm.Tunnel },
			[]PoolServer{{Address: serverA, Weight: 1, Forward: fsm.Tunnel}, b}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			service := web(serverA, serverB)
			service.Servers[1].Weight = 3
			service.Fallback = &fsm.Server{Address: spare, Weight: 1}
			verdicts, own := poolCase(service.Servers, tt.verdicts, tt.own)
			if tt.edit != nil {
				tt.edit(&service)
			}
			got := Pool(service, verdicts, own, tt.quorum)
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateComparable(netip.AddrPort{}), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("pool (-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever is thought of the servers, a pool names no address twice, holds nothing with weight that
// the cluster found dead while there is quorum, is never emptied by this director's word alone, and
// has the fallback serve exactly while nothing else does.
func TestPoolKeepsItsPromisesForAnyOpinions(t *testing.T) {
	letters := "ud?"
	for seed := range uint64(3000) {
		rng := rand.New(rand.NewPCG(seed, 1))
		service := web(serverA, serverB, serverC)
		service.Fallback = &fsm.Server{Address: []netip.AddrPort{spare, serverB}[rng.IntN(2)], Inhibit: rng.IntN(2) == 0}
		v, o := "", ""
		for i := range service.Servers {
			v += string(letters[rng.IntN(3)])
			o += string(letters[rng.IntN(3)])
			service.Servers[i].Inhibit = rng.IntN(2) == 0
			service.Servers[i].Weight = uint32(rng.IntN(3))
		}
		quorum := rng.IntN(2) == 0
		verdicts, own := poolCase(service.Servers, v, o)
		pool := Pool(service, verdicts, own, quorum)
		seen := map[netip.AddrPort]bool{}
		serving, fallback := 0, 0
		for _, s := range pool {
			if seen[s.Address] {
				t.Fatalf("seed %d: %v is in twice: %+v", seed, s.Address, pool)
			}
			seen[s.Address] = true
			switch {
			case s.Weight == 0:
			case s.Fallback:
				fallback++
			default:
				serving++
				if quorum && agreed(verdicts, webKey(s.Address)).Health != fsm.Up {
					t.Fatalf("seed %d: %v serves though its verdict is %q", seed, s.Address, v)
				}
			}
		}
		if (serving == 0) != (fallback == 1) {
			t.Fatalf("seed %d: %d servers and %d fallbacks serve: %+v", seed, serving, fallback, pool)
		}
		agreed := slices.ContainsFunc(service.Servers, func(s fsm.Server) bool {
			return s.Weight > 0 && agreed(verdicts, webKey(s.Address)).Health == fsm.Up
		})
		if agreed && serving == 0 {
			t.Fatalf("seed %d: verdicts %q, own %q, quorum %v: nothing serves", seed, v, o, quorum)
		}
	}
}
