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

// scrubEvery is how long a scrub takes. What flips just behind it is found at the end of the next one: that leaves a heal of
// a large state its time within ten seconds.
const scrubEvery = 3 * time.Second

// scrubParts is in how many parts a scrub is done at most. Each takes about a millisecond at 100,000 servers, which is what a
// change may wait for; and costs a waking, so that there are no more of them.
const scrubParts = 25

// statePath answers with a whole state.
const statePath = "/cluster/state"

// health is what a node knows of its own state.
type health struct {
	wrong  atomic.Pointer[fault] // why the state is not to be trusted; nil: it is
	healed atomic.Pointer[healing]
	only   chan struct{} // capacity 1: held by the heal that is under way
}

// fault is why a state is not to be trusted.
type fault struct {
	why   string
	voted bool // others say so; else the scrub does
}

// healing is the last time that a state was made anew.
type healing struct {
	at    time.Time
	why   string
	times int
}

// Sound returns nil, or why this node's state is not to be trusted until it is healed.
func (n *Node) Sound() error {
	if wrong := n.health.wrong.Load(); wrong != nil {
		return errors.New(wrong.why)
	}
	return nil
}

// Agrees says that no majority has another state than this node. If a heal that they asked for has failed, this node is
// right again without one.
func (n *Node) Agrees() {
	if wrong := n.health.wrong.Load(); wrong != nil && wrong.voted && n.State().Verify() == nil {
		n.forgive(wrong)
	}
}

// forgive ends what was wrong, if nothing else is by now.
func (n *Node) forgive(wrong *fault) {
	if n.health.wrong.CompareAndSwap(wrong, nil) {
		n.log.Warn("the state of this director is right, and was not healed", "was", wrong.why)
		n.machine.poke()
	}
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
		if unscrubbed() {
			pause(ctx, scrubEvery)
			continue
		}
		wrong := n.health.wrong.Load() // first: the state may be replaced
		err := verifySlowly(ctx, n.State())
		if errors.Is(err, fsm.ErrGivenUp) {
			return nil
		}
		if err != nil {
			err = n.State().Verify() // the one that was begun with may have been healed meanwhile
		}
		if err == nil && wrong != nil && !wrong.voted {
			n.forgive(wrong) // flipped back after a heal that failed
		}
		if err == nil || ctx.Err() != nil {
			continue
		}
		if err := n.heal(ctx, fault{why: err.Error()}, n.fromDisk); err != nil && ctx.Err() == nil {
			n.log.Error("the state is not healed yet", "err", err)
		}
	}
	return nil
}

// scrubPart is how many of all things in a state are in one part of a scrub.
func scrubPart(all int) int { return max((all+scrubParts-1)/scrubParts, 1) }

// verifySlowly verifies a state in the time that a scrub has.
func verifySlowly(ctx context.Context, state *fsm.State) error {
	began, done, all := time.Now(), 0, state.Pauses()
	each := scrubPart(all)
	err := state.VerifySlowly(func() bool {
		if done++; done%each == 0 {
			pause(ctx, scrubEvery*time.Duration(each)/time.Duration(all))
		}
		return ctx.Err() == nil
	})
	pause(ctx, scrubEvery-time.Since(began)) // of a state with nothing in it, too
	return err
}

// HealFrom makes the state anew from another member's: others, of which the caller knows that they are a majority of the
// members, had a state with another hash than this node's at the same index. why says so.
func (n *Node) HealFrom(ctx context.Context, why string, index uint64, hash string, others []string) error {
	return n.heal(ctx, fault{why, true}, func(ctx context.Context) (*machine, error) { return n.fromMembers(ctx, others, &hashed{index, hash}) })
}

// heal says that the state is wrong, gives leadership away, and puts a state that source makes into its place.
func (n *Node) heal(ctx context.Context, wrong fault, source func(context.Context) (*machine, error)) error {
	select {
	case n.health.only <- struct{}{}:
		defer func() { <-n.health.only }()
	case <-ctx.Done():
		return ctx.Err()
	}
	n.health.wrong.Store(&wrong)
	n.log.Error("the state of this director is wrong: it gains nothing until it is healed", "err", wrong.why)
	n.machine.poke()
	n.giveLead(ctx, "leadership not given away")
	fresh, err := source(ctx)
	if err == nil {
		err = n.machine.replace(fresh, n.store, "the state of "+n.id.Name+" was wrong, and is made anew: "+wrong.why)
	}
	if err != nil {
		return err
	}
	last := healing{at: time.Now(), why: wrong.why, times: 1}
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
	err := errCompacted
	for tries := 0; tries < 3 && errors.Is(err, errCompacted); tries++ { // then there is a newer snapshot
		fresh := newMachine(n.log)
		if _, err = fresh.replay(n.store, n.State().Index); err == nil {
			return fresh, nil
		}
	}
	var others []string
	for name := range n.State().Members {
		if name != n.id.Name {
			others = append(others, name)
		}
	}
	other, failed := n.fromMembers(ctx, others, nil)
	if failed != nil {
		return nil, errors.Join(err, failed)
	}
	return other, nil
}

// fromMembers fetches the state of the first of some members that has one. voted is what the state must have been that
// is fetched; nil if that is not known.
func (n *Node) fromMembers(ctx context.Context, names []string, voted *hashed) (*machine, error) {
	err := errors.New("nobody else can be asked for the state")
	for _, name := range names {
		state, failed := n.fetchState(ctx, name)
		if failed == nil && voted != nil {
			failed = voted.fits(name, &state)
		}
		if failed == nil {
			fresh := newMachine(n.log)
			fresh.state.Store(&state)
			return fresh, nil
		}
		err = errors.Join(err, failed)
	}
	return nil, err
}

// fits returns why a member's state is not the one that a majority has. One of a later index has come from that one: the
// member was among them, and has verified it when it wrote it.
func (h hashed) fits(name string, state *fsm.State) error {
	if state.Index < h.index {
		return fmt.Errorf("the state of %s is of log entry %d, and the majority's of %d", name, state.Index, h.index)
	}
	if state.Index == h.index && state.Hash() != h.hash {
		return fmt.Errorf("the state of %s is not the majority's at log entry %d", name, h.index)
	}
	return nil
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
