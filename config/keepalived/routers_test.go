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

// TestNoRouterTakesTheVRIDOfAnInstance is of instances one after the other on an interface; two of the first have the same
// VRID, and addresses of the third are on the interface of the fourth.
func TestNoRouterTakesTheVRIDOfAnInstance(t *testing.T) {
	var text strings.Builder
	for i, of := range []struct {
		name, iface string
		vrid        int
		more        string
	}{
		{"a", "eth0", 7, ""}, {"b", "eth0", 7, " unicast_peer {\n 198.51.100.9\n }\n"}, {"c", "eth0", 8, ""}, {"d", "eth1", 8, ""},
	} {
		elsewhere := map[string]string{"c": " 192.0.2.99/24 dev eth1\n"}[of.name]
		fmt.Fprintf(&text, "vrrp_instance %s {\n interface %s\n virtual_router_id %d\n virtual_ipaddress {\n 192.0.2.%d/24\n%s }\n%s}\n",
			of.name, of.iface, of.vrid, i+1, elsewhere, of.more)
	}
	got, err := Import(files(map[string]string{"k": text.String()}), []Input{{"k", "k"}})
	if err != nil {
		t.Fatal(err)
	}
	holds(t, got)
	ids := make(map[string]uint8)
	for name, r := range got.Config.Routers {
		ids[name] = r.VRID
	}
	if diff := cmp.Diff(map[string]uint8{"a": 7, "b": 9, "c": 8, "d": 8, "c-eth1": 9}, ids); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	const want = "k:10: carried over with a difference: vrrp_instance virtual_router_id: `vrid` 9: on eth0, 7 is that of a\n"
	if said := report(got); !strings.Contains(said, want) {
		t.Errorf("%q is not said:\n%s", want, said)
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
