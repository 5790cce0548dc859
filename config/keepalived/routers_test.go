package keepalived

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/fsm"
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
	for name, c := range map[string]struct {
		hosts []string
		vrids map[string]uint8
		told  [][]string // each in a line
	}{
		"none has it": {[]string{fileOf("", out)}, map[string]uint8{"OUT": 51, "OUT-eth1": 51}, [][]string{{"a:6:", "router of their own", "OUT-eth1"}}},
		"one behind it has it": {[]string{fileOf("", out, dmz)}, map[string]uint8{"OUT": 51, "OUT-eth1": 52, "DMZ": 51},
			[][]string{{"a:6: carried over with a difference", "OUT-eth1", "VRID 52 instead of 51, which is DMZ's there"}}},
		"the next is taken, too":       {[]string{fileOf("", out, dmz, next)}, map[string]uint8{"OUT-eth1": 53, "DMZ": 51, "NEXT": 52}, nil},
		"one of the other host has it": {[]string{fileOf("", out), fileOf("", out, dmz, next)}, map[string]uint8{"OUT-eth1": 53, "DMZ": 51, "NEXT": 52}, nil},
		"its only addresses are elsewhere": {[]string{fileOf("", away, dmz)}, map[string]uint8{"AWAY": 52, "DMZ": 51},
			[][]string{{"a:2: carried over with a difference", "adverts of AWAY go out where its addresses are, on eth1"}, {"a:3: carried over with a difference", "52 instead of 51, which is DMZ's"}}},
		"two by unicast, and one elsewhere": {
			[]string{fileOf("", routed{"A", "eth0", 7, "", []string{"10.0.0.1/24"}}, routed{"B", "eth0", 7, peers("10.0.0.13"), []string{"10.0.0.2/24"}},
				routed{"C", "eth0", 8, "", []string{"10.0.0.3/24", "10.0.1.3/24 dev eth1"}}, routed{"D", "eth1", 8, "", []string{"10.0.1.4/24"}})},
			map[string]uint8{"A": 7, "B": 9, "C": 8, "D": 8, "C-eth1": 9}, [][]string{{"`vrid` 9 instead of 7, which is A's on eth0"}},
		},
		"two by unicast": {
			[]string{fileOf("", routed{"A", "eth0", 9, peers("10.0.0.12"), []string{"10.0.0.1/24"}}, routed{"B", "eth0", 9, peers("10.0.0.13"), []string{"10.0.0.2/24"}})},
			map[string]uint8{"A": 9, "B": 10},
			[][]string{{"a:13: carried over with a difference", "virtual_router_id", "`vrid` 10 instead of 9, which is A's on eth0"}},
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

// TestPeersAreBelievedWithTheTTLThatTheySendWith is of peers that say no min_ttl, of which keepalived believes any.
func TestPeersAreBelievedWithTheTTLThatTheySendWith(t *testing.T) {
	for name, c := range map[string]struct {
		family, more, peer string
		want               fsm.Peer
	}{
		"IPv4":               {"192.0.2.", "", "192.0.2.9", fsm.Peer{}},
		"IPv4, another TTL":  {"192.0.2.", "unicast_ttl 32\n", "192.0.2.9", fsm.Peer{MinTTL: 32}},
		"IPv6":               {"fd00::", "", "fd00::9", fsm.Peer{MinTTL: 64}},
		"IPv6, another TTL":  {"fd00::", "unicast_ttl 255\n", "fd00::9", fsm.Peer{}},
		"its own lowest one": {"fd00::", "", "fd00::9 min_ttl 3", fsm.Peer{MinTTL: 3}},
	} {
		t.Run(name, func(t *testing.T) {
			host := func(self, other string) string {
				return "vrrp_instance V {\n interface eth0\n virtual_router_id 1\n unicast_src_ip " + c.family + self + "\n" + c.more +
					"unicast_peer {\n " + c.family + other + "\n " + c.peer + "\n}\n virtual_ipaddress {\n " + c.family + "100/24\n }\n}\n"
			}
			got, err := Import(files(map[string]string{"a": host("1", "2"), "b": host("2", "1")}), []Input{{"a", "a"}, {"b", "b"}})
			if err != nil {
				t.Fatal(err)
			}
			holds(t, got)
			c.want.Address = netip.MustParseAddr(c.family + "9")
			if diff := cmp.Diff([]fsm.Peer{c.want}, peersOf(got), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
				t.Errorf("(-want +got):\n%s\n%s", diff, report(got))
			}
		})
	}
}

// peersOf are the peers of the only router, without what is so anyway.
func peersOf(r Result) []fsm.Peer {
	peers := slices.Clone(r.Config.Routers["V"].Peers)
	for i := range peers {
		if peers[i].MinTTL == 255 {
			peers[i].MinTTL = 0
		}
	}
	return peers
}
