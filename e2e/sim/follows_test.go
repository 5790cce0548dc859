package sim

import (
	"testing"
	"time"

	"github.com/quorate/quorate/fsm"
)

// The log names d2, which has lost the group to d1. The leader may have decided that before it knew, however long the disks took since: it
// cannot take it back. What it knew it must not decide, nor does a slow disk excuse that.
func TestTheLogNamesNobodyOfWhomWasKnownWhenItWasDecidedThatItHasLostTheGroup(t *testing.T) {
	const lost, agreed = 30 * time.Second, 34 * time.Second
	for name, tt := range map[string]struct {
		decided time.Duration
		edit    func(*watch)
		broken  bool
	}{
		"decided before it lost it":           {lost - time.Millisecond, func(*watch) {}, false},
		"before that was known":               {lost + 400*time.Millisecond, func(*watch) {}, false},
		"when that was known":                 {lost + 600*time.Millisecond, func(*watch) {}, true},
		"just before it was agreed":           {agreed - time.Millisecond, func(*watch) {}, true},
		"and the other has it only since":     {agreed - time.Millisecond, func(x *watch) { x.owns[0].at = agreed }, false},
		"and the other has not got it either": {agreed - time.Millisecond, func(x *watch) { x.owns[0].is = false }, false},
		"and it has it again":                 {agreed - time.Millisecond, func(x *watch) { x.owns[1] = since{true, agreed} }, false},
	} {
		w := newWorld(1, layout{directors: 3, interval: time.Second, clusterOn: own, gateways: true})
		w.run(warm)
		x := w.watch
		w.hosts[2].disk = 5 * time.Second
		x.owns[0], x.owns[1], x.calm[0] = since{true, lost}, since{false, lost}, since{true, 0}
		w.now = tt.decided
		known := w.known()
		w.now = agreed
		tt.edit(x)
		x.names(fsm.SetOwner{Group: "web", Owner: "d2", Reason: "VRRP elected it"}, "d1", known)
		if got := x.broken != nil; got != tt.broken {
			t.Errorf("%s: broken: %v", name, x.broken)
		}
	}
	for _, seed := range []uint64{4022523, 5009509} {
		if r := Run(seed, Nothing, nil); r.Broken != nil {
			t.Errorf("%v\n%s", r.Broken, r.Tail)
		}
	}
}
