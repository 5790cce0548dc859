package cluster

import (
	"context"
	"sync"
)

// hopes are what all calls that wait for something know of whether that is in vain: one watch, however many they are.
// It begins with the first that waits, and ends with its verdict or with the last.
type hopes struct {
	mu  sync.Mutex
	now *hope // nil: nobody waits
}

// hope is one watch.
type hope struct {
	waiting map[chan error]bool
	end     context.CancelFunc
}

// wait returns a channel that takes the error that watch returns, unless ctx has ended by then. Watch is called if nobody waits
// yet, with a context of life that ends when nobody does any more.
func (h *hopes) wait(ctx, life context.Context, watch func(context.Context) error) <-chan error {
	verdict := make(chan error, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	x := h.now
	if x == nil {
		x = &hope{waiting: map[chan error]bool{}}
		life, x.end = context.WithCancel(life)
		h.now = x
		go func() { h.tell(x, watch(life)) }()
	}
	x.waiting[verdict] = true
	context.AfterFunc(ctx, func() { h.leave(x, verdict) })
	return verdict
}

// tell ends a watch with its verdict.
func (h *hopes) tell(x *hope, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.over(x)
	if err == nil {
		return // it was ended
	}
	for verdict := range x.waiting {
		verdict <- err
	}
}

// leave notes that one waits no more.
func (h *hopes) leave(x *hope, verdict chan error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if delete(x.waiting, verdict); len(x.waiting) == 0 {
		h.over(x)
	}
}

// over ends a watch: who waits from now on has another.
func (h *hopes) over(x *hope) {
	x.end()
	if h.now == x {
		h.now = nil
	}
}
