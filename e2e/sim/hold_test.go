package sim

import (
	"testing"
	"time"
)

// No adverts pass, and the port of the owner, which nobody has heard, is shut to the last one that could succeed it. The owner dies,
// and then the control of that one, which has just found that the owner's kernel answers.
func TestWhoseControlDiesAfterTheOwnerServesByTheTimer(t *testing.T) {
	if r := Run(1626971, Nothing, nil); r.Broken != nil {
		t.Errorf("%v\n%s", r.Broken, r.Tail)
	}
}

// The owner hangs, and then the control of the one that waits for its addresses to end is late for longer than it has the timer
// held: its keeper takes over while the kernel of the owner answers. Two answer then for longer than for a renewal, and for no
// longer than the hold left of the lifetime.
func TestAControlThatIsLateForLongerThanItHoldsTheTimerHasTwoAnswerForAMomentLonger(t *testing.T) {
	for late, most := range map[time.Duration]time.Duration{
		0:                       750 * time.Millisecond,
		600 * time.Millisecond:  1100 * time.Millisecond,
		1500 * time.Millisecond: 1100 * time.Millisecond,
	} {
		for after := 160 * time.Millisecond; after < 600*time.Millisecond; after += 20 * time.Millisecond {
			w := newWorld(1, layout{directors: 2, witness: true, interval: 100 * time.Millisecond, clusterOn: own, gateways: true})
			w.run(warm)
			w.order()
			owner, next := w.hosts[0], w.hosts[1]
			owner.keeping.freeze()
			owner.controlling.freeze()
			w.after(after, func() { w.after(late, next.controlling.freeze()) })
			two, none := time.Duration(0), time.Duration(0)
			for end := w.now + 5*time.Second; w.now < end; w.run(w.now + time.Millisecond) {
				switch has, its := owner.kernel.has(0), next.kernel.has(0); {
				case has && its:
					two += time.Millisecond
				case !has && !its:
					none += time.Millisecond
				}
			}
			if two > most || none > 0 || w.watch.broken != nil {
				t.Errorf("late for %v, %v after the owner hangs: two answer for %v, nobody for %v, %v", late, after, two, none, w.watch.broken)
			}
		}
	}
}
