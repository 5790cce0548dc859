package keeper

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/quorate/quorate/director/vrrp"
)

func TestV84WhatTheKernelRejectsOrHasNoRoomForIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a, _, _ := three(t, "wan")
		defer w.stop()
		before := len(a.status().Transitions)
		for _, d := range []vrrp.Datagram{
			{Rejected: vrrp.DropTTL, Count: 1}, {Rejected: vrrp.DropTTL, Count: 256}, {Rejected: vrrp.DropLength, Count: 1, Lost: 7},
		} {
			a.do(func(now time.Time) { a.keeper.hear(now, link{Interface: "wan"}, d) })
		}
		want := map[vrrp.Drop]uint64{vrrp.DropTTL: 257, vrrp.DropLength: 1, vrrp.DropQueue: 7}
		s := a.status()
		if diff := cmp.Diff(want, s.Drops["wan"]); diff != "" {
			t.Errorf("drops (-want +got):\n%s", diff)
		}
		if len(s.Transitions) != before {
			t.Error("it changed something")
		}
	})
}

func TestV84HowLongTwoWereActiveIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a, _, _ := three(t, "wan")
		defer w.stop()
		src := netip.MustParseAddr("192.0.2.77")
		p := vrrp.Packet{VRID: 51, Priority: 100, Interval: time.Second, Addresses: []netip.Addr{vip("wan").Prefix.Addr()}}
		payload, err := p.Append(nil, src, vrrp.Multicast(false))
		if err != nil {
			t.Fatal(err)
		}
		duel := func(adverts int) {
			for range adverts {
				a.do(func(now time.Time) {
					a.keeper.hear(now, link{Interface: "wan"}, vrrp.Datagram{Src: src, Dst: vrrp.Multicast(false), TTL: vrrp.TTL, Payload: payload})
				})
				time.Sleep(time.Second)
			}
		}
		duel(5) // of which the first and the last are four seconds apart
		time.Sleep(time.Minute)
		duel(3)
		g, _ := a.status().Group("gateway")
		if got := g.Routers[0].Contest; got != 6*time.Second || g.State != "active" || g.Routers[0].Contested != 8 {
			t.Errorf("two were Active for %v, want 6 s; %s, %d adverts", got, g.State, g.Routers[0].Contested)
		}
	})
}
