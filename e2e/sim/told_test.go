package sim

import (
	"testing"
	"time"

	"github.com/quorate/quorate/director/ownership"
)

// Who took over was told of the other owner before that, and no path leads there any more. The other hears its adverts, announces after it, and
// dies: that is known only where there was a sign of it since.
func TestADeathIsKnownByWhoHadASignOfItSinceItOwns(t *testing.T) {
	const took, died = 20 * time.Second, 22 * time.Second
	for name, tt := range map[string]struct {
		edit  func(met, reach, ports *since)
		knows bool
	}{
		"nothing since":                       {func(_, _, _ *since) {}, false},
		"its machine answered until it died":  {func(_, reach, _ *since) { *reach = since{false, died} }, true},
		"its adverts were heard":              {func(met, _, _ *since) { met.at = died - ownership.GoneAfter/2 }, true},
		"it said that it owns, and spoke":     {func(met, _, ports *since) { met.at, *ports = died-time.Second, since{false, died} }, true},
		"it answered until it was taken from": {func(_, reach, _ *since) { reach.at = took - 1 }, false},
		"it was there, and was taken for dead before": {func(met, reach, ports *since) {
			met.at, reach.at, ports.at = died-time.Second, died-time.Second, died-time.Second
		}, false},
	} {
		w := newWorld(1, layout{directors: 3, interval: 100 * time.Millisecond, clusterOn: own, gateways: true})
		x, h, was := w.watch, w.hosts[0], w.hosts[1]
		w.now = died
		was.die()
		w.now += lostLimit / 2
		x.owns[h.index], x.owns[was.index] = since{true, took}, since{false, died}
		x.reach[0][h.index][client] = since{true, 0}
		met, reach := &x.met[h.index][was.index], &x.reach[0][h.index][was.index]
		ports := &x.ports[h.index][was.index]
		*met, *reach, *ports = since{true, took - time.Second}, since{false, took - 5*time.Second}, since{false, took - 5*time.Second}
		tt.edit(met, reach, ports)
		if got := x.knows(w.routers[0], h, was); got != tt.knows {
			t.Errorf("%s: it could know: %v", name, got)
		}
	}
	for _, seed := range []uint64{2457123, 2580325} {
		if r := Run(seed, Nothing, nil); r.Broken != nil {
			t.Errorf("%v\n%s", r.Broken, r.Tail)
		}
	}
}

// Who has let go is known by its adverts, where they passed before that, and no word of its agent comes.
func TestWhoLetGoIsKnownByItsAdvertsIfTheyPassedBefore(t *testing.T) {
	const took, lets = 20 * time.Second, 22 * time.Second
	for name, tt := range map[string]struct {
		clear since
		knows bool
	}{
		"they passed before":      {since{true, lets - time.Second}, true},
		"they passed only since":  {since{true, lets + time.Millisecond}, false},
		"they do not pass at all": {since{false, took}, false},
	} {
		w := newWorld(1, layout{directors: 3, interval: 100 * time.Millisecond, clusterOn: own, gateways: true})
		x, h, was := w.watch, w.hosts[0], w.hosts[1]
		w.now = lets + lostLimit/2
		x.owns[h.index], x.owns[was.index] = since{true, took}, since{false, lets}
		x.reach[0][h.index][client], x.met[h.index][was.index] = since{true, 0}, since{true, lets - time.Second}
		x.clear[was.index][h.index] = tt.clear
		if got := x.knows(w.routers[0], h, was); got != tt.knows {
			t.Errorf("%s: it could know: %v", name, got)
		}
	}
	if r := Run(3089917, Nothing, nil); r.Broken != nil {
		t.Errorf("%v\n%s", r.Broken, r.Tail)
	}
}
