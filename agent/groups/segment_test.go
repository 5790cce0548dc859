package groups

import (
	"net"
	"net/netip"
	"testing"
)

func TestWhoAnswersForAnAddressIsNamedWithItsMACAddress(t *testing.T) {
	address := netip.MustParseAddr("192.0.2.1")
	one, other := net.HardwareAddr{2, 0, 0, 0, 0, 1}, net.HardwareAddr{2, 0, 0, 0, 0, 3}
	for _, tt := range []struct {
		serving      map[string]net.HardwareAddr
		named        string
		serves, both string
	}{
		{nil, "d1", "", ""},
		{map[string]net.HardwareAddr{"d1": one}, "d3", "d1", ""},
		{map[string]net.HardwareAddr{"d3": other, "d1": one}, "d3", "d3", "d1 and d3 both answer for 192.0.2.1 (02:00:00:00:00:01, 02:00:00:00:00:03)"},
		{map[string]net.HardwareAddr{"d3": other, "d1": one}, "d2", "d1", "d1 and d3 both answer for 192.0.2.1 (02:00:00:00:00:01, 02:00:00:00:00:03)"},
	} {
		if got := oneOf(tt.serving, tt.named); got != tt.serves {
			t.Errorf("%v, the log names %s: %q serves, want %q", tt.serving, tt.named, got, tt.serves)
		}
		if got := doubled(tt.serving, address); got != tt.both {
			t.Errorf("%v: %q, want %q", tt.serving, got, tt.both)
		}
	}
}
