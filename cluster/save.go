package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/quorate/quorate/cluster/port"
	"github.com/quorate/quorate/fsm"
)

// point is how far the cluster had come at an instant, and with what state.
type point struct {
	Index uint64    `json:"index"`
	Hash  string    `json:"hash"`
	Now   time.Time `json:"now,omitzero"` // by the leader's clock
}

// errDiverged means that this node is not to be asked for the cluster's state.
var errDiverged = errors.New("this director's state differs from the leader's at the same log index")

// saveTries is how often a node that is ahead of the leader's answer asks again for one to compare with.
const saveTries = 5

// Saved returns the state with everything in it that was confirmed to anybody before the call, compared
// with the leader's. A stale one is what this node has, and needs nobody.
func (n *Node) Saved(ctx context.Context, stale bool) (fsm.Saved, error) {
	out := fsm.Saved{At: time.Now().UTC().Truncate(time.Second), Director: n.id.Name, Version: n.cfg.Version, Stale: stale}
	if stale {
		out.State = *n.State()
		if out.State.ClusterID == "" {
			return out, errors.New("this director has nothing to save: the log has not come to it yet")
		}
		return out, out.State.Verify()
	}
	for range saveTries {
		at, err := n.agreedPoint(ctx)
		if err != nil {
			return out, err
		}
		n.waitApplied(ctx, at.Index)
		out.State = *n.State()
		switch {
		case n.Halted() != nil:
			return out, n.Halted()
		case out.State.Index < at.Index:
			return out, fmt.Errorf("%w, or save what this one has with --stale", n.behind(at.Index))
		case out.State.Index > at.Index: // it changes: there was no common index to compare at
			continue
		case out.State.Hash() != at.Hash:
			return out, errDiverged
		}
		return out, out.State.Verify()
	}
	return out, errors.New("the state changes too fast to be compared with the leader's: try again, or save what this director has with --stale")
}

// CatchUp waits until this node's state shows everything that was confirmed to anybody before the call, and
// returns what time it is by the leader's clock. Without a leader, which alone knows, it is [ErrNoLeader].
func (n *Node) CatchUp(ctx context.Context) (time.Time, error) {
	at, err := n.agreedPoint(ctx)
	if err != nil {
		return time.Time{}, err
	}
	n.waitApplied(ctx, at.Index)
	if err := n.Halted(); err != nil {
		return time.Time{}, err
	}
	if n.State().Index < at.Index {
		return time.Time{}, n.behind(at.Index)
	}
	return at.Now, nil
}

// agreedPoint asks the leader for a point that is not before anything that was confirmed, and waits a
// while for there to be one.
func (n *Node) agreedPoint(ctx context.Context) (point, error) {
	ctx, stop := context.WithTimeout(ctx, 3*n.cfg.patience())
	defer stop()
	again, end := n.patience(ctx)
	defer end()
	for {
		if err := errors.Join(n.Removed(), n.Halted()); err != nil {
			return point{}, err
		}
		at, err := point{}, errNotLeader
		if n.IsLeader() {
			at, err = n.leadersPoint(ctx)
		} else if leader := n.Leader(); leader != "" {
			asking, stop := n.WhileLeads(ctx, leader) // its process may be frozen
			err = n.call(asking, leader, http.MethodGet, "/cluster/point", nil, &at)
			stop()
		}
		var dial *port.DialError
		if !errors.Is(err, errNotLeader) && !errors.Is(err, ErrUncertain) && !errors.As(err, &dial) { // a question has no effect
			return at, err
		}
		if err := again.pause(); err != nil {
			return point{}, err
		}
	}
}

// leadersPoint is the leader's part. The barrier is agreed on, so who answers still leads.
func (n *Node) leadersPoint(ctx context.Context) (point, error) {
	if err := n.barrier(ctx); err != nil {
		return point{}, errNotLeader
	}
	if err := n.Halted(); err != nil {
		return point{}, err
	}
	s := n.State()
	return point{s.Index, s.Hash(), n.cfg.Now().UTC()}, nil
}

func (n *Node) servePoint(w http.ResponseWriter, r *http.Request) {
	at, err := point{}, errNotLeader
	if n.IsLeader() {
		at, err = n.leadersPoint(r.Context())
	}
	if err != nil {
		writeError(w, err)
		return
	}
	writeJSON(w, at)
}
