package keeper

import (
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
