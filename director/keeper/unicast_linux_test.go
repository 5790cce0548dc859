package keeper

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

func TestTwoKeepersHearEachOthersIPv6Unicasts(t *testing.T) {
	spaces := segment(t, 2)
	for i, s := range spaces {
		ip(t, "-n", s.name, "addr", "add", fmt.Sprintf("2001:db8::%d/64", i+1), "dev", "eth0", "nodad")
		s.run()
		p := netip.MustParsePrefix
		err := s.Set(t.Context(), Order{
			Members: []netip.Addr{netip.MustParseAddr(fmt.Sprintf("2001:db8::%d", 2-i)), netip.MustParseAddr(fmt.Sprintf("fe80::%d", 2-i))},
			Groups: []Group{{Name: "gateway", Epoch: 1, Priority: uint8(200 - 100*i), Preempt: true, Routers: []Router{{
				Name: "six", VRID: 51, Interface: "eth0", Interval: calm, Unicast: true,
				Addresses: []netip.Prefix{p("fe80::100/64"), p("2001:db8::100/64")},
			}}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		s.wait("it owns", func() bool { return i > 0 || s.state() == "active" })
	}
	spaces[1].wait("it hears the owner", func() bool { return spaces[1].router().Heard != nil })
	time.Sleep(2 * time.Second)
	if a, b := spaces[0].state(), spaces[1].state(); a != "active" || b != "backup" {
		t.Errorf("they are %s and %s", a, b)
	}
	if got := spaces[0].router().Source.String(); got != "2001:db8::1" {
		t.Errorf("the source is %s", got)
	}
}
