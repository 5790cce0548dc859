package keeper

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestV14ABlockedGroupGoesWithAGoodbyeAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a, b, _ := three(t, "wan", "lan")
		defer w.stop()
		time.Sleep(500 * time.Millisecond)
		begin := time.Now()
		g := gateway(220, 1, time.Second, "wan", "lan")
		g.Blocked = "track db fails"
		a.order(Order{Groups: []Group{g}})
		synctest.Wait()
		if a.state() != "initialize" || a.last().Reason != "track db fails" || a.has(vip("wan")) {
			t.Errorf("blocked: %s, %+v", a.state(), a.last())
		}
		for _, iface := range []string{"wan", "lan"} {
			if got := w.heard(1, iface, begin); len(got) == 0 || got[0].advert.Priority != 0 {
				t.Errorf("on %s it said %+v, want priority 0", iface, got)
			}
		}
		time.Sleep(time.Second)
		if b.state() != "active" {
			t.Errorf("its successor is %s", b.state())
		}
		a.set(220, 1, "wan", "lan")
		synctest.Wait()
		if a.state() != "backup" {
			t.Errorf("not blocked any more: %s", a.state())
		}
	})
}

// An Active router speaks as soon as its carrier is back.
func TestV60AFlapOfTheCarrierChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a, b, _ := three(t, "wan")
		defer w.stop()
		time.Sleep(500 * time.Millisecond)
		before := len(a.status().Transitions) + len(b.status().Transitions)
		for _, box := range []*box{a, b} {
			box.link("wan", false)
		}
		time.Sleep(900 * time.Millisecond)
		begin := time.Now()
		for _, box := range []*box{b, a} {
			box.link("wan", true)
		}
		synctest.Wait()
		if got := w.heard(1, "wan", begin); len(got) == 0 || got[0].at != begin {
			t.Errorf("the Active router said %+v when the carrier was back", got)
		}
		time.Sleep(5 * time.Second)
		if after := len(a.status().Transitions) + len(b.status().Transitions); after != before || a.state() != "active" {
			t.Errorf("%s, %d transitions, %d before", a.state(), after, before)
		}
		a.link("wan", false)
		time.Sleep(1100 * time.Millisecond)
		if a.state() != "initialize" || a.last().Reason != "link wan down" {
			t.Errorf("without a carrier for longer: %s, %+v", a.state(), a.last())
		}
	})
}
