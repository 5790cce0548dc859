package cluster

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestAllWhoWaitForALeaderHaveOneWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h hopes
		var begun, running atomic.Int64
		vain := errors.New("in vain")
		watch := func(ctx context.Context) error {
			begun.Add(1)
			running.Add(1)
			defer running.Add(-1)
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(time.Second):
				return vain
			}
		}
		watches := func(all, now int64) {
			t.Helper()
			synctest.Wait()
			if begun.Load() != all || running.Load() != now {
				t.Fatalf("%d watches were begun and %d run, want %d and %d", begun.Load(), running.Load(), all, now)
			}
		}
		calls := func(n int) (all []<-chan error, end context.CancelFunc) {
			ctx, end := context.WithCancel(t.Context())
			for range n {
				all = append(all, h.wait(ctx, t.Context(), watch))
			}
			return all, end
		}
		first, end := calls(100)
		defer end()
		time.Sleep(time.Second / 2)
		later, gone := calls(10)
		watches(1, 1)
		gone()
		watches(1, 1)
		time.Sleep(time.Second)
		for _, verdict := range first {
			if err := <-verdict; !errors.Is(err, vain) {
				t.Fatalf("one hears %v", err)
			}
		}
		for _, verdict := range later {
			if len(verdict) != 0 {
				t.Fatalf("one that went hears %v", <-verdict)
			}
		}
		watches(1, 0)
		_, end = calls(2) // another question
		watches(2, 1)
		end()
		watches(2, 0)
		after, end := calls(1)
		defer end()
		watches(3, 1)
		if err := <-after[0]; !errors.Is(err, vain) {
			t.Errorf("after all others went one hears %v", err)
		}
	})
}
