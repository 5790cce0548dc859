package imported

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestTheShortestNameThatIsOnlyOnes(t *testing.T) {
	var names [][]string
	for _, s := range []string{"tcp 10.0.0.1:80", "tcp 10.0.0.1:443", "tcp 10.0.0.2:443", "udp 10.0.0.1:53", "tcp 10.0.0.1:53", "tcp 10.0.0.9:999", "tcp [fd00::1]:25", "tcp 10.0.0.7:0", "tcp 10.0.0.9:999"} {
		protocol, at, _ := strings.Cut(s, " ")
		names = append(names, ServiceNames(netip.MustParseAddrPort(at), protocol))
	}
	want := []string{"http", "https-10.0.0.1", "https-10.0.0.2", "dns-10.0.0.1-udp", "dns-10.0.0.1-tcp", "tcp-999-10.0.0.9-tcp", "smtp", "10.0.0.7", "tcp-999-10.0.0.9-tcp-2"}
	if got := Shortest(names); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestNamesThatAClusterFileTakes(t *testing.T) {
	for in, want := range map[string]string{"VI_1": "VI_1", "a b/c": "a-b-c", "--x": "x", "": "unnamed", "ü": "unnamed", strings.Repeat("x", 90): strings.Repeat("x", 56)} {
		if got := Named(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestWhatIsSaidOfManyIsSaidOnce(t *testing.T) {
	var n Notes
	for _, line := range []int{9, 3, 3, 4, 5, 6, 7, 8} {
		n.Carried(Place{File: "a", Line: line}, "weight", "`weight`")
	}
	n.Differs(Place{File: "a", Line: 2}, "retry", "later")
	n.Dropped(Place{File: "b", Line: 1}, "mail", "none")
	n.Dropped(Place{File: "a", Line: 9}, "more", "none")
	var got []string
	for _, one := range n.Sorted() {
		got = append(got, one.String())
	}
	want := []string{
		"a:9: not carried over: more: none",
		"b:1: not carried over: mail: none",
		"a:2: carried over with a difference: retry: later",
		"a:9: carried over: weight: `weight` (also 3, 4, 5, 6, 7, 1 more)",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestConstructsOfALineHaveFatesOfTheirOwn(t *testing.T) {
	var n Notes
	line := func(part int) Place { return Place{File: "a", Line: 1, Part: part} }
	for part := range 3 {
		n.Carried(line(part+1), "server", "`server`")
	}
	n.Differs(line(2), "server weight", "less")
	n.Lose(map[Place]Loss{line(2): {"server", "it is there twice"}})
	var got []string
	for _, one := range n.Sorted() {
		got = append(got, one.String())
		if one.Count != 1 || !one.Said(line(0)) {
			t.Errorf("%+v is not of one line", one)
		}
	}
	if want := []string{"a:1: not carried over: server: it is there twice", "a:1: carried over: server: `server`"}; !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	n.Lose(map[Place]Loss{line(1): {"", "gone"}, line(3): {"", "gone"}})
	for _, one := range n.Sorted() {
		if one.Fate != Dropped {
			t.Errorf("%s: all are lost", one)
		}
	}
}
