package address

import (
	"encoding/hex"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The bytes were captured from keepalived and FRR, which agree.
func TestAnnouncementsAreTheBytesThatOthersSend(t *testing.T) {
	nic, vmac4, vmac6 := [6]byte{2, 0, 0, 0, 0, 1}, [6]byte{0, 0, 0x5e, 0, 1, 0x33}, [6]byte{0, 0, 0x5e, 0, 2, 0x33}
	for _, tt := range []struct {
		name   string
		mac    [6]byte
		ip     string
		router bool
		want   string
	}{
		{
			"gratuitous ARP from the interface's MAC", nic, "192.0.2.100", true,
			"ffffffffffff02000000000108060001080006040001020000000001c0000264ffffffffffffc0000264",
		},
		{
			"gratuitous ARP from a virtual MAC", vmac4, "192.0.2.100", true,
			"ffffffffffff00005e0001330806000108000604000100005e000133c0000264ffffffffffffc0000264",
		},
		{
			"neighbour advertisement of a router", nic, "fe80::100", true,
			"33330000000102000000000186dd6000000000203afffe800000000000000000000000000100" +
				"ff0200000000000000000000000000018800d59ca0000000fe8000000000000000000000000001000201020000000001",
		},
		{
			"neighbour advertisement from a virtual MAC", vmac6, "2001:db8::100", true,
			"33330000000100005e00023386dd6000000000203aff20010db8000000000000000000000100" +
				"ff020000000000000000000000000001880018faa000000020010db8000000000000000000000100020100005e000233",
		},
		{
			"neighbour advertisement of a host that does not forward", nic, "fe80::100", false,
			"33330000000102000000000186dd6000000000203afffe800000000000000000000000000100" +
				"ff0200000000000000000000000000018800559d20000000fe8000000000000000000000000001000201020000000001",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := hex.EncodeToString(frame(tt.mac, netip.MustParseAddr(tt.ip), tt.router))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("frame (-want +got):\n%s", diff)
			}
		})
	}
}
