package agent

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/fsm"
)

func TestADirectorThatCannotRefusePacketsIsNamedWithItsReason(t *testing.T) {
	cfg := fsm.Config{Routers: map[string]fsm.Router{
		"closed": {Name: "closed", NoAccept: true},
		"open":   {Name: "open"},
		"owned":  {Name: "owned", NoAccept: true, AddressOwner: "d1"},
	}}
	var all []misfit
	for _, r := range []report{{Name: "d1", NoRefusal: "no nf_tables"}, {Name: "d2"}, {Name: "d3", NoRefusal: "not permitted"}} {
		all = append(all, misfits(cfg, r)...)
	}
	want := config.Problems{
		{Path: `routers["closed"].accept`, Text: `router "closed": d1, d3 have no way to refuse packets, which accept = false needs`, Hint: "d1 says: no nf_tables"},
		{Path: `routers["owned"].accept`, Text: `router "owned": d3 has no way to refuse packets, which accept = false needs`, Hint: "d3 says: not permitted"},
	}
	if diff := cmp.Diff(want, together(all)); diff != "" {
		t.Errorf("misfits (-want +got):\n%s", diff)
	}
}

// TestWhatADirectorLackedBeforeForbidsNoOtherChange has a director whose interface went away.
func TestWhatADirectorLackedBeforeForbidsNoOtherChange(t *testing.T) {
	members := map[string]fsm.Member{"d1": {Name: "d1", Role: fsm.RoleDirector}, "d2": {Name: "d2", Role: fsm.RoleDirector}}
	live := map[string]received{
		"d1": {report: report{Name: "d1", Links: []string{"lo"}}}, "d2": {report: report{Name: "d2", Links: []string{"lo", "wan"}}},
	}
	with := func(routers ...fsm.Router) (c fsm.Config) {
		c.Routers = map[string]fsm.Router{}
		for _, r := range routers {
			c.Routers[r.Name] = r
		}
		return c
	}
	web := fsm.Router{Name: "web", Interface: "wan"}
	now := fitsThem(with(web), live, members)
	if now.Err() == nil {
		t.Fatalf("d1 lacks wan, and it is no error: %v", now)
	}
	web.VRID = 7
	for _, tt := range []struct {
		name     string
		cfg      fsm.Config
		errs     int
		warnings int
	}{
		{"another change of the same router", with(web), 0, 1},
		{"a router beside it", with(web, fsm.Router{Name: "in", Interface: "lo"}), 0, 1},
		{"another that lacks it too", with(web, fsm.Router{Name: "in", Interface: "wan"}), 1, 1},
		{"to an interface that nobody has", with(fsm.Router{Name: "web", Interface: "lan"}), 1, 0},
	} {
		got := excused(fitsThem(tt.cfg, live, members), now)
		if len(got.Errors()) != tt.errs || len(got.Warnings()) != tt.warnings {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func TestAKernelThatCannotRefuseIsAskedNowAndThen(t *testing.T) {
	r := refusals{reason: "no nf_tables", at: noon}
	if got := r.why(noon.Add(askAgain - time.Second)); got != "no nf_tables" {
		t.Errorf("%q soon after, want it not asked again", got)
	}
	r.can = true
	if got := r.why(noon.Add(time.Hour)); got != "no nf_tables" {
		t.Errorf("%q, want what could be done never asked again", got)
	}
}

func TestAnInterfaceThatADirectorLacksIsNamedWithTheNearest(t *testing.T) {
	r := report{Name: "d1", Links: []string{"lo", "eth0"}, Names: map[string]string{"wan": "eth0", "dmz": "eth7"}}
	for name, want := range map[string]string{
		"wna":  `error: router "r": d1 has no interface "wna" (did you mean "wan"? d1 has lo, eth0, and its agent file names wan)`,
		"ens9": `error: router "r": d1 has no interface "ens9" (d1 has lo, eth0, and its agent file names wan)`,
		"dmz":  `error: router "r": d1 has no interface "dmz" (its agent file says dmz = "eth7", and there is no eth7; d1 has lo, eth0, and its agent file names wan)`,
		"dmy":  `error: router "r": d1 has no interface "dmy" (d1 has lo, eth0, and its agent file names wan)`,
		"wan":  "",
		"eth0": "",
	} {
		cfg := fsm.Config{Routers: map[string]fsm.Router{"r": {Name: "r", Interface: name}}}
		var got strings.Builder
		for _, p := range together(misfits(cfg, r)) {
			p.Path = ""
			got.WriteString(p.String())
		}
		if got.String() != want {
			t.Errorf("%s: got %q, want %q", name, got.String(), want)
		}
	}
}

func TestAnAddressThatAMemberHasIsNoVirtualOne(t *testing.T) {
	at := func(s string) netip.Addr { return netip.MustParseAddr(s) }
	members := map[string]fsm.Member{
		"d1": {Name: "d1", Address: netip.MustParseAddrPort("192.0.2.1:7400"), Gossip: netip.MustParseAddrPort("192.0.2.1:7401"), Sources: []netip.Addr{at("198.51.100.1")}},
		"d2": {Name: "d2", Address: netip.MustParseAddrPort("192.0.2.2:7400"), Gossip: netip.MustParseAddrPort("192.0.2.12:7401")},
	}
	for address, want := range map[string]string{
		"192.0.2.1/24":    `router "r": 192.0.2.1 is d1's own address`,
		"192.0.2.12/24":   `router "r": 192.0.2.12 is d2's own address`,
		"198.51.100.1/24": `warning: router "r": 198.51.100.1 is d1's own address`,
		"192.0.2.100/24":  "",
	} {
		for _, excluded := range []bool{false, true} {
			r := fsm.Router{Name: "r", Addresses: []netip.Prefix{netip.MustParsePrefix(address)}}
			if excluded {
				r.Addresses, r.Excluded = nil, r.Addresses
			}
			var got strings.Builder
			for _, p := range owned(fsm.Config{Routers: map[string]fsm.Router{"r": r}}, members) {
				if p.Warning {
					got.WriteString("warning: ")
				}
				got.WriteString(p.Text)
			}
			if got.String() != want {
				t.Errorf("%s: %q, want %q", address, got.String(), want)
			}
		}
	}
	meant := fsm.Router{Name: "r", AddressOwner: "d1", Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24")}}
	if got := owned(fsm.Config{Routers: map[string]fsm.Router{"r": meant}}, members); len(got) > 0 {
		t.Errorf("of the RFC's address owner: %v", got)
	}
}
