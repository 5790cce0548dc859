package sim

import (
	"testing"
	"time"
)

// Two directors of a pair hear each other on one segment, and reach only the gateway on the other; their cluster ports do not
// reach each other, and the witness answers both. Each takes the other for one that is cut off there: one claim settles it. It
// does, too, where the ports are shut to all, so that the witness answers both and hears neither.
func TestTwoThatAreApartOnOneSegmentDoNotClaimInTurns(t *testing.T) {
	both := [][2]int{{0, 1}, {1, 0}}
	for name, apart := range map[string]func(w *world) []fault{
		"the ports of the directors are apart": func(w *world) []fault {
			return []fault{w.cutsOff(own, []kind{portKind}, both, "the ports of the directors are apart")}
		},
		"a filter before both ports": func(w *world) []fault {
			a, b := w.hosts[0], w.hosts[1]
			return []fault{w.shuts(a, w.others(a)), w.shuts(b, w.others(b))}
		},
	} {
		for seed := range uint64(5) {
			w := newWorld(seed+1, layout{directors: 2, witness: true, pair: true, interval: time.Second, clusterOn: own, gateways: true})
			w.run(warm)
			w.order()
			for _, f := range append(apart(w), w.cutsOff(lan, []kind{vrrpKind, arpKind}, both, "a private VLAN")) {
				w.inject(w.now, 2*time.Minute, f)
			}
			w.run(w.now + 20*time.Second)
			before := w.watch.moves
			w.run(w.now + 90*time.Second)
			if n := w.watch.moves - before; n > 1 || w.watch.broken != nil {
				t.Errorf("%s, seed %d: %d changes of owner in 90 s, %v", name, seed+1, n, w.watch.broken)
			}
		}
	}
}

// A director is off one segment for a moment, and its next one claims from it; then that one is off the segment, by which the
// cluster's traffic goes as well, before the log has named it. Who was claimed from, and is well again, claims back: nobody
// answers the other that it is cut off.
func TestWhoHasClaimedAndIsCutOffFromAllIsClaimedFrom(t *testing.T) {
	for name, l := range map[string]layout{
		"and a witness": {directors: 2, witness: true},
		"of three":      {directors: 3},
	} {
		for seed := range uint64(5) {
			l.pair, l.interval, l.clusterOn, l.gateways = true, 100*time.Millisecond, lan, true
			w := newWorld(seed+1, l)
			w.run(warm)
			w.order()
			first, next := w.hosts[0], w.hosts[1]
			w.inject(w.now, 1900*time.Millisecond, w.movesPort(lan, first))
			w.inject(w.now+1800*time.Millisecond, 2*time.Minute, w.movesPort(lan, next))
			w.run(w.now + 1800*time.Millisecond)
			if log := w.newest().Groups["gateway"]; w.servers() != "another" || log.Owner != first.name {
				t.Errorf("%s, seed %d: at first %s serves, and the log names %s", name, seed+1, w.servers(), log.Owner)
			}
			w.run(w.now + 4*time.Second)
			if h, _ := w.serving(0); w.watch.broken != nil || h == nil || h == next || next.kernel.has(0) {
				t.Errorf("%s, seed %d: %v has the addresses of the one that is cut off: %v", name, seed+1, w.servers(), w.watch.broken)
			}
			before := w.watch.moves
			w.run(w.now + 90*time.Second)
			if n := w.watch.moves - before; n > 0 || w.watch.broken != nil {
				t.Errorf("%s, seed %d: %d changes of owner in 90 s, %v", name, seed+1, n, w.watch.broken)
			}
		}
	}
}
