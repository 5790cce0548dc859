package address

import (
	"encoding/hex"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// golden are frames that were captured from keepalived and FRR, which agree.
var golden = map[string]string{
	"G23": "ffffffffffff02000000000108060001080006040001020000000001c0000264ffffffffffffc0000264",
	"G24": "ffffffffffff00005e0001330806000108000604000100005e000133c0000264ffffffffffffc0000264",
	"G25": "33330000000102000000000186dd6000000000203afffe800000000000000000000000000100" +
		"ff0200000000000000000000000000018800d59ca0000000fe8000000000000000000000000001000201020000000001",
	"G26": "33330000000100005e00023386dd6000000000203aff20010db8000000000000000000000100" +
		"ff020000000000000000000000000001880018faa000000020010db8000000000000000000000100020100005e000233",
	"a host that does not forward": "33330000000102000000000186dd6000000000203afffe800000000000000000000000000100" +
		"ff0200000000000000000000000000018800559d20000000fe8000000000000000000000000001000201020000000001",
}

func TestAnnouncementsAreTheBytesThatOthersSend(t *testing.T) {
	nic := [6]byte{2, 0, 0, 0, 0, 1}
	for _, tt := range []struct {
		name   string
		mac    [6]byte
		ip     string
		router bool
		golden string
	}{
		{"V63 V64 gratuitous ARP from the interface's MAC", nic, "192.0.2.100", true, "G23"},
		{"V63 V64 gratuitous ARP from a virtual MAC", VirtualMAC{VRID: 51}.MAC(), "192.0.2.100", true, "G24"},
		{"V65 neighbour advertisement of a router", nic, "fe80::100", true, "G25"},
		{"V65 neighbour advertisement from a virtual MAC", VirtualMAC{VRID: 51, V6: true}.MAC(), "2001:db8::100", true, "G26"},
		{"V65 neighbour advertisement of a host that does not forward", nic, "fe80::100", false, "a host that does not forward"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := hex.EncodeToString(frame(tt.mac, netip.MustParseAddr(tt.ip), tt.router))
			if diff := cmp.Diff(golden[tt.golden], got); diff != "" {
				t.Errorf("frame (-want +got):\n%s", diff)
			}
		})
	}
}
