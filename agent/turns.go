package agent

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// turns has callers go one after another, where all at once would be in each other's way. The zero value is ready to use.
type turns struct {
	once sync.Once
	busy chan struct{}
}

// turnPatience is how long it may take until something moves, and turnLimit how long anybody waits for a turn.
const (
	turnPatience = 4 * time.Second
	turnLimit    = time.Minute
)

var errNoTurn = fmt.Errorf("other changes took %v: nothing was changed", turnLimit)

// take waits until nobody else has a turn, and returns what ends the own one. It is an error if that takes too long, or longer than ctx.
// Where nothing moves meanwhile, by a count of what does, nobody is waited for: whatever stops the others, the caller is to run into
// it too, and say so.
func (t *turns) take(ctx context.Context, moved func() uint64) (end func(), err error) {
	t.once.Do(func() { t.busy = make(chan struct{}, 1) })
	limit := time.After(turnLimit)
	for {
		before := moved()
		select {
		case t.busy <- struct{}{}:
			return func() { <-t.busy }, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-limit:
			return nil, errNoTurn
		case <-time.After(turnPatience):
			if moved() == before {
				return func() {}, nil
			}
		}
	}
}
