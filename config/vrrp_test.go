package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// What VRRP cannot do is refused before anything is applied.
func TestVRRPRulesAreHeldInAFile(t *testing.T) {
	list := func(format string, n int) string {
		var out []string
		for i := range n {
			out = append(out, fmt.Sprintf("%q", fmt.Sprintf(format, i+1)))
		}
		return "[" + strings.Join(out, ", ") + "]"
	}
	router := func(vrid int, addresses, more string) string {
		return fmt.Sprintf("router \"r%d\" {\n  vrid = %d\n  interface = \"wan\"\n  addresses = %s\n%s}\n", vrid, vrid, addresses, more)
	}
	one := `["192.0.2.1/24"]`
	for _, tt := range []struct {
		name, src string
		want      string // in the problems; empty for no error
	}{
		{"V8 10 ms", router(1, one, "  interval = \"10ms\"\n"), ""},
		{"V8 less than 10 ms", router(1, one, "  interval = \"5ms\"\n"), "interval"},
		{"V8 no step of 10 ms", router(1, one, "  interval = \"15ms\"\n"), "it goes in steps of 10ms"},
		{"V8 more than 40.95 s", router(1, one, "  interval = \"41s\"\n"), "interval"},
		{"V9 IPv6, link-local first", router(1, `["fe80::1/64", "2001:db8::1/64"]`, ""), ""},
		{"V9 IPv6 without link-local", router(1, `["2001:db8::1/64"]`, ""), "must be link-local"},
		{"V9 IPv6, link-local second", router(1, `["2001:db8::1/64", "fe80::1/64"]`, ""), "must be link-local"},
		{"V10 no address", router(1, `[]`, ""), "has no addresses"},
		{"V10 250 addresses", router(1, list("10.0.0.%d/32", 250), ""), ""},
		{"V10 256 addresses", router(1, list("fe80::%d/64", 256), ""), "an advertisement carries"},
		{"V10 two families", router(1, `["192.0.2.1/24", "fe80::1/64"]`, ""), "not of the first address's family"},
		{"V17 version 2 and 2 s", router(1, one, "  version = 2\n  interval = \"2s\"\n"), ""},
		{"V17 version 2 and less than a second", router(1, one, "  version = 2\n  interval = \"500ms\"\n"), "version 2 counts whole seconds"},
		{"V17 version 2 and a second and a half", router(1, one, "  version = 2\n  interval = \"1500ms\"\n"), "version 2 counts whole seconds"},
		{"V23 VRID 0", router(0, one, ""), "vrid is 0; it must be 1 to 255"},
		{"V23 VRID 256", router(256, one, ""), "vrid is 256; it must be 1 to 255"},
		{"V58 a VRID in both families", router(1, one, "") + strings.Replace(router(1, `["fe80::1/64"]`, ""), "r1", "six", 1), ""},
		{"V58 a VRID twice in one", router(1, one, "") + strings.Replace(router(1, `["192.0.2.2/24"]`, ""), "r1", "again", 1), "in the same address family"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, problems := ParseCluster("c.hcl", []byte(tt.src))
			if got := problems.String(); tt.want == "" && strings.Contains(got, ": error: ") || !strings.Contains(got, tt.want) {
				t.Errorf("problems:\n%swant %q", got, tt.want)
			}
		})
	}
	t.Run("V11 the order of a list is kept", func(t *testing.T) {
		c, _ := ParseCluster("c.hcl", []byte(router(1, `["192.0.2.9/24", "192.0.2.1/24", "192.0.2.5/24"]`, "")))
		want := []netip.Prefix{netip.MustParsePrefix("192.0.2.9/24"), netip.MustParsePrefix("192.0.2.1/24"), netip.MustParsePrefix("192.0.2.5/24")}
		if got := c.Routers["r1"].Addresses; !slices.Equal(got, want) {
			t.Errorf("addresses %v, want %v", got, want)
		}
	})
}
