package sim

import (
	"testing"
	"time"
)

// The cluster port of who leads is shut: it writes to all others, and none of them reaches it. Another leads, and moves the
// group from it if it owns that: its adverts are heard, and nobody can ask it.
func TestALeaderWhosePortIsShutLeavesTheLeadToAnother(t *testing.T) {
	played := map[bool]int{}
	for _, without := range []Mutant{Nothing, Abdication} {
		for seed := range uint64(5) {
			w := newWorld(seed+1, layout{directors: 3, interval: time.Second, clusterOn: own, gateways: true, without: without})
			w.run(warm)
			l, end := w.leader(), w.now+30*time.Second
			owned := w.hosts[0] == l
			played[owned]++
			w.order()
			w.inject(w.now, 30*time.Second, w.shuts(l, w.others(l)))
			w.run(end - 1)
			if gone := w.leader() != l; gone != (without == Nothing) {
				t.Errorf("seed %d without %q: another leads: %v", seed+1, without, gone)
			}
			if moved := w.servers() != "owner"; moved != (owned && without == Nothing) {
				t.Errorf("seed %d without %q: who leads owns: %v, and the group moves: %v", seed+1, without, owned, moved)
			}
			w.run(w.now + 20*time.Second)
			w.watch.agree()
			if w.watch.broken != nil {
				t.Errorf("seed %d without %q: %v", seed+1, without, w.watch.broken)
			}
		}
	}
	if played[true] == 0 || played[false] == 0 {
		t.Errorf("who leads owns, or not, %v times", played)
	}
}

// An agent asks who cannot ask it, and is answered; what it reports does not count there.
func TestWhosePortIsShutIsAnsweredAndDoesNotCount(t *testing.T) {
	w := newWorld(1, layout{directors: 3, interval: time.Second, clusterOn: own, gateways: true})
	w.run(warm)
	shut, other := w.hosts[1], w.hosts[2]
	w.inject(w.now, 30*time.Second, w.shuts(shut, []*host{other}))
	w.run(w.now + 5*time.Second)
	asked, answered := false, false
	w.send(shut, other, func(*control) {
		asked = true
		w.reply(other, shut, func(*control) { answered = true })
	})
	w.send(other, shut, func(*control) { t.Error("a port that is shut takes what comes") })
	w.run(w.now + 10*time.Millisecond)
	if !asked || !answered {
		t.Errorf("it is heard: %v, and answered: %v", asked, answered)
	}
	if other.control.reportOf(shut.index) != nil || shut.control.reportOf(w.hosts[0].index) == nil {
		t.Error("reports of who is not reached count, or those of others do not")
	}
	if w.now-other.control.heard[shut.index] < 4*time.Second || w.now-shut.control.heard[other.index] < 4*time.Second {
		t.Error("one of the two hears the other")
	}
}

// A filter on the owner's host keeps all adverts and all connections of others from it, and lets out what it sends: another has
// the group by a claim, and nobody can tell it so. It asks, since nobody speaks to it.
func TestAnOwnerBehindAFilterFindsThatAnotherHasTheGroup(t *testing.T) {
	for seed := range uint64(5) {
		for _, all := range []bool{false, true} { // whether its adverts are lost as well
			w := newWorld(seed+1, layout{directors: 3, interval: time.Second, clusterOn: own, gateways: true})
			w.run(warm)
			w.order()
			h := w.hosts[0]
			w.inject(w.now, 30*time.Second, w.shuts(h, w.others(h)))
			filter := w.cutsOff(wan, []kind{vrrpKind}, w.from(w.others(h), h), "the same filter")
			if all {
				filter = w.losesAll(wan, vrrpKind)
			}
			w.inject(w.now, 30*time.Second, filter)
			w.run(w.now + 29*time.Second)
			if got := w.servers(); got != "another" || w.watch.broken != nil {
				t.Errorf("seed %d, all adverts lost: %v: %s, %v", seed+1, all, got, w.watch.broken)
			}
		}
	}
}
