package director

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/quorate/quorate/director/address"
	"github.com/quorate/quorate/director/hook"
	"github.com/quorate/quorate/director/host"
	"github.com/quorate/quorate/director/ipvs"
	"github.com/quorate/quorate/director/keeper"
	"github.com/quorate/quorate/director/track"
	"github.com/quorate/quorate/fsm"
)

var (
	addr   = netip.MustParseAddrPort
	prefix = netip.MustParsePrefix
	byText = cmp.Options{cmpopts.EquateComparable(netip.AddrPort{}, netip.Addr{}, netip.Prefix{})}
)

func state() *fsm.State {
	return &fsm.State{
		ClusterID: "c",
		Members: map[string]fsm.Member{
			"d1": {Name: "d1", Role: fsm.RoleDirector, Sources: []netip.Addr{netip.MustParseAddr("192.0.2.11")}},
			"d2": {Name: "d2", Role: fsm.RoleDirector, Sources: []netip.Addr{netip.MustParseAddr("192.0.2.12"), netip.MustParseAddr("192.0.2.1")}},
			"w":  {Name: "w", Role: fsm.RoleWitness, Sources: []netip.Addr{netip.MustParseAddr("192.0.2.13")}},
		},
		Groups: map[string]fsm.Ownership{"gateway": {Owner: "d1", Epoch: 7, Order: []string{"d2"}}},
		Config: fsm.Config{
			SyncGroups: map[string]fsm.SyncGroup{"gateway": {Name: "gateway", Routers: []string{"outside", "inside"}}},
			Routers: map[string]fsm.Router{
				"outside": {Name: "outside", VRID: 51, Interface: "wan", Addresses: []netip.Prefix{prefix("192.0.2.100/24")}, Interval: time.Second},
				"inside":  {Name: "inside", VRID: 52, Interface: "eth7", Addresses: []netip.Prefix{prefix("198.51.100.1/24")}, Interval: time.Second},
			},
			Services: fsm.MapOf(map[string]fsm.Service{
				"web":  {Name: "web", Address: addr("192.0.2.100:80"), Protocol: fsm.TCP, Scheduler: "wlc", Forward: fsm.NAT, Persistence: 5 * time.Minute, PersistenceMask: 24, Servers: []fsm.Server{{Address: addr("198.51.100.11:80"), Weight: 2}}},
				"dns":  {Name: "dns", Address: addr("192.0.2.100:53"), Protocol: fsm.UDP, Scheduler: "rr", Forward: fsm.Direct, Servers: []fsm.Server{{Address: addr("192.0.2.51:53"), Weight: 1}}},
				"mark": {Name: "mark", Mark: 7, Scheduler: "dh", Forward: fsm.NAT, Servers: []fsm.Server{{Address: addr("198.51.100.11:0"), Weight: 1, Forward: fsm.Tunnel}}},
			}),
		},
	}
}

// all takes every server of a service, as it is configured.
func all(svc fsm.Service) []Real {
	var out []Real
	for _, s := range svc.Servers {
		r := Real{s.Address, s.Weight, s.Forward}
		if r.Forward == "" {
			r.Forward = svc.Forward
		}
		out = append(out, r)
	}
	return out
}

func TestTheTableIsWhatIpvsadmWouldSay(t *testing.T) {
	want := strings.TrimPrefix(`
-A -t 192.0.2.100:80 -s wlc -p 300 -M 255.255.255.0
-a -t 192.0.2.100:80 -r 198.51.100.11:80 -m -w 2
-A -u 192.0.2.100:53 -s rr
-a -u 192.0.2.100:53 -r 192.0.2.51:53 -g -w 1
-A -f 7 -s dh
-a -f 7 -r 198.51.100.11:0 -i -w 1 --tun-type ipip
`, "\n")
	got := Table(state().Config, all).Save()
	if diff := cmp.Diff(sortedLines(want), sortedLines(got)); diff != "" {
		t.Error(diff)
	}
}

func sortedLines(s string) map[string]bool {
	lines := map[string]bool{}
	for line := range strings.Lines(s) {
		lines[strings.TrimSpace(line)] = true
	}
	return lines
}

func TestAServiceWhoseServersAreAllOutKeepsItsPlace(t *testing.T) {
	table := Table(state().Config, func(fsm.Service) []Real { return nil })
	if len(table) != 3 || len(table[ipvs.Key{Protocol: ipvs.TCP, Address: addr("192.0.2.100:80")}].Dests) != 0 {
		t.Errorf("table %v", table)
	}
}

