package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/quorate/quorate/cluster/port"
	"github.com/quorate/quorate/fsm"
)

// ErrQuorumAtRisk means that a membership was not ended, since the rest could agree on nothing then.
var ErrQuorumAtRisk = errors.New("the cluster would lose its quorum")

// noQuorum is [ErrQuorumAtRisk] where there is none already.
type noQuorum struct{}

func (noQuorum) Error() string { return "the cluster has no quorum" }

func (noQuorum) Unwrap() error { return ErrQuorumAtRisk }

// removeRequest asks the leader to end a membership.
type removeRequest struct {
	Name  string `json:"name"`
	Force bool   `json:"force"`
}

// MayLeave returns nil if this member can leave, or why not. Who is no member any more always can.
func (n *Node) MayLeave(ctx context.Context, force bool) error {
	if !force && !n.Quorum() && n.Removed() == nil {
		n.askWhetherRemoved(ctx) // a leave before this one may have been cut off
	}
	if force || n.Removed() != nil {
		return nil
	}
	err := n.affordable(ctx, n.id.Name)
	if why := n.refused.Load(); err != nil && why != nil { // whoever is brought back does not take it either
		return errors.New(*why)
	}
	return err
}

// affordable says, with the numbers, why a member cannot be missed.
func (n *Node) affordable(ctx context.Context, name string) error {
	if len(n.State().Members) == 1 {
		return fmt.Errorf("%w: %s is its only member, and its data would go with it; force it to end the cluster", ErrQuorumAtRisk, name)
	}
	seen, err := n.voters(ctx, name)
	if err != nil {
		return err
	}
	risk := ErrQuorumAtRisk
	if !n.Quorum() {
		risk = noQuorum{}
	}
	if need := seen.voters/2 + 1; seen.answer() < need {
		return fmt.Errorf("%w: without %s it has %d voters and needs %d of them, but only %d answer; bring one back first, or force it", risk, name, seen.voters, need, seen.answer())
	} else if can := seen.answer() - len(seen.full); can < need {
		return fmt.Errorf("%w: without %s it has %d voters and needs %d of them, but only %d can write for sure (%s), or force it", risk, name, seen.voters, need, can, strings.Join(seen.full, "; "))
	}
	return nil
}

// Remove ends another member's membership. It refuses, with the numbers, what would lose the
// quorum, unless forced. Of a name that no member has it says [fsm.ErrAlready], once all is done, if a member had it.
func (n *Node) Remove(ctx context.Context, name string, force bool) error {
	again, end := n.patience(ctx)
	defer end()
	ctx = again.ctx
	var uncertain error
	for {
		err := errNotLeader
		if n.IsLeader() {
			err = n.remove(ctx, name, force)
		} else if leader := n.Leader(); leader != "" {
			err = n.call(ctx, leader, http.MethodPost, "/cluster/remove", removeRequest{name, force}, nil)
		}
		var dial *port.DialError
		switch {
		case errors.Is(err, ErrUncertain): // the next leader knows
			uncertain, again.stubborn = err, true
		case uncertain != nil && isNoMember(err):
			return nil // it was there before
		case !errors.Is(err, errNotLeader) && !errors.As(err, &dial):
			return err
		}
		if err := again.pause(); err != nil {
			return cmp.Or(uncertain, err)
		}
	}
}

// isNoMember reports whether a membership was not ended since there is none.
func isNoMember(err error) bool {
	return errors.Is(err, fsm.ErrNotFound) || errors.Is(err, fsm.ErrAlready)
}

// MayRemove says with numbers why a member cannot be spared, as [Node.Remove] would.
func (n *Node) MayRemove(ctx context.Context, name string) error {
	if _, ok := n.State().Members[name]; !ok {
		return n.State().NoMember(name)
	}
	return n.affordable(ctx, name)
}

func (n *Node) serveRemove(w http.ResponseWriter, r *http.Request) {
	var q removeRequest
	err := readJSON(w, r, &q)
	if err == nil && !n.IsLeader() {
		err = errNotLeader
	}
	if err == nil {
		err = n.remove(r.Context(), q.Name, q.Force)
	}
	if err != nil {
		writeError(w, err)
		return
	}
	writeJSON(w, struct{}{})
}

