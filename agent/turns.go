package agent

import (
	"context"
	"sync"
	"time"
)

// turns has callers go one after another, where all at once would be in each other's way. The zero value is ready to use.
type turns struct {
	once sync.Once
	busy chan struct{}
}

// turnPatience is how long it may take until something moves.
const turnPatience = 4 * time.Second

// take waits until nobody else has a turn, and returns what ends the own one. Where nothing moves meanwhile, by a count of what
// does, nobody is waited for: whatever stops the others, the caller is to run into it too, and say so.
func (t *turns) take(ctx context.Context, moved func() uint64) (end func()) {
	t.once.Do(func() { t.busy = make(chan struct{}, 1) })
	for {
		before := moved()
		select {
		case t.busy <- struct{}{}:
			return func() { <-t.busy }
		case <-ctx.Done():
			return func() {}
		case <-time.After(turnPatience):
			if moved() == before {
				return func() {}
			}
		}
	}
}
