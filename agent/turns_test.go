package agent

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestTurnsComeOneAfterAnotherWhileSomethingMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ts turns
		var moved, at atomic.Uint64
		take := func() func() {
			end, err := ts.take(t.Context(), moved.Load)
			if err != nil {
				t.Error(err)
			}
			return end
		}
		began := time.Now()
		for range 5 { // each of which takes long
			go func() {
				end := take()
				if at.Add(1) > 1 {
					t.Error("two at once")
				}
				for range 5 {
					time.Sleep(turnPatience / 2)
					moved.Add(1)
				}
				at.Add(^uint64(0))
				end()
			}()
		}
		synctest.Wait()
		take()()
		if took := time.Since(began); took > 5*5*turnPatience/2 {
			t.Errorf("they took %v", took)
		}
		time.Sleep(5 * 10 * turnPatience)
		hangs := take()
		began = time.Now()
		take()()
		if waited := time.Since(began); waited != turnPatience {
			t.Errorf("waited %v for one that hangs", waited)
		}
		ctx, cancel := context.WithTimeout(t.Context(), turnPatience/2)
		defer cancel()
		if _, err := ts.take(ctx, moved.Load); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a turn without an end of the other's: %v", err)
		}
		if waited := time.Since(began); waited != turnPatience*3/2 {
			t.Errorf("waited %v, though nobody waits for the result", waited-turnPatience)
		}
		hangs()
		take()()
		if waited := time.Since(began); waited != turnPatience*3/2 {
			t.Errorf("waited for nobody")
		}
	})
}

// TestNobodyWaitsForATurnForEver has one who does not end, while others move.
func TestNobodyWaitsForATurnForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ts turns
		var moved uint64
		count := func() uint64 {
			moved++
			return moved
		}
		end, err := ts.take(t.Context(), count)
		if err != nil {
			t.Fatal(err)
		}
		defer end()
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 2*turnLimit)
		defer cancel()
		if _, err := ts.take(ctx, count); !errors.Is(err, errNoTurn) || time.Since(began) != turnLimit {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}
