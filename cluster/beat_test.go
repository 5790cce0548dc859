package cluster

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestHeartbeatsLeaveAtTheMultiplesOfABeatUnlessTheLogHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const beat = 100 * time.Millisecond
		time.Sleep(beat / 3) // any time
		var hangs atomic.Bool
		var late atomic.Int64
		start, asked := time.Now().Truncate(beat), make(chan time.Duration, 100)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go inStep(ctx, beat, hangs.Load, func() {
			asked <- time.Since(start)
			time.Sleep(time.Duration(late.Load()))
		})
		next := func(beats int, want ...time.Duration) {
			t.Helper()
			time.Sleep(time.Duration(beats) * beat)
			got := []time.Duration{}
			for len(asked) > 0 {
				got = append(got, <-asked)
			}
			if !slices.Equal(got, want) {
				t.Errorf("asked at %v, want %v", got, want)
			}
		}
		next(3, beat, 2*beat, 3*beat)
		hangs.Store(true)
		next(3)
		hangs.Store(false)
		late.Store(int64(beat * 3 / 2))
		next(4, 7*beat, 9*beat) // who is late finds into step again
		cancel()
		next(3)
	})
}

func TestABeatThatIsThereAlreadyIsNotTheNext(t *testing.T) {
	const ms, beat = time.Millisecond, 100 * time.Millisecond
	for now, want := range map[time.Duration]time.Duration{
		0: beat, ms: beat, 50 * ms: beat, 90 * ms: beat,
		91 * ms: 2 * beat, 99999 * time.Microsecond: 2 * beat, 100 * ms: 2 * beat,
	} {
		at := time.Unix(1000, 0)
		if got := nextBeat(at.Add(now), beat).Sub(at); got != want {
			t.Errorf("%v after a beat: the next is at %v, want %v", now, got, want)
		}
	}
}

func TestRaftsTimersAreForABeatThatDoesNotComeAndOnlyWhileItLeads(t *testing.T) {
	t.Parallel()
	ns := three(t)
	for _, leader := range []int{0, 1} {
		makeLead(t, ns[leader], ns)
		eventually(t, "the timeouts are the leader's, and the others'", func() error {
			for _, n := range ns {
				want := n.cfg.Heartbeat
				if n.IsLeader() {
					want *= 2
				}
				if c := n.raft.Load().ReloadableConfig(); c.HeartbeatTimeout != want || c.ElectionTimeout != want {
					return fmt.Errorf("%s, which leads: %v: %v and %v", n.cfg.Name, n.IsLeader(), c.HeartbeatTimeout, c.ElectionTimeout)
				}
			}
			return nil
		})
	}
}
