package agent

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestTurnsComeOneAfterAnotherWhileSomethingMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ts turns
		var moved, at atomic.Uint64
		began := time.Now()
		for range 5 { // each of which takes long
			go func() {
				end := ts.take(t.Context(), moved.Load)
				if at.Add(1) > 1 {
					t.Error("two at once")
				}
				for range 10 {
					time.Sleep(turnPatience / 2)
					moved.Add(1)
				}
				at.Add(^uint64(0))
				end()
			}()
		}
		synctest.Wait()
		ts.take(t.Context(), moved.Load)()
		if took := time.Since(began); took > 5*10*turnPatience/2 {
			t.Errorf("they took %v", took)
		}
		time.Sleep(5 * 10 * turnPatience)
		hangs := ts.take(t.Context(), moved.Load)
		began = time.Now()
		ts.take(t.Context(), moved.Load)()
		if waited := time.Since(began); waited != turnPatience {
			t.Errorf("waited %v for one that hangs", waited)
		}
		ctx, cancel := context.WithTimeout(t.Context(), turnPatience/2)
		defer cancel()
		ts.take(ctx, moved.Load)()
		if waited := time.Since(began); waited != turnPatience*3/2 {
			t.Errorf("waited %v, though nobody waits for the result", waited-turnPatience)
		}
		hangs()
		ts.take(t.Context(), moved.Load)()
		if waited := time.Since(began); waited != turnPatience*3/2 {
			t.Errorf("waited for nobody")
		}
	})
}
