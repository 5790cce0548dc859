package keepalived

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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
