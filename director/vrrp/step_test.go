package vrrp

import (
	"fmt"
	"testing"
	"time"
)

// pounded is how many adverts each router of an Active group of k sends in ten intervals in which each hears a losing advert
// and a resignation every few milliseconds, at times of its own.
func pounded(k int) int {
	g := NewGroup()
	for i := range k {
		g.Add(fmt.Sprint(i), Config{Source: addr("192.0.2.5"), Interval: time.Second, Priority: 100}, "")
	}
	now := start
	g.Step(now, "", Start{})
	for g.State() != Active {
		now = g.Deadline()
		g.Step(now, "", Expired{})
	}
	sent := 0
	step := func(router string, ev Event) {
		for _, e := range g.Step(now, router, ev) {
			if _, ok := e.Action.(Advertise); ok {
				sent++
			}
		}
	}
	for end := now.Add(10 * time.Second); now.Before(end); {
		for i := range k {
			now = now.Add(time.Millisecond)
			step(fmt.Sprint(i), Received{Source: addr("192.0.2.9"), Priority: 50, Interval: time.Second})
			step(fmt.Sprint(i), Received{Source: addr("192.0.2.9"), Interval: time.Second})
		}
		if d := g.Deadline(); !d.After(now) {
			step("", Expired{})
		}
	}
	return sent / k
}

func TestWhatARouterSendsDoesNotGrowWithItsGroup(t *testing.T) {
	alone := pounded(1)
	for _, k := range []int{2, 8} {
		if n := pounded(k); n < 10 || n > alone {
			t.Errorf("of %d routers each sends %d adverts, and one alone %d", k, n, alone)
		}
	}
}

// A router that has just advertised because another did hears a rival: its neighbours are told where the addresses are.
func TestWhoWasDrawnAlongAnnouncesToARival(t *testing.T) {
	g := NewGroup()
	for _, name := range []string{"r", "s"} {
		g.Add(name, Config{Source: addr("192.0.2.5"), Interval: time.Second, Priority: 100}, "")
	}
	now := start
	g.Step(now, "", Start{})
	for g.State() != Active {
		now = g.Deadline()
		g.Step(now, "", Expired{})
	}
	now = now.Add(300 * time.Millisecond)
	g.Step(now, "r", Received{Source: addr("192.0.2.9"), Interval: time.Second}) // resigns: both advertise
	now = now.Add(time.Millisecond)
	rival := Received{Source: addr("192.0.2.9"), Priority: 50, Interval: time.Second}
	said := map[string]bool{}
	for _, e := range g.Step(now, "s", rival) {
		said[e.Router+" "+show(e.Action)] = true
	}
	if said["s advertise 100"] || !said["s announce"] {
		t.Errorf("it says %v", said)
	}
}
