package keepalived

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// routed is a vrrp_instance.
type routed struct {
	name, iface string
	vrid        int
	more        string // statements
	addresses   []string
}

// fileOf is a file with some instances, and more behind them.
func fileOf(more string, all ...routed) string {
	var b strings.Builder
	for _, i := range all {
		fmt.Fprintf(&b, "vrrp_instance %s {\n interface %s\n virtual_router_id %d\n%s virtual_ipaddress {\n  %s\n }\n}\n",
			i.name, i.iface, i.vrid, i.more, strings.Join(i.addresses, "\n  "))
	}
	return b.String() + more
}

// imports imports the files of hosts, which are called a, b and so on.
func imports(t *testing.T, texts ...string) Result {
	t.Helper()
	all, inputs := make(map[string]string), []Input(nil)
	for i, text := range texts {
		name := string(rune('a' + i))
		all[name] = text
		inputs = append(inputs, Input{name, name})
	}
	r, err := Import(files(all), inputs)
	if err != nil {
		t.Fatal(err)
	}
	holds(t, r)
	return r
}

// said returns the lines of a report that have all of some words.
func said(r Result, words ...string) []string {
	var all []string
	for line := range strings.Lines(report(r)) {
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
			all = append(all, strings.TrimSpace(line))
		}
	}
	return all
}

func TestTheRouterOfAnInstanceKeepsItsNumber(t *testing.T) {
	out := routed{"OUT", "eth0", 51, "", []string{"203.0.113.1/24", "10.0.0.1/24 dev eth1"}}
	dmz := routed{"DMZ", "eth1", 51, "", []string{"10.0.0.2/24"}}
	next := routed{"NEXT", "eth1", 52, "", []string{"10.0.0.3/24"}}
	away := routed{"AWAY", "eth0", 51, "", []string{"10.0.0.1/24 dev eth1"}}
	peers := func(of string) string { return " unicast_peer {\n  " + of + "\n }\n" }
	const dropped = "both would have the addresses while both run: stop keepalived on all hosts before you apply"
	for name, c := range map[string]struct {
		hosts []string
		vrids map[string]uint8
		told  [][]string // each in a line
	}{
		"none has it": {[]string{fileOf("", out)}, map[string]uint8{"OUT": 51, "OUT-eth1": 51}, [][]string{{"a:6:", "router of their own", "OUT-eth1", dropped}}},
		"one behind it has it": {[]string{fileOf("", out, dmz)}, map[string]uint8{"OUT": 51, "OUT-eth1": 52, "DMZ": 51},
			[][]string{{"a:6: carried over with a difference", "OUT-eth1", "VRID 52 instead of 51, which is DMZ's there", dropped}}},
		"the next is taken, too":       {[]string{fileOf("", out, dmz, next)}, map[string]uint8{"OUT-eth1": 53, "DMZ": 51, "NEXT": 52}, nil},
		"one of the other host has it": {[]string{fileOf("", out), fileOf("", out, dmz, next)}, map[string]uint8{"OUT-eth1": 53, "DMZ": 51, "NEXT": 52}, nil},
		"its only addresses are elsewhere": {[]string{fileOf("", away, dmz)}, map[string]uint8{"AWAY": 52, "DMZ": 51},
			[][]string{{"a:2: carried over with a difference", "adverts of AWAY go out where its addresses are, on eth1", dropped}, {"a:3: carried over with a difference", "52 instead of 51, which is DMZ's"}}},
		"two by unicast": {
			[]string{fileOf("", routed{"A", "eth0", 9, peers("10.0.0.12"), []string{"10.0.0.1/24"}}, routed{"B", "eth0", 9, peers("10.0.0.13"), []string{"10.0.0.2/24"}})},
			map[string]uint8{"A": 9, "B": 10},
			[][]string{{"a:13: carried over with a difference", "virtual_router_id", "`vrid` 10 instead of 9, which is A's on eth0", dropped}},
		},
		"another of the other host": {
			[]string{fileOf("", routed{"A", "eth0", 9, "", []string{"10.0.0.1/24"}}), fileOf("", routed{"B", "eth0", 9, "", []string{"10.0.0.2/24"}})},
			map[string]uint8{"A": 9, "B": 10},
			[][]string{{"b:3: carried over with a difference", "virtual_router_id", "`vrid` 10 instead of 9, which is A's on eth0"}},
		},
		"of the other family": {[]string{fileOf("", routed{"A", "eth0", 9, "", []string{"10.0.0.1/24"}}, routed{"B", "eth0", 9, "", []string{"fe80::1/64"}})},
			map[string]uint8{"A": 9, "B": 9}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := imports(t, c.hosts...)
			for router, vrid := range c.vrids {
				if got := r.Config.Routers[router].VRID; got != vrid {
					t.Errorf("router %s has VRID %d, not %d", router, got, vrid)
				}
			}
			for _, words := range c.told {
				if len(said(r, words...)) != 1 {
					t.Errorf("no line has %q, or several have:\n%s", words, report(r))
				}
			}
			if len(c.told) == 0 && len(c.hosts) == 1 && len(said(r, "instead of")) > 1 {
				t.Errorf("another number is told:\n%s", report(r))
			}
		})
	}
}

func TestAListThatKeepalivedDoesNotBelieveIsTold(t *testing.T) {
	const first = "keepalived 2.3.2 and older drops adverts with another list of addresses"
	for name, c := range map[string]struct {
		addresses []string
		told      int
	}{
		"the same list":         {[]string{"10.0.0.1/24", "10.0.0.2/24"}, 0},
		"one is elsewhere":      {[]string{"10.0.0.1/24", "10.0.1.2/24 dev eth1"}, 1},
		"a link-local is added": {[]string{"2001:db8::1/64"}, 1},
		"a link-local is there": {[]string{"fe80::1/64", "2001:db8::1/64"}, 0},
		"it is moved":           {[]string{"2001:db8::1/64", "fe80::1/64"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := imports(t, fileOf("", routed{"V", "eth0", 5, "", c.addresses}))
			if got := said(r, "carried over with a difference", first); len(got) != c.told {
				t.Errorf("%d lines say it, not %d:\n%s", len(got), c.told, report(r))
			}
		})
	}
}