func TestTheOrderNamesGroupsMembersAndInterfaces(t *testing.T) {
	self := Self{Name: "d1", Interfaces: map[string]string{"wan": "eth0"}, Quorum: true, Ready: true}
	want := keeper.Order{
		Members: []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.12"), netip.MustParseAddr("192.0.2.13")},
		Quiet:   []netip.AddrPort{addr("192.0.2.100:80")},
		Groups: []keeper.Group{{
			Name: "gateway", Epoch: 7, Priority: 224, Preempt: true,
			Routers: []keeper.Router{
				{Name: "outside", VRID: 51, Interface: "eth0", Addresses: []netip.Prefix{prefix("192.0.2.100/24")}, Interval: time.Second},
				{Name: "inside", VRID: 52, Interface: "eth7", Addresses: []netip.Prefix{prefix("198.51.100.1/24")}, Interval: time.Second},
			},
		}},
	}
	if diff := cmp.Diff(want, Order(state(), self), byText); diff != "" {
		t.Error(diff)
	}
}

// What the keeper holds of it must not depend on what is up: it holds that when control cannot tell it.
func TestTheKeeperIsToldWhereToBeQuietByTheConfigurationAlone(t *testing.T) {
	s := state()
	if got := Quiet(s, "d1"); len(got) != 1 || got[0] != addr("192.0.2.100:80") {
		t.Errorf("quiet %v", got)
	}
	var web fsm.Service
	for _, svc := range s.Config.Services.All() {
		if svc.Address == addr("192.0.2.100:80") {
			web = svc
		}
	}
	m := s.Members["d1"]
	m.Sources = append(m.Sources, web.Servers[0].Address.Addr())
	s.Members["d1"] = m
	if got := Quiet(s, "d1"); len(got) != 0 {
		t.Errorf("with a real server on the host: quiet %v", got)
	}
	if got := Quiet(s, "d2"); len(got) != 1 {
		t.Errorf("with a real server on another host: quiet %v", got)
	}
}

func TestPrioritiesFollowWhatIsKnown(t *testing.T) {
	draining := state()
	m := draining.Members["d2"]
	m.Draining = true
	draining.Members["d2"] = m
	for _, tt := range []struct {
		name  string
		state *fsm.State
		self  Self
		want  uint8
	}{
		{"the owner", state(), Self{Name: "d1", Quorum: true, Ready: true}, 224},
		{"its successor", state(), Self{Name: "d2", Quorum: true, Ready: true}, 183},
		{"a successor that is not ready", state(), Self{Name: "d2", Quorum: true}, 89},
		{"the owner without quorum", state(), Self{Name: "d1", Ready: true}, 41},
		{"its successor without quorum", state(), Self{Name: "d2", Ready: true}, 26},
		{"one that drains", draining, Self{Name: "d2", Quorum: true, Ready: true}, 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Order(tt.state, tt.self).Groups[0].Priority; got != tt.want {
				t.Errorf("priority %d, want %d", got, tt.want)
			}
		})
	}
}

func TestAWitnessRunsNoGroups(t *testing.T) {
	if o := Order(state(), Self{Name: "w", Quorum: true, Ready: true}); len(o.Groups) != 0 {
		t.Errorf("order %+v", o)
	}
}

func TestFeaturesAreThoseOfTheConfiguration(t *testing.T) {
	want := host.Features{IPVS: true, NAT: true, Tunnel: true, Sync: true, Schedulers: []string{"dh", "rr", "wlc"}, Routers: []string{"eth0", "eth7"}}
	if diff := cmp.Diff(want, Features(state().Config, Self{Interfaces: map[string]string{"wan": "eth0"}})); diff != "" {
		t.Error(diff)
	}
	if f := Features(fsm.Config{Routers: state().Config.Routers}, Self{}); f.IPVS || f.NAT || f.Sync {
		t.Errorf("a configuration without services needs %+v", f)
	}
}

func TestSyncDaemonsRunInPairsAndKnowTheirCluster(t *testing.T) {
	s := state()
	ds := Daemons(s.Config, s.ClusterID, "eth1")
	if len(ds) != 2 || ds[0].Master == ds[1].Master || ds[0].SyncID != ds[1].SyncID || ds[0].SyncID == 0 {
		t.Errorf("daemons %+v", ds)
	}
	if one, other := SyncID("one cluster"), SyncID("another"); one != 211 || other != 177 {
		t.Errorf("IDs %d and %d: directors of two versions would not take each other's connections", one, other)
	}
	if ds := Daemons(fsm.Config{}, "c", "eth1"); ds != nil {
		t.Errorf("without services: %+v", ds)
	}
}

