package address

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// table reads the addresses of an interface: ours end with a *, secondaries with /2nd.
func table(text string) []entry {
	var out []entry
	for word := range strings.FieldsSeq(text) {
		p, isDuplicate := strings.CutSuffix(word, "/dup")
		p, isOurs := strings.CutSuffix(p, "*")
		p, isSecondary := strings.CutSuffix(p, "/2nd")
		e := entry{prefix: netip.MustParsePrefix(p), valid: 7}
		if isOurs {
			e.proto = mark
		}
		if isSecondary {
			e.flags = flagSecondary
		}
		if isDuplicate {
			e.flags = flagDADFailed
		}
		out = append(out, e)
	}
	return out
}

func written(steps []step) string {
	var out []string
	for _, s := range steps {
		word := "+" + s.prefix.String()
		switch {
		case s.remove:
			word = "-" + s.prefix.String()
		case s.err != nil:
			word = "!" + s.prefix.String()
		case s.flags&flagNoPrefixRoute != 0:
			word += " noroute"
		case s.valid == 7:
			word += " as it was"
		}
		out = append(out, word)
	}
	return strings.Join(out, ", ")
}

func TestPlan(t *testing.T) {
	for _, tt := range []struct{ name, have, want, steps, parent string }{
		{"an empty interface", "", "10.0.0.100/24 fe80::100/64", "+10.0.0.100/24, +fe80::100/64", ""},
		{"a renewal changes nothing else", "10.0.0.1/24 10.0.0.100/24/2nd*", "10.0.0.100/24", "+10.0.0.100/24", ""},
		{"ours alone may be the primary", "10.0.0.100/24* 10.0.0.101/24/2nd*", "10.0.0.100/24 10.0.0.101/24", "+10.0.0.100/24, +10.0.0.101/24", ""},
		{"an own one comes later", "10.0.0.100/24* 10.0.0.1/24/2nd", "10.0.0.100/24", "-10.0.0.100/24, +10.0.0.100/24", ""},
		{
			"all that the kernel would promote before the own one are moved, the primary last",
			"10.0.0.100/24* 10.0.0.101/24/2nd* 10.0.0.1/24/2nd 10.0.0.102/24/2nd*", "10.0.0.100/24",
			"-10.0.0.101/24, -10.0.0.100/24, +10.0.0.101/24 as it was, +10.0.0.100/24", "",
		},
		{"own secondaries behind an own primary are left alone", "10.0.0.1/24 10.0.0.100/24/2nd* 10.0.0.2/24/2nd", "10.0.0.100/24", "+10.0.0.100/24", ""},
		{"two own ones, moved once", "10.0.0.100/24* 10.0.0.1/24/2nd 10.0.0.2/24/2nd", "10.0.0.100/24", "-10.0.0.100/24, +10.0.0.100/24", ""},
		{"subnets do not mix", "10.0.0.100/24* 10.0.1.1/24 10.0.1.2/24/2nd", "10.0.0.100/24", "+10.0.0.100/24", ""},
		{"an IPv6 subnet has no primary", "2001:db8::100/64* 2001:db8:1::1/64/2nd", "2001:db8::100/64", "+2001:db8::100/64", ""},
		{"an IPv6 route of the interface's own", "2001:db8::1/64", "2001:db8::100/64 2001:db8:1::100/64", "+2001:db8::100/64 noroute, +2001:db8:1::100/64", ""},
		{"two of ours share a route", "2001:db8::101/64*", "2001:db8::100/64", "+2001:db8::100/64", ""},
		{"another prefix, of ours", "2001:db8::100/64*", "2001:db8::100/128", "-2001:db8::100/64, +2001:db8::100/128", ""},
		{"another prefix, of the interface's own", "2001:db8::100/64", "2001:db8::100/128", "!2001:db8::100/128", ""},
		{
			"with a virtual MAC, the parent has the connected routes but the link-local one", "", "10.0.0.100/24 10.0.1.100/24 2001:db8::100/64 fe80::100/64",
			"+10.0.0.100/24 noroute, +10.0.1.100/24, +2001:db8::100/64 noroute, +fe80::100/64", "10.0.0.1/24 2001:db8::1/64 fe80::1/64",
		},
		{"a duplicate", "2001:db8::100/64*/dup", "2001:db8::100/64", "-2001:db8::100/64, +2001:db8::100/64", ""},
		{"another prefix, IPv4", "10.0.0.100/24", "10.0.0.100/32", "+10.0.0.100/32", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var want []netip.Prefix
			for word := range strings.FieldsSeq(tt.want) {
				want = append(want, netip.MustParsePrefix(word))
			}
			steps := plan(table(tt.have), table(tt.parent), want, 3, func(e entry) bool { return e.proto == mark })
			if diff := cmp.Diff(tt.steps, written(steps)); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAViewTellsWhatWholeListsChanged(t *testing.T) {
	of := func(index int, text string) []entry {
		have := table(text)
		for i := range have {
			have[i].index = index
		}
		return have
	}
	a, b := link{index: 1, name: "a", flags: linkUp | linkLowerUp}, link{index: 2, name: "b", flags: linkUp | linkLowerUp}
	v := newView()
	v.list(map[int]link{1: a, 2: b}, map[int][]entry{1: of(1, "10.0.0.1/24 10.0.0.2/24"), 2: of(2, "10.0.0.3/24")}, kernelPaths{})
	a.flags = linkUp
	links, have := map[int]link{1: a}, map[int][]entry{1: of(1, "10.0.0.1/24")}
	want := []Event{{Interface: "b"}, {Interface: "b", Removed: on("b", "10.0.0.3/24")}, {Interface: "a"}, {Interface: "a", Removed: on("a", "10.0.0.2/24")}}
	if got := v.list(links, have, kernelPaths{}); !slices.Equal(got, want) {
		t.Errorf("list: %v, want %v", got, want)
	}
	a.flags |= linkRunning // the carrier is there before, and whoever looked then must look again
	if got := v.link(a); len(got) != 1 {
		t.Errorf("a link that begins to run: %v, want an event", got)
	}
	links[1] = a
	if got := v.list(links, have, kernelPaths{}); len(got) != 0 {
		t.Errorf("the same lists again: %v, want nothing", got)
	}
}

func FuzzMessages(f *testing.F) {
	f.Add([]byte{28, 0, 0, 0, 20, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 24, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0})
	body := addressBody(3, netip.MustParsePrefix("2001:db8::100/64"), flagNoDAD, 3)
	f.Add(append([]byte{byte(16 + len(body)), 0, 0, 0, kindNewAddr, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0}, body...))
	body = linkBody(3, "qa")
	f.Add(append([]byte{byte(16 + len(body)), 0, 0, 0, kindNewLink, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0}, body...))
	f.Fuzz(func(t *testing.T, b []byte) {
		messages, err := parseMessages(b)
		if err != nil {
			return
		}
		v := newView()
		for _, m := range messages {
			_ = m.failure()
			v.apply(m)
			if e, err := parseEntry(m.body); err == nil && !e.prefix.IsValid() {
				t.Fatalf("an address without an address: %+v", e)
			}
			if l, err := parseLink(m.body); err == nil && l.name == "" {
				t.Fatalf("an interface without a name: %+v", l)
			}
		}
	})
}

func TestWhatIsSentReadsBackAsTheSame(t *testing.T) {
	for _, p := range []string{"192.0.2.100/24", "2001:db8::100/64", "fe80::100/128"} {
		want := entry{index: 3, prefix: netip.MustParsePrefix(p), flags: flagNoDAD | flagNoPrefixRoute, proto: mark, valid: 9}
		got, err := parseEntry(addressBody(want.index, want.prefix, want.flags, want.valid))
		if err != nil || got != want {
			t.Errorf("parseEntry(addressBody(%+v)) = %+v, %v", want, got, err)
		}
	}
}
