package sim

import (
	"testing"
	"time"

	"github.com/quorate/quorate/director/vrrp"
)

// The first host's keeper stops a moment after its last advert, and the second takes over before the next is due.
func TestTheLifetimeIsAddedForAMoveThatTheLogWantedBeforeAnAdvertWasMissed(t *testing.T) {
	const stopped = 20 * time.Second
	for name, tt := range map[string]struct {
		wanted time.Duration // 0: never
		added  bool
	}{
		"never":                    {0, false},
		"long before that":         {stopped - wantTime, false},
		"just before that":         {stopped - 100*time.Millisecond, true},
		"when it had just stopped": {stopped + 100*time.Millisecond, true},
		"after the other took it":  {stopped + 600*time.Millisecond, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(1, layout{directors: 2, interval: time.Second, clusterOn: own})
			x, owner, next := w.watch, w.hosts[0], w.hosts[1]
			w.now = stopped + time.Second
			x.heard[0][0][1] = stopped - 1
			x.quiet[0] = since{true, stopped}
			x.owns[1] = since{true, stopped + w.interval/2}
			x.wants[1] = since{tt.wanted > 0, tt.wanted}
			if got := x.untold(owner, next); got != tt.added {
				t.Errorf("the lifetime is added: %v", got)
			}
		})
	}
}

// A host whose agent is silent altogether must not answer for long beside one that has become well since.
func TestWhoIsWellOnlySinceTheOwnerFellSilentCountsFromThen(t *testing.T) {
	w := newWorld(1, layout{directors: 2, interval: time.Second, clusterOn: own})
	x, silent, well := w.watch, w.hosts[0], w.hosts[1]
	silent.keeping.kill()
	silent.controlling.kill()
	x.quiet[0], x.well[1] = since{true, 20 * time.Second}, since{true, 21 * time.Second}
	if !x.mute(silent, well) {
		t.Error("it is not looked whether both answer")
	}
	if x.well[1] = (since{false, 21 * time.Second}); x.mute(silent, well) {
		t.Error("it is looked whether both answer, though one is not well")
	}
}

// An owner behind a filter asks whether another has its addresses, and has two seconds for it: from when it goes on, if it stood still.
func TestWhoIsBehindAFilterHasTwoSecondsFromWhenItRuns(t *testing.T) {
	w := newWorld(1, layout{directors: 2, interval: time.Second, clusterOn: own})
	x, other, shut := w.watch, w.hosts[0], w.hosts[1]
	x.well[other.index] = since{true, 0}
	other.kernel.until[0], shut.kernel.until[0] = time.Hour, time.Hour
	w.shuts(shut, w.others(shut)).begin()
	ends := func(at time.Duration) time.Duration {
		w.now, x.deadline = at, 0
		x.lookBoth(w.routers[0])
		return x.deadline - 1
	}
	if got, want := ends(20*time.Second), 22*time.Second; got != want {
		t.Errorf("both may answer until %v, want %v", got, want)
	}
	thaw := w.bothFreeze(shut)
	thaw.begin()
	if got := ends(21 * time.Second); got >= 22*time.Second+w.lifetime() {
		t.Errorf("while it stands still, until %v", got)
	}
	w.now = 22*time.Second - 1
	thaw.end()
	if got, want := ends(22*time.Second-1), 24*time.Second-1; got != want {
		t.Errorf("when it goes on, until %v, want %v", got, want)
	}
}

// An owner's machine goes on a moment before it is claimed from, and both its processes do not: who claims looks at it once a tick.
func TestTheLifetimeIsAddedForAMachineThatAnswersAgainSinceTheLastLook(t *testing.T) {
	for ago, added := range map[time.Duration]bool{
		0: true, 40 * time.Millisecond: true, tickEvery: true, 2 * tickEvery: false, time.Second: false,
	} {
		w := newWorld(1, layout{directors: 2, interval: time.Second, clusterOn: own})
		x, owner, next := w.watch, w.hosts[0], w.hosts[1]
		w.now = 20 * time.Second
		x.quiet[owner.index], x.well[next.index] = since{true, w.now - time.Second}, since{true, 0}
		x.heard[0][owner.index][next.index] = w.now - time.Second
		x.reach[0][next.index][owner.index] = since{true, w.now - ago}
		x.became(next, "web", vrrp.Became{From: vrrp.Backup, To: vrrp.Active, Reason: "claim"})
		if got := x.untold(owner, next); got != added {
			t.Errorf("it answers again for %v: the lifetime is added: %v", ago, got)
		}
	}
	if r := Run(2450569, Nothing, nil); r.Broken != nil {
		t.Errorf("%v\n%s", r.Broken, r.Tail)
	}
}
