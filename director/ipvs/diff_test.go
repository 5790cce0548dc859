package ipvs

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// randomTable returns a table over few names, so that two of them have much in common.
func randomTable(r *rand.Rand) Table {
	t := make(Table)
	for range r.IntN(8) {
		key := Key{Protocol: TCP, Address: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), uint16(r.IntN(6)))}
		switch r.IntN(4) {
		case 0:
			key = Key{Mark: uint32(1 + r.IntN(2)), IPv6: r.IntN(2) == 0}
		case 1:
			key.Protocol = UDP
		}
		entry := Entry{Service: Service{Scheduler: schedulers[r.IntN(3)], Timeout: uint32(r.IntN(2))}, Dests: make(map[netip.AddrPort]Dest)}
		for range r.IntN(5) {
			addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(r.IntN(4))}), 80)
			entry.Dests[addr] = Dest{Weight: uint32(r.IntN(2)), Forward: []Forward{NAT, Direct}[r.IntN(2)]}
		}
		t[key] = entry
	}
	return t.Normalize()
}

func randomLedger(r *rand.Rand, have, want Table) Ledger {
	ours := make(Ledger)
	for _, table := range []Table{have, want} {
		for key := range table {
			if r.IntN(2) == 0 {
				ours[key] = true
			}
		}
	}
	return ours
}

func TestApplyingADifferenceLeavesNone(t *testing.T) {
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 1))
		have, want := randomTable(r), randomTable(r)
		ours := randomLedger(r, have, want)
		ops := Diff(have, want, ours)
		if again := Diff(have.Clone(), want.Clone(), ours); !slices.Equal(again, ops) {
			t.Fatalf("seed %d: Diff = %v, then %v", seed, ops, again)
		}
		got := have.Clone()
		for i, op := range ops {
			if i > 0 && op.Verb < ops[i-1].Verb {
				t.Fatalf("seed %d: %v comes after %v", seed, op, ops[i-1])
			}
			if op.Removes() && !ours.Has(op.Key) {
				t.Fatalf("seed %d: %v, which is not ours", seed, op)
			}
			got.apply(op)
		}
		if left := Diff(got, want, ours); len(left) != 0 {
			t.Fatalf("seed %d: applying Diff leaves %v", seed, left)
		}
		checkForeign(t, fmt.Sprintf("seed %d", seed), have, want, got, ours)
	}
}

// checkForeign checks that got is want and what of have is neither wanted nor ours, untouched.
func checkForeign(t *testing.T, name string, have, want, got Table, ours Ledger) {
	t.Helper()
	expect := want.Clone()
	for key, entry := range have {
		w, wanted := want[key]
		switch {
		case !wanted && !ours.Has(key):
			expect[key] = entry
		case wanted && !ours.Has(key): // its other destinations are left until it is adopted
			merged := Table{key: entry}.Clone()[key]
			merged.Service = w.Service
			maps.Copy(merged.Dests, w.Dests)
			expect[key] = merged
		}
	}
	if diff := cmp.Diff(expect, got, compare); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestAServiceIsNeverReplacedByAnother(t *testing.T) {
	key := tcp("192.0.2.1:80")
	have := Table{key: {Service{Scheduler: "rr"}, dests(Dest{Weight: 1}, "10.0.0.1:80", "10.0.0.2:80")}}.Normalize()
	want := Table{key: {Service{Scheduler: "wlc", Timeout: 60}, dests(Dest{Weight: 2}, "10.0.0.2:80", "10.0.0.3:80")}}.Normalize()
	got := Diff(have, want, Ledger{key: true})
	addr := netip.MustParseAddrPort
	expect := []Op{
		{Verb: AddDest, Key: key, Addr: addr("10.0.0.3:80"), Dest: Dest{Weight: 2}},
		{Verb: SetService, Key: key, Service: Service{Scheduler: "wlc", Flags: FlagPersistent, Timeout: 60, Netmask: 32}},
		{Verb: SetDest, Key: key, Addr: addr("10.0.0.2:80"), Dest: Dest{Weight: 2}},
		{Verb: DelDest, Key: key, Addr: addr("10.0.0.1:80")},
	}
	if diff := cmp.Diff(expect, got, compare); diff != "" {
		t.Errorf("Diff (-want +got):\n%s", diff)
	}
}

func TestNormalizeIsWhatTheKernelSays(t *testing.T) {
	v4, v6, mark6 := tcp("192.0.2.1:80"), tcp("[2001:db8::1]:80"), Key{Mark: 1, IPv6: true}
	for _, tt := range []struct {
		name string
		key  Key
		in   Service
		want Service
	}{
		{"nothing given", v4, Service{}, Service{Scheduler: "wlc", Netmask: 32}},
		{"nothing given, IPv6", v6, Service{}, Service{Scheduler: "wlc", Netmask: 128}},
		{"nothing given, IPv6 mark", mark6, Service{}, Service{Scheduler: "wlc", Netmask: 128}},
		{"the hashed bit is the kernel's own", v4, Service{Scheduler: "rr", Flags: FlagHashed | FlagOnePacket}, Service{Scheduler: "rr", Flags: FlagOnePacket, Netmask: 32}},
		{"a timeout is persistence", v4, Service{Scheduler: "rr", Timeout: 5}, Service{Scheduler: "rr", Flags: FlagPersistent, Timeout: 5, Netmask: 32}},
		{"no timeout is no persistence", v4, Service{Scheduler: "rr", Flags: FlagPersistent, Netmask: 24}, Service{Scheduler: "rr", Netmask: 32}},
		{"a mask of the other family", v4, Service{Scheduler: "rr", Timeout: 5, Netmask: 64}, Service{Scheduler: "rr", Flags: FlagPersistent, Timeout: 5, Netmask: 32}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.in.Normalize(tt.key)
			if got != tt.want {
				t.Errorf("Normalize(%+v) = %+v, want %+v", tt.in, got, tt.want)
			}
			if again := got.Normalize(tt.key); again != got {
				t.Errorf("Normalize twice = %+v, once %+v", again, got)
			}
		})
	}
}

func TestKeysAreReadAsTheyAreWritten(t *testing.T) {
	for key := range everything() {
		if got, err := ParseKey(key.String()); err != nil || got != key {
			t.Errorf("ParseKey(%q) = %v, %v", key, got, err)
		}
	}
	for _, bad := range []string{"", "tcp", "tcp/", "tcp/192.0.2.1", "mark/0", "mark/x", "x/192.0.2.1:80", "300/192.0.2.1:80"} {
		if got, err := ParseKey(bad); err == nil {
			t.Errorf("ParseKey(%q) = %v, want an error", bad, got)
		}
	}
}
