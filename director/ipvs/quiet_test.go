package ipvs

import (
	"net/netip"
	"slices"
	"testing"
)

func TestOnlyAddressesThatCannotBeMeantForThisHostAreQuiet(t *testing.T) {
	here := netip.MustParseAddr("10.0.0.254")
	table := Table{
		tcp("192.0.2.1:80"):     entry("10.0.0.1:80"),
		tcp("[2001:db8::1]:80"): entry("[fd00::1]:80"),
		tcp("192.0.2.1:81"):     entry("10.0.0.1:80", "10.0.0.254:80"),
		tcp("192.0.2.1:0"):      entry("10.0.0.1:0"),
		udp("192.0.2.1:53"):     entry("10.0.0.1:53"),
		{Mark: 3}:               entry("10.0.0.1:0"),
	}
	got := QuietAddresses(table, func(a netip.Addr) bool { return a == here })
	want := []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:80"), netip.MustParseAddrPort("[2001:db8::1]:80")}
	if !slices.Equal(got, want) {
		t.Errorf("QuietAddresses = %v, want %v", got, want)
	}
}