// remove is the leader's part. The entry ends the membership; Raft's configuration follows before
// the answer, so that who left is not counted any more.
func (n *Node) remove(ctx context.Context, name string, force bool) error {
	if _, ok := n.State().Members[name]; !ok {
		if err := n.insist(ctx); err != nil {
			return err
		}
		return n.State().NoMember(name)
	}
	if !force {
		if err := n.affordable(ctx, name); err != nil {
			return err
		}
	}
	if name == n.id.Name && len(n.State().Members) > 1 { // another is to do it: this one stops when it learns of it
		if err := n.LeadershipTransfer(ctx); err != nil {
			return err
		}
		return errNotLeader
	}
	entry, err := fsm.Encode(fsm.RemoveMember{Name: name})
	if err != nil {
		return err
	}
	index, err := n.append(ctx, entry)
	if err != nil {
		return err
	}
	n.waitApplied(ctx, index)
	return n.insist(ctx)
}

// insist has Raft's configuration follow the members before who leaves is let go: a voter that is gone
// before it is out of the configuration is missing from the quorum of two.
func (n *Node) insist(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, n.cfg.patience())
	defer cancel()
	for {
		_, err := n.adjust(ctx)
		if err == nil {
			return nil
		}
		if !n.IsLeader() || ctx.Err() != nil {
			return fmt.Errorf("%w: Raft's configuration: %w", ErrUncertain, err)
		}
		pause(ctx, n.cfg.Heartbeat/10)
	}
}

// Leave ends this node's membership: it gives leadership away, is removed, stops, and what it had
// of the cluster is wiped. [Node.Run] returns then. It refuses, with the numbers, what would lose
// the quorum. With force it leaves though nobody agrees; the others count it until it is removed
// there. Of two that run at a time, the second waits for the first.
func (n *Node) Leave(ctx context.Context, force bool, progress func(string)) error {
	select {
	case n.oneLeave <- struct{}{}:
		defer func() { <-n.oneLeave }()
	case <-ctx.Done():
		return fmt.Errorf("another leave is under way: %w", ctx.Err())
	}
	if n.left.Load() {
		return n.stopped(ctx)
	}
	if err := n.MayLeave(ctx, force); err != nil {
		return err
	}
	n.leaving.Store(true)
	alone := len(n.State().Members) == 1
	if err := n.resign(ctx, alone, force, progress); err != nil && !force {
		n.leaving.Store(false)
		return err
	} else if err != nil {
		progress("the others were not told: " + err.Error())
	}
	n.left.Store(true)
	n.end()
	if n.running.CompareAndSwap(false, true) {
		return n.Close() // it never ran
	}
	return n.stopped(ctx)
}

// stopped waits until what this node had of the cluster is gone.
func (n *Node) stopped(ctx context.Context) error {
	select {
	case <-n.done:
	case <-ctx.Done():
		return fmt.Errorf("the membership has ended, but this node does not stop: %w", ctx.Err())
	}
	if n.failed == nil && !n.wiped {
		return errors.New("the membership has ended, but this agent was stopped meanwhile and still has its data: leave again")
	}
	return n.failed
}

// resign has the others end this membership. The leader does the arithmetic again: it knows of the member that was
// admitted a moment ago.
func (n *Node) resign(ctx context.Context, alone, force bool, progress func(string)) error {
	if alone || n.Removed() != nil {
		return nil
	}
	ctx, cancel := withoutHaste(ctx, 2*n.cfg.patience())
	defer cancel()
	if n.IsLeader() {
		progress("giving leadership away")
		if err := n.LeadershipTransfer(ctx); err != nil {
			return err
		}
	}
	for n.IsLeader() || n.Leader() == "" || n.Leader() == n.id.Name { // the others elect; it is quick
		pause(ctx, n.cfg.Heartbeat/20)
		if ctx.Err() != nil {
			return n.noLeader()
		}
	}
	for {
		err := n.Remove(ctx, n.id.Name, force)
		switch {
		case err == nil, isNoMember(err):
			return nil
		case errors.Is(err, ErrRemoved): // it was done before, and only the answer was lost
			pause(ctx, 4*n.cfg.Heartbeat) // whoever leads may need this voter until Raft's configuration follows
			return nil
		case !errors.Is(err, ErrUncertain) || ctx.Err() != nil:
			return err
		}
		pause(ctx, n.cfg.Heartbeat/4)
	}
}

// Left reports whether [Node.Leave] has ended this node.
func (n *Node) Left() bool { return n.left.Load() }
