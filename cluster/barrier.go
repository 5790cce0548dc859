package cluster

import (
	"context"
	"sync"

	"github.com/hashicorp/raft"
)

// barriers have what was agreed before a read applied here, for all who read. A barrier is an entry of the log: one of them is
// under way at a time, and all who come meanwhile share the next. So a thousand reads cost the log an entry, keep no place
// from a change, see [groups], and do not fill the memory of a leader that hangs or is cut off.
type barriers struct {
	mu   sync.Mutex
	next *barrier // that has not begun: all that is asked until then is before it
	last *barrier // that has
}

// barrier is an entry that many wait for.
type barrier struct {
	done chan struct{}
	err  error // when done
}

// barrier returns when all that was agreed before it is applied here, or when this node leads no more: a Raft that hangs in its
// disk answers nobody.
func (n *Node) barrier(ctx context.Context) error {
	leads, b := n.tenure.of(n), n.barriers.join(n)
	select {
	case <-b.done:
		return b.err
	case <-ctx.Done(): // the others wait on
		return ctx.Err()
	case <-leads.Done():
		return raft.ErrLeadershipLost
	}
}

// join returns the barrier that is to begin next: one under way may be agreed before what was confirmed a moment ago.
func (bs *barriers) join(n *Node) *barrier {
	bs.mu.Lock()
	defer bs.mu.Unlock()
	if bs.next != nil {
		return bs.next
	}
	b, before := &barrier{done: make(chan struct{})}, bs.last
	bs.next = b
	go func() { // ends when Raft has decided, or this node's part in it ends
		defer close(b.done)
		if before != nil {
			<-before.done
		}
		bs.mu.Lock()
		bs.next, bs.last = nil, b
		bs.mu.Unlock()
		b.err = n.await(n.part, func() raft.Future { return n.raft.Load().Barrier(0) })
	}()
	return b
}
