package sim

import (
	"testing"
	"time"
)

// An owner that is cut off stops saying so, since its control ends. Who was told of it until then finds others anew; nobody else does.
func TestDarknessCountsAnewWhereAnOwnerThatIsCutOffStopsSayingSo(t *testing.T) {
	for name, tt := range map[string]struct {
		edit func(w *world, h *host)
		anew bool
	}{
		"its control ends":                   {func(_ *world, h *host) { h.controlling.kill() }, true},
		"its keeper ends as well":            {func(_ *world, h *host) { h.controlling.kill(); h.keeping.kill() }, false},
		"its control runs, and is not heard": {func(w *world, h *host) { w.isolates(h).begin() }, false},
		"its control ends, and was not heard": {func(w *world, h *host) {
			w.isolates(h).begin()
			w.watch.look()
			w.now += time.Second
			h.controlling.kill()
		}, false},
	} {
		w := newWorld(1, layout{directors: 3, interval: time.Second, clusterOn: own, gateways: true})
		w.run(warm)
		w.order()
		x, h := w.watch, w.hosts[0]
		w.movesPort(wan, h).begin()
		w.now += time.Second
		x.look()
		w.now += time.Second
		tt.edit(w, h)
		x.look()
		if got := x.taken(0) == w.now; got != tt.anew {
			t.Errorf("%s: it counts from %v, and now is %v", name, x.taken(0), w.now)
		}
	}
}
