package groups

import (
	"context"
	"sync"

	"github.com/quorate/quorate/director/ownership"
)

// pulls are those of the connections of other directors. What one has are the connections of all of its groups, so
// that a hundred groups that move together must not pull them a hundred times: of one director one pull is under
// way at a time, and all who come meanwhile share the next.
type pulls struct {
	mu   sync.Mutex
	next map[string]*pulling // by director: not begun yet
	last map[string]*pulling // by director: begun last
}

type pulling struct {
	done chan struct{}
	err  error // when done
}

// pull brings the connections here that a director has now or a moment later.
func (d *Driver) pull(ctx context.Context, from string) error {
	p := d.joinPull(from)
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// joinPull returns the pull that is to begin next.
func (d *Driver) joinPull(from string) *pulling {
	ps := &d.pulls
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if p := ps.next[from]; p != nil {
		return p
	}
	p, before := &pulling{done: make(chan struct{})}, ps.last[from]
	ps.next[from] = p
	d.cfg.Go(func() {
		defer close(p.done)
		if before != nil {
			<-before.done
		}
		ps.mu.Lock()
		delete(ps.next, from)
		ps.last[from] = p
		ps.mu.Unlock()
		ctx, cancel := context.WithTimeout(d.ctx, ownership.MoveLimit)
		defer cancel()
		p.err = d.cfg.Pull(ctx, from)
	})
	return p
}