func TestTracksAndHooksAreThoseOfThisHost(t *testing.T) {
	cfg := fsm.Config{
		Tracks: map[string]fsm.Track{
			"uplink": {Kind: fsm.TrackInterface, Interface: "wan", DownDelay: time.Second},
			"proxy":  {Kind: fsm.TrackProcess, CommandLine: []string{"haproxy", "-f", "x"}, AtLeast: 2},
		},
		Routers: map[string]fsm.Router{"web": {
			Name: "web", Addresses: prefixes("192.0.2.1/24"), Excluded: prefixes("192.0.2.2/24"),
			Needs: fsm.Needs{Hooks: []fsm.Hook{{Name: "cloud", On: []string{"owner"}, Command: []string{"/bin/true"}}}},
		}},
	}
	want := []track.Spec{
		{Name: "proxy", Kind: track.Process, Process: "haproxy -f x", CommandLine: true, AtLeast: 2},
		{Name: "uplink", Kind: track.Interface, Interface: "eth3", DownDelay: time.Second},
	}
	if diff := cmp.Diff(want, Tracks(cfg, Self{Interfaces: map[string]string{"wan": "eth3"}})); diff != "" {
		t.Error(diff)
	}
	hooks := Hooks(cfg)["web"]
	if len(hooks.Hooks) != 1 || hooks.Hooks[0].On[0] != hook.Owner || len(hooks.Addresses) != 2 {
		t.Errorf("hooks %+v", hooks)
	}
}

func prefixes(texts ...string) (out []netip.Prefix) {
	for _, s := range texts {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

func TestARouterIsToldToTheKeeperWhole(t *testing.T) {
	r := fsm.Router{
		Name: "web", VRID: 51, Interface: "wan", Addresses: prefixes("192.0.2.1/24"), Interval: time.Second,
		Version: 2, Checksum: fsm.PlainChecksum, VirtualMAC: true, Unicast: true, KnownOnly: true, StrictAddresses: true, Refresh: -1, NoAccept: true, AddressOwner: "d2",
		Peers: []fsm.Peer{{Address: netip.MustParseAddr("192.0.2.9"), MinTTL: 64}}, Auth: &fsm.Auth{Kind: fsm.AuthPassword},
		Excluded: prefixes("192.0.2.7/24"),
		Routes:   []fsm.Route{{To: netip.MustParsePrefix("10.0.0.0/8"), Interface: "lan", Table: 7}},
		Rules:    []fsm.Rule{{Priority: 500, In: "lan", Table: 7}},
	}
	none := time.Duration(0)
	want := keeper.Router{
		Name: "web", VRID: 51, Interface: "eth0", Addresses: prefixes("192.0.2.1/24"), Interval: time.Second,
		Version: 2, Checksum: "plain", VirtualMAC: true, Unicast: true, Enforce: true, StrictAddresses: true, Refresh: &none, Refuse: true,
		Neighbors: []keeper.Neighbor{{Address: netip.MustParseAddr("192.0.2.9"), MinTTL: 64}}, Auth: &keeper.Auth{Kind: "password", Key: "s3cr3t"},
		Excluded: prefixes("192.0.2.7/24"),
		Routes:   []address.Route{{Destination: netip.MustParsePrefix("10.0.0.0/8"), Interface: "eth1", Table: 7}},
		Rules:    []address.Rule{{Priority: 500, In: "eth1", Table: 7}},
	}
	self := Self{Name: "d1", Interfaces: map[string]string{"wan": "eth0", "lan": "eth1"}}
	if diff := cmp.Diff(want, router(r, self, fsm.AuthKeys{Key: "s3cr3t"}), byText); diff != "" {
		t.Error(diff)
	}
	want.Refuse, self.Name = false, "d2" // the address owner accepts always
	if diff := cmp.Diff(want, router(r, self, fsm.AuthKeys{Key: "s3cr3t"}), byText); diff != "" {
		t.Error(diff)
	}
}

func TestV77TheAddressOwnerAloneHasPriority255(t *testing.T) {
	s := &fsm.State{
		ClusterID: "c", Members: map[string]fsm.Member{"d1": {Name: "d1", Role: fsm.RoleDirector}, "d2": {Name: "d2", Role: fsm.RoleDirector}},
		Config: fsm.Config{Routers: map[string]fsm.Router{"web": {Name: "web", VRID: 1, Addresses: prefixes("192.0.2.1/24"), AddressOwner: "d1", PreemptDelay: time.Second}}},
		Groups: map[string]fsm.Ownership{"web": {}},
	}
	for name, want := range map[string]bool{"d1": true, "d2": false} {
		g := Order(s, Self{Name: name, Quorum: true, Ready: true}).Groups[0]
		if (g.Priority == 255) != want || g.PreemptDelay != time.Second {
			t.Errorf("%s: priority %d, delay %v", name, g.Priority, g.PreemptDelay)
		}
	}
}
