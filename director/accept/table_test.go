package accept

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func at(addr, iface string) Address { return Address{netip.MustParseAddr(addr), iface} }

var compareAddresses = cmp.Comparer(func(a, b Address) bool { return a == b })

func TestATableHasEachAddressOnceWhateverTheOrder(t *testing.T) {
	got := NewTable([]Address{
		at("fe80::1", "wan"), at("192.0.2.2", "wan"), at("2001:db8::1", "wan"), at("fe80::1", "lan"),
		at("192.0.2.1", "lan"), at("::ffff:192.0.2.2", "lan"), at("2001:db8::1", ""), at("169.254.0.1", "wan"),
	})
	want := Table{
		at("169.254.0.1", ""), at("192.0.2.1", ""), at("192.0.2.2", ""), at("2001:db8::1", ""),
		at("fe80::1", "lan"), at("fe80::1", "wan"),
	}
	if diff := cmp.Diff(want, got, compareAddresses); diff != "" {
		t.Errorf("NewTable (-want +got):\n%s", diff)
	}
	for _, a := range want {
		if !got.Has(a) {
			t.Errorf("Has(%s) is false", a)
		}
	}
	if got.Has(at("fe80::1", "dmz")) {
		t.Error("a link-local address is refused on an interface that has another one")
	}
}

func TestDiffTurnsOneTableIntoAnother(t *testing.T) {
	add, remove := NewTable([]Address{at("192.0.2.1", ""), at("fe80::1", "wan")}).
		Diff(NewTable([]Address{at("192.0.2.1", ""), at("fe80::1", "lan")}))
	if diff := cmp.Diff([]Table{{at("fe80::1", "lan")}, {at("fe80::1", "wan")}}, []Table{add, remove}, compareAddresses); diff != "" {
		t.Errorf("Diff (-want +got):\n%s", diff)
	}
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 0))
		have, want := someTable(r), someTable(r)
		add, remove := have.Diff(want)
		left := slices.DeleteFunc(slices.Clone(have), remove.Has)
		if got := NewTable(slices.Concat(left, add)); !slices.Equal(got, want) {
			t.Fatalf("seed %d: %v with %v less and %v more is %v, want %v", seed, have, remove, add, got, want)
		}
		if add, remove := want.Diff(want); len(add)+len(remove) > 0 {
			t.Fatalf("seed %d: a table differs from itself by %v and %v", seed, add, remove)
		}
	}
}

func someTable(r *rand.Rand) Table {
	var all []Address
	for range r.IntN(8) {
		n := r.IntN(5)
		all = append(all, at(fmt.Sprintf("192.0.2.%d", n), ""), at(fmt.Sprintf("fe80::%d", n), []string{"lan", "wan"}[r.IntN(2)]))
	}
	return NewTable(all)
}

func TestEachAddressIsInOneSet(t *testing.T) {
	table := NewTable([]Address{at("192.0.2.1", ""), at("169.254.0.1", "wan"), at("2001:db8::1", ""), at("fe80::1", "wan"), at("fd00::1", "wan")})
	for _, a := range table {
		in := 0
		for _, s := range sets {
			for _, k := range s.keys(Table{a}) {
				in++
				if len(k) != s.width {
					t.Errorf("%s has a key of %d bytes in %s, want %d", a, len(k), s.name, s.width)
				}
			}
		}
		if in != 1 {
			t.Errorf("%s is in %d sets, want 1", a, in)
		}
	}
}

func TestATransactionIsWholeAndInOrder(t *testing.T) {
	var many []Address
	for i := range 2*perMessage + 1 {
		many = append(many, at(fmt.Sprintf("10.0.%d.%d", i/250, i%250+1), ""))
	}
	for _, end := range []bool{true, false} {
		requests := NewTable(many).requests()
		all, err := parse(transaction(7, requests, end))
		if err != nil {
			t.Fatal(err)
		}
		keys := 0
		for i, a := range all {
			if a.seq != 7+uint32(i) {
				t.Errorf("message %d has number %d", i, a.seq)
			}
			if got, err := elementKeys(a.attributes()); err == nil {
				keys += len(got)
			}
		}
		want := len(requests) + 1
		if end {
			want++
		}
		if len(all) != want || keys != len(many) {
			t.Errorf("with end %v: %d messages and %d elements, want %d and %d", end, len(all), keys, want, len(many))
		}
	}
}

func TestNoTableIsWantedWhereNothingIsRefused(t *testing.T) {
	if got := len(Table{}.requests()); got != 2 {
		t.Errorf("%d requests, want 2: one that makes sure there is a table, and one that removes it", got)
	}
}

func TestCountersAreNoDifference(t *testing.T) {
	rule := func(counted byte) []byte {
		return nest(text(1, tableName), 4, expression("meta", word(1, 1)), expression("counter", word(1, uint32(counted))), decide(drop))
	}
	if !bytes.Equal(uncounted(rule(1)), uncounted(rule(9))) {
		t.Error("two rules that differ by what they have counted are two")
	}
	other := nest(text(1, tableName), 4, expression("meta", word(1, 2)), expression("counter", word(1, 1)), decide(drop))
	if bytes.Equal(uncounted(rule(1)), uncounted(other)) {
		t.Error("two rules that differ are one")
	}
}

// FuzzWhatTheKernelSays has nothing that is read end in a panic.
func FuzzWhatTheKernelSays(f *testing.F) {
	f.Add(transaction(1, sample.requests(), true))
	f.Fuzz(func(t *testing.T, b []byte) {
		all, err := parse(b)
		if err != nil {
			return
		}
		for _, a := range all {
			_, _ = elementKeys(a.attributes())
			if len(uncounted(a.attributes())) > len(a.attributes())+3 {
				t.Fatal("longer without its counters")
			}
			_, _ = about(a), a.failure()
		}
	})
}
