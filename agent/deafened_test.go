package agent

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/fsm"
)

func prefixes(texts ...string) (out []netip.Prefix) {
	for _, text := range texts {
		out = append(out, netip.MustParsePrefix(text))
	}
	return out
}

// TestWhatOfARouterIsNotHeardByWhoHasItAsItWas has a line at least for each field of a router.
func TestWhatOfARouterIsNotHeardByWhoHasItAsItWas(t *testing.T) {
	v3 := fsm.Router{Name: "r", VRID: 7, Interface: "wan", Addresses: prefixes("192.0.2.1/24"), Interval: time.Second}
	v2 := v3
	v2.Version = 2
	strict := v2
	strict.StrictAddresses = true
	with := func(r fsm.Router, a fsm.Auth) fsm.Router {
		r.Auth = &a
		return r
	}
	password, signed := with(v2, fsm.Auth{Kind: fsm.AuthPassword}), with(v3, fsm.Auth{Kind: fsm.AuthHMAC, KeyID: 1, OtherID: 2})
	secrets := fsm.Secrets{VRRPKeys: map[string]string{"r": "one"}, VRRPOtherKeys: map[string]string{"r": "two"}}
	tested := map[string]bool{"Name": true}
	for _, tt := range []struct {
		field string
		was   fsm.Router
		to    func(*fsm.Router)
		want  string
	}{
		{"VRID", v3, func(r *fsm.Router) { r.VRID = 8 }, "vrid"},
		{"Interface", v3, func(r *fsm.Router) { r.Interface = "lan" }, "interface"},
		{"Addresses", v3, func(r *fsm.Router) { r.Addresses = prefixes("192.0.2.2/24", "192.0.2.3/24") }, ""},
		{"Addresses", v2, func(r *fsm.Router) { r.Addresses = prefixes("192.0.2.2/24") }, ""},
		{"Addresses", strict, func(r *fsm.Router) { r.Addresses = prefixes("192.0.2.1/24", "192.0.2.2/24") }, "addresses"},
		{"Addresses", strict, func(r *fsm.Router) { r.Addresses = prefixes("192.0.2.1/25") }, ""},
		{"Addresses", v3, func(r *fsm.Router) { r.Addresses = prefixes("2001:db8::1/64") }, "addresses"},
		{"Interval", v3, func(r *fsm.Router) { r.Interval = 3 * time.Second }, ""},
		{"Interval", v2, func(r *fsm.Router) { r.Interval = 3 * time.Second }, "interval"},
		{"Version", v3, func(r *fsm.Router) { r.Version = 2 }, "version"},
		{"Version", v3, func(r *fsm.Router) { r.Version = 3 }, ""},
		{"Checksum", v3, func(r *fsm.Router) { r.Checksum = fsm.PlainChecksum }, ""},
		{"VirtualMAC", v3, func(r *fsm.Router) { r.VirtualMAC = true }, ""},
		{"NoAccept", v3, func(r *fsm.Router) { r.NoAccept = true }, ""},
		{"AddressOwner", v3, func(r *fsm.Router) { r.AddressOwner = "d1" }, ""},
		{"NoPreempt", v3, func(r *fsm.Router) { r.NoPreempt = true }, ""},
		{"PreemptDelay", v3, func(r *fsm.Router) { r.PreemptDelay = time.Second }, ""},
		{"Refresh", v3, func(r *fsm.Router) { r.Refresh = time.Second }, ""},
		{"Unicast", v3, func(r *fsm.Router) { r.Unicast = true }, "unicast"},
		{"Peers", v3, func(r *fsm.Router) { r.Peers = []fsm.Peer{{Address: netip.MustParseAddr("192.0.2.9")}} }, ""},
		{"KnownOnly", v3, func(r *fsm.Router) { r.KnownOnly = true }, ""},
		{"StrictAddresses", v2, func(r *fsm.Router) { r.StrictAddresses, r.Addresses = true, prefixes("192.0.2.2/24") }, ""},
		{"Auth", v2, func(r *fsm.Router) { r.Auth = &fsm.Auth{Kind: fsm.AuthPassword, Key: "x"} }, "auth"},
		{"Auth", v2, func(r *fsm.Router) { r.Auth = &fsm.Auth{Kind: fsm.AuthHeader, Key: "x"} }, ""},
		{"Auth", password, func(r *fsm.Router) { r.Auth = nil }, "auth"},
		{"Auth", password, func(r *fsm.Router) { r.Auth = &fsm.Auth{Kind: fsm.AuthPassword} }, ""}, // as a file is that keeps it
		{"Auth", password, func(r *fsm.Router) { r.Auth = &fsm.Auth{Kind: fsm.AuthPassword, Key: "three"} }, "auth"},
		{"Auth", v3, func(r *fsm.Router) { r.Auth = &fsm.Auth{Kind: fsm.AuthHMAC, KeyID: 1, Key: "x"} }, "auth"},
		{"Auth", signed, func(r *fsm.Router) { r.Auth = nil }, "auth"},
		{"Auth", signed, func(r *fsm.Router) { r.Auth = &fsm.Auth{Kind: fsm.AuthHMAC, KeyID: 2, OtherID: 1} }, ""}, // the other key signs now
		{"Auth", signed, func(r *fsm.Router) { r.Auth = &fsm.Auth{Kind: fsm.AuthHMAC, KeyID: 2, Key: "three"} }, "auth"},
		{"Auth", signed, func(r *fsm.Router) { r.Auth = &fsm.Auth{Kind: fsm.AuthHMAC, KeyID: 3, Key: "x", OtherID: 1} }, "auth"},
		{"Excluded", v3, func(r *fsm.Router) { r.Excluded = prefixes("192.0.2.2/24") }, ""},
		{"Routes", v3, func(r *fsm.Router) { r.Routes = []fsm.Route{{}} }, ""},
		{"Rules", v3, func(r *fsm.Router) { r.Rules = []fsm.Rule{{}} }, ""},
		{"Needs", v3, func(r *fsm.Router) { r.Needs = fsm.Needs{Hooks: []fsm.Hook{{}}} }, ""},
		{"Placement", v3, func(r *fsm.Router) { r.Placement.Directors = []string{"d1"} }, ""},
	} {
		tested[tt.field] = true
		is := tt.was
		tt.to(&is)
		got := deafTo(tt.was, secrets, fsm.Config{Routers: map[string]fsm.Router{"r": is}})
		if tt.want == "" && got.Text != "" || tt.want != "" && got.Text != `router "r" changes its `+tt.want {
			t.Errorf("%s of %+v: %q, want %q", tt.field, is, got.Text, tt.want)
		}
	}
	for field := range reflect.TypeFor[fsm.Router]().Fields() {
		if !tested[field.Name] {
			t.Errorf("no word whether a router with another %s is heard", field.Name)
		}
	}
	other := v3
	other.Name = "other"
	if got := deafTo(v3, secrets, fsm.Config{Routers: map[string]fsm.Router{"other": other}}); got.Text != "" {
		t.Errorf("a router that gets another name alone: %q", got.Text)
	}
	if got := deafTo(v3, secrets, fsm.Config{}); got.Text != `router "r" is removed` {
		t.Errorf("a router that is removed: %q", got.Text)
	}
}

