package units

import (
	"testing"
	"time"

	"github.com/quorate/quorate/e2e/lab"
)

func TestUnits(t *testing.T) {
	t.Parallel()
	w := cluster(t, "d", 3)
	for _, tt := range []struct {
		name string
		do   func(*testing.T, *testnet, *director)
	}{
		{"a restart of control moves nothing", restartControl},
		{"a restart of the keeper hands over", restartKeeper},
		{"a stop of the keeper hands over", stopKeeper},
		{"a stop of both hands over", stopBoth},
	} {
		from := w.settled(t)
		if !t.Run(tt.name, func(t *testing.T) { tt.do(t, w, from) }) {
			return
		}
	}
}

func restartControl(t *testing.T, w *testnet, from *director) {
	old, keeps, epoch := from.Control(), from.Keeper(), from.epoch(t)
	w.watch(t, unnoticed, func() {
		from.systemctl(t, "restart", "quorate")
		w.stays(t, from, 2*time.Second)
	})
	if old.Alive() || !keeps.Alive() {
		t.Errorf("the old control runs: %v; the keeper goes on: %v", old.Alive(), keeps.Alive())
	}
	if now := w.settled(t); now != from || now.epoch(t) != epoch {
		t.Errorf("%s owns in epoch %d, before: %s in %d", now.Name, now.epoch(t), from.Name, epoch)
	}
}

func restartKeeper(t *testing.T, w *testnet, from *director) {
	epoch := from.epoch(t)
	w.watch(t, unnoticed, func() {
		from.systemctl(t, "restart", "quorate-keeper")
		w.taken(t, from)
	})
	w.told(t, w.other(from), epoch+1, "the keeper of "+from.Name+" stops")
}

func stopKeeper(t *testing.T, w *testnet, from *director) {
	epoch := from.epoch(t)
	w.watch(t, unnoticed, func() {
		from.systemctl(t, "stop", "quorate-keeper")
		w.taken(t, from)
	})
	w.told(t, w.other(from), epoch+1, "the keeper of "+from.Name+" stops")
	if got := from.property(t, control, "ActiveState"); got != "active" {
		t.Errorf("control is %s", got)
	}
	from.systemctl(t, "start", "quorate-keeper")
}

func stopBoth(t *testing.T, w *testnet, from *director) {
	epoch := from.epoch(t)
	w.watch(t, unnoticed, func() {
		from.systemctl(t, "stop", "quorate", "quorate-keeper")
		w.taken(t, from)
	})
	w.told(t, w.other(from), epoch+1, from.Name+" stops")
	from.systemctl(t, "start", "quorate", "quorate-keeper")
}

var _ = lab.Eventually
