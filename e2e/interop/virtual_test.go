package interop

import (
	"fmt"
	"testing"
	"time"

	"github.com/quorate/quorate/director/vrrp"
	"github.com/quorate/quorate/e2e/lab"
)

// FRR speaks from the first link-local address of its interface, be it a virtual one. quorate follows it where
// that is named as a peer; else it does not believe it, and both own.
func TestV36_FRRThatSpeaksFromAVirtualAddressIsFollowedWhereItIsNamed(t *testing.T) {
	needs(t, FRR)
	for _, named := range []bool{true, false} {
		t.Run(fmt.Sprintf("named %v", named), func(t *testing.T) {
			t.Parallel()
			c := Cell{Peer: FRR, Role: Standby, Version: 3, V6: true, Interval: 100 * time.Millisecond, VirtualSource: true, Named: named}
			s := newStand(t, c)
			q := s.Quorate.(*quorate)
			s.Peer.Start(c.settings(high))
			lab.Eventually(t, 10*time.Second, "FRR owns", func() error { return s.serves(s.Peer, c.virtual()) })
			s.Quorate.Start(c.settings(low))
			time.Sleep(10 * c.Down(low))
			own, err := q.drops(vrrp.DropOwnSource)
			if err != nil {
				t.Fatal(err)
			}
			err = s.serves(s.Peer, c.virtual())
			switch {
			case named && (err != nil || own > 0):
				t.Errorf("named: %d adverts not believed, %v", own, err)
			case !named && (err == nil || own == 0):
				t.Errorf("not named: %d adverts not believed, %v", own, err)
			}
		})
	}
}