// TestWhoIsOutdated looks at which directors would not give their keepers a new configuration.
func TestWhoIsOutdated(t *testing.T) {
	live := map[string]received{
		"well": {report: report{Index: 9, Ready: true}}, "late": {report: report{Index: 8, Ready: true}}, "unfit": {report: report{Index: 9}},
		"behind": {report: report{Index: 8, Reasons: []string{"has not caught up with the log"}}},
		"full":   {report: report{Index: 9, Ready: true, NoWrite: "nothing can be written"}}, "halted": {report: report{Index: 9, Halted: "entry 10"}},
		"stopped": {report: report{Index: 9, Stopped: true}},
	}
	for name, want := range map[string]string{
		"well": "", "late": "", "unfit": "", "away": "does not answer", "stopped": "was stopped", "behind": "is behind (has not caught up with the log)",
		"full": "may not write what is agreed (nothing can be written)", "halted": "applies no more of the log (entry 10)",
	} {
		if got := outdated(live, name, 9); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// TestEachWhoDoesNotFollowIsWarnedOf has a change for each that would not follow it.
func TestEachWhoDoesNotFollowIsWarnedOf(t *testing.T) {
	was := fsm.Router{Name: "r", VRID: 7, Interface: "wan", Addresses: prefixes("192.0.2.1/24")}
	state := &fsm.State{Config: fsm.Config{Routers: map[string]fsm.Router{"r": was}}, Members: map[string]fsm.Member{}}
	for _, name := range []string{"d1", "d2", "d3"} {
		state.Members[name] = fsm.Member{Name: name, Role: fsm.RoleDirector}
	}
	state.Members["w"] = fsm.Member{Name: "w", Role: fsm.RoleWitness}
	live := map[string]received{"d1": {report: report{Ready: true}}, "d2": {report: report{NoWrite: "full"}}}
	is := was
	is.VRID = 8
	changed := fsm.Config{Routers: map[string]fsm.Router{"r": is}}
	var got []string
	for _, p := range deafened(state, changed, live) {
		if !p.Warning || !strings.Contains(p.Hint, "systemctl stop quorate-keeper") {
			t.Errorf("%v", p)
		}
		got = append(got, p.Path+" "+strings.SplitN(p.Text, ":", 2)[0])
	}
	want := []string{
		`routers["r"].vrid router "r" changes its vrid, and d2 may not write what is agreed (full)`,
		`routers["r"].vrid router "r" changes its vrid, and d3 does not answer`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for to, want := range map[string]string{"wan": "if it asks the segment", "lan": "no more. It answers for the addresses as they were"} {
		is.Interface = to
		for _, p := range deafened(state, fsm.Config{Routers: map[string]fsm.Router{"r": is}}, live) {
			if !strings.Contains(p.Text, want) {
				t.Errorf("on %s: %v, want %q", to, p, want)
			}
		}
	}
	if all := deafened(state, state.Config, live); len(all) > 0 {
		t.Errorf("nothing changes: %v", all)
	}
}
