package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm"
)

// Two things can make this node's state another than the log leads to. A scrub finds what happened in memory: it adds
// the state up anew and compares that with the sum that apply kept. What was applied otherwise than by the others has a
// sum that is right, and another than theirs: whoever hears their reports finds that, and calls [Node.HealFrom]. Either
// way the state is made anew beside the applying, and takes the old one's place between two entries.

// scrubEvery leaves a scrub and a heal of a large state their time within ten seconds.
const scrubEvery = 4 * time.Second

// statePath answers with a whole state.
const statePath = "/cluster/state"

// health is what a node knows of its own state.
type health struct {
	wrong  atomic.Pointer[string] // why the state is not to be trusted; nil: it is
	healed atomic.Pointer[healing]
	only   chan struct{} // capacity 1: held by the heal that is under way
}

// healing is the last time that a state was made anew.
type healing struct {
	at    time.Time
	why   string
	times int
}

// Sound returns nil, or why this node's state is not to be trusted until it is healed.
func (n *Node) Sound() error {
	if why := n.health.wrong.Load(); why != nil {
		return errors.New(*why)
	}
	return nil
}

// Healed says when and why this node's state was made anew since it started, or is empty.
func (n *Node) Healed() string {
	h := n.health.healed.Load()
	if h == nil {
		return ""
	}
	return fmt.Sprintf("its state was wrong and was made anew since it started (%d times, last at %s): %s", h.times, h.at.Local().Format(time.DateTime), h.why)
}

// scrub verifies the state again and again, until ctx ends.
func (n *Node) scrub(ctx context.Context) error {
	for ctx.Err() == nil {
		pause(ctx, scrubEvery)
		if unscrubbed() {
			continue
		}
		err := n.State().Verify()
		if err == nil || ctx.Err() != nil {
			continue
		}
		if err := n.heal(ctx, err.Error(), n.fromDisk); err != nil && ctx.Err() == nil {
			n.log.Error("the state is not healed yet", "err", err)
		}
	}
	return nil
}

// HealFrom makes the state anew from another member's: others, of which the caller knows that they are the majority,
// have another state than this node at the same index. why says so.
func (n *Node) HealFrom(ctx context.Context, why string, others []string) error {
	return n.heal(ctx, why, func(ctx context.Context) (*machine, error) { return n.fromMembers(ctx, others) })
}

// heal says that the state is wrong, gives leadership away, and puts a state that source makes into its place.
func (n *Node) heal(ctx context.Context, why string, source func(context.Context) (*machine, error)) error {
	select {
	case n.health.only <- struct{}{}:
		defer func() { <-n.health.only }()
	case <-ctx.Done():
		return ctx.Err()
	}
	n.health.wrong.Store(&why)
	n.log.Error("the state of this director is wrong: it gains nothing until it is healed", "err", why)
	n.machine.poke()
	if n.IsLeader() && len(n.State().Members) > 1 {
		giving, stop := context.WithTimeout(ctx, transferLimit)
		if err := n.LeadershipTransfer(giving); err != nil {
			n.log.Warn("leadership not given away", "err", err)
		}
		stop()
	}
	fresh, err := source(ctx)
	if err == nil {
		err = n.machine.replace(fresh, n.store, "the state of "+n.id.Name+" was wrong, and is made anew: "+why)
	}
	if err != nil {
		return err
	}
	last := healing{at: time.Now(), why: why, times: 1}
	if before := n.health.healed.Load(); before != nil {
		last.times += before.times
	}
	n.health.healed.Store(&last)
	n.health.wrong.Store(nil)
	n.machine.poke()
	if r := n.raft.Load(); r != nil { // what is on disk may have led to the wrong state
		err := n.await(ctx, func() raft.Future { return r.Snapshot() })
		if err != nil && !errors.Is(err, raft.ErrNothingNewToSnapshot) && ctx.Err() == nil {
			n.log.Warn("no snapshot of the healed state yet", "err", err)
		}
	}
	return nil
}

// fromDisk makes the state anew from this node's own snapshot and log, which nobody needs to be asked for. If they are
// damaged too it is a member's.
func (n *Node) fromDisk(ctx context.Context) (*machine, error) {
	fresh := newMachine(n.log)
	err := fresh.replay(n.store, n.State().Index)
	if err == nil {
		return fresh, nil
	}
	var others []string
	for name := range n.State().Members {
		if name != n.id.Name {
			others = append(others, name)
		}
	}
	other, failed := n.fromMembers(ctx, others)
	if failed != nil {
		return nil, errors.Join(err, failed)
	}
	return other, nil
}

// fromMembers fetches the state of the first of some members that has one.
func (n *Node) fromMembers(ctx context.Context, names []string) (*machine, error) {
	err := errors.New("nobody else can be asked for the state")
	for _, name := range names {
		state, failed := n.fetchState(ctx, name)
		if failed == nil {
			fresh := newMachine(n.log)
			fresh.state.Store(&state)
			return fresh, nil
		}
		err = errors.Join(err, failed)
	}
	return nil, err
}

func (n *Node) fetchState(ctx context.Context, name string) (fsm.State, error) {
	ctx, stop := context.WithTimeout(ctx, time.Minute) // a large one, over a slow line
	defer stop()
	client, base, err := n.Client(name)
	if err != nil {
		return fsm.State{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+statePath, nil)
	if err != nil {
		return fsm.State{}, fmt.Errorf("ask %s for its state: %w", name, err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return fsm.State{}, fmt.Errorf("ask %s for its state: %w", name, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fsm.State{}, fmt.Errorf("ask %s for its state: it answers %s", name, resp.Status)
	}
	state, err := fsm.ReadSnapshot(resp.Body)
	if err != nil {
		return fsm.State{}, fmt.Errorf("the state of %s: %w", name, err)
	}
	if state.ClusterID != n.id.ClusterID {
		return fsm.State{}, fmt.Errorf("the state of %s is of cluster %s", name, state.ClusterID)
	}
	return state, nil
}

// serveState gives a member this node's state, secrets included, as Raft would with a snapshot.
func (n *Node) serveState(w http.ResponseWriter, _ *http.Request) {
	if err := errors.Join(n.Sound(), n.Halted()); err != nil {
		writeError(w, err)
		return
	}
	_ = fsm.WriteSnapshot(w, *n.State()) // who asked may be gone; what is not whole has another checksum
}
