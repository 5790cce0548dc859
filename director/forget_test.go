package director

import (
	"context"
	"errors"
	"net/netip"
	"testing"

	"github.com/quorate/quorate/director/ipvs"
)

// What is another's may become this host's while it is forgotten: a group has moved, and has connections that nobody told of.
func TestNothingIsForgottenButToQuietAddressesThatAreAnothersStill(t *testing.T) {
	theirs, own := netip.MustParseAddrPort("192.0.2.1:80"), netip.MustParseAddrPort("192.0.2.2:80")
	loud := netip.MustParseAddrPort("192.0.2.1:81") // of no quiet service
	var over []ipvs.Conn
	for i := range 3 * forgetBatch {
		client := netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, byte(i >> 8)}), uint16(1+i&255))
		for _, virtual := range []netip.AddrPort{theirs, own, loud} {
			over = append(over, ipvs.Conn{Protocol: ipvs.TCP, Client: client, Virtual: virtual})
		}
	}
	broken := errors.New("the daemon does not take them")
	for name, tt := range map[string]struct {
		after int   // looks, until the group moves
		fails error // of the first batch
		want  int
	}{
		"all of it":             {after: 100, want: 3 * forgetBatch},
		"it moves at once":      {after: 0, want: 0},
		"it moves meanwhile":    {after: 2, want: forgetBatch},
		"what is over is stuck": {after: 100, fails: broken, want: 0},
	} {
		t.Run(name, func(t *testing.T) {
			looks, got := 0, 0
			whose := func() func(netip.Addr) bool {
				looks++
				here := looks > tt.after
				return func(a netip.Addr) bool { return a == theirs.Addr() && !here }
			}
			err := forget(t.Context(), append([]ipvs.Conn(nil), over...), []netip.AddrPort{theirs, own}, whose, func(_ context.Context, batch []ipvs.Conn) error {
				for _, c := range batch {
					if c.Virtual != theirs {
						t.Errorf("forgets a connection to %v", c.Virtual)
					}
				}
				if tt.fails == nil {
					got += len(batch)
				}
				return tt.fails
			})
			if got != tt.want || !errors.Is(err, tt.fails) {
				t.Errorf("%d forgotten, %v; want %d, %v", got, err, tt.want, tt.fails)
			}
		})
	}
}
