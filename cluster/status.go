package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm"
)

// State returns the newest state that this node has applied. It must not be changed.
func (n *Node) State() *fsm.State { return n.machine.state.Load() }

// HashAt returns the hash that this node's state had at an index, if that was not long ago.
func (n *Node) HashAt(index uint64) (string, bool) { return n.machine.hashAt(index) }

// Changed returns a channel that is closed when the state, or whether it is halted, changes after
// the call.
func (n *Node) Changed() <-chan struct{} { return n.machine.next() }

// Founder reports whether this member made the cluster, by Init.
func (n *Node) Founder() bool { return n.id.Admitted == firstCommand }

// Current reports whether Raft has applied at least what this node had applied before it started.
// Until then the state is right as of its index, and nothing should be deleted because of it.
// A node whose record was lost knows no such index; it is current once it has applied what the
// leader says is agreed. A joiner is once it would start with what it has, too. A halted node is current as well: its state is as right as it will get.
func (n *Node) Current() bool {
	r := n.raft.Load()
	switch {
	case r == nil || n.removed.Load() != nil || r.AppliedIndex() < n.recorded:
		return false
	case n.Halted() != nil:
		return true
	case n.State().Index < n.id.Admitted, !n.kept.Load():
		return false
	}
	return !n.blind.Load() || n.agreedApplied(r)
}

// agreedApplied reports whether everything is applied that the leader says is agreed, once.
func (n *Node) agreedApplied(r *raft.Raft) bool {
	agreed := r.CommitIndex() // 0 until a leader has spoken
	if agreed == 0 || r.AppliedIndex() < agreed {
		return false
	}
	for index := agreed; index > n.State().Index; index-- { // Raft tells what it handed over, not what was taken
		var l raft.Log
		if err := n.store.Bare.GetLog(index, &l); err != nil {
			break // it is in a snapshot, and that was restored
		}
		if l.Type == raft.LogCommand {
			return false
		}
	}
	n.blind.Store(false)
	return true
}

// Halted returns nil, or a *[HaltError] that names the entry which this node cannot apply.
func (n *Node) Halted() error {
	if h := n.machine.halted.Load(); h != nil {
		return h
	}
	return nil
}

// tooOld returns nil, or why this node is halted if another binary would not be.
func (n *Node) tooOld() error {
	if h := n.machine.halted.Load(); h != nil && h.TooOld() {
		return h
	}
	return nil
}

// Removed returns nil, or an error that matches [ErrRemoved] and says who told of it.
func (n *Node) Removed() error {
	if r := n.removed.Load(); r != nil {
		return r
	}
	return nil
}

// Leader returns the leader's name, or "" while none is known. Who hangs in its log does not lead, whatever Raft says: of
// two voters it is not replaced.
func (n *Node) Leader() string {
	r := n.raft.Load()
	if r == nil || n.removed.Load() != nil {
		return ""
	}
	_, id := r.LeaderWithID()
	if string(id) == n.id.ID && n.hangs() {
		return ""
	}
	m, _ := memberByID(n.State(), string(id))
	return m.Name
}

// IsLeader reports whether this node leads, as far as it knows. Who hangs in its log does, though [Node.Leader] names nobody
// then: it still has the lead to give up or to hand over, but others gain nothing from asking it.
func (n *Node) IsLeader() bool {
	r := n.raft.Load() // one that was shut down may keep the state it had
	return r != nil && n.removed.Load() == nil && r.State() == raft.Leader
}

// Quorum reports whether this node is in the quorum: it leads with a lease, or hears who does.
func (n *Node) Quorum() bool {
	r := n.raft.Load()
	if r == nil || n.removed.Load() != nil {
		return false
	}
	if r.State() == raft.Leader {
		return !n.hangs()
	}
	_, id := r.LeaderWithID()
	return id != "" && time.Since(r.LastContact()) < 2*n.cfg.Heartbeat
}

// hangs reports whether this node's log does not answer for so long that it cannot lead.
func (n *Node) hangs() bool { return n.stuck(time.Now()) > n.cfg.writeLimit() }

// Voter reports whether this member counts for the quorum. A joiner does once it has caught up.
func (n *Node) Voter() bool {
	servers, err := n.servers()
	if err != nil || n.removed.Load() != nil {
		return false
	}
	for _, s := range servers {
		if string(s.ID) == n.id.ID {
			return s.Suffrage == raft.Voter
		}
	}
	return false
}

// Reached reports whether any other member has connected to this one since it runs.
func (n *Node) Reached() bool { return n.port != nil && n.port.Reached() }

// Voters returns the names of the members that count for the quorum, as Raft knows them.
func (n *Node) Voters() []string {
	servers, err := n.servers()
	if err != nil || n.removed.Load() != nil {
		return nil
	}
	s := n.State()
	var names []string
	for _, id := range voterIDs(servers) {
		m, ok := memberByID(s, id)
		if !ok {
			m.Name = id // its membership has ended, and Raft's configuration follows
		}
		names = append(names, m.Name)
	}
	return names
}

// servers returns Raft's configuration.
func (n *Node) servers() ([]raft.Server, error) {
	r := n.raft.Load()
	if r == nil {
		return nil, errNotRunning
	}
	f := r.GetConfiguration()
	if err := f.Error(); err != nil {
		return nil, fmt.Errorf("members of Raft: %w", err)
	}
	return f.Configuration().Servers, nil
}

var errNotRunning = errors.New("this node does not run")

// LeadershipTransfer makes another voter lead. It returns when this node leads no more.
func (n *Node) LeadershipTransfer(ctx context.Context) error {
	n.handing.Add(1)
	defer n.handing.Add(-1)
	var last error
	for ctx.Err() == nil {
		if !n.IsLeader() {
			return nil
		}
		err := n.await(ctx, func() raft.Future { return n.raft.Load().LeadershipTransfer() })
		if err == nil {
			return nil
		}
		if last == nil || ctx.Err() == nil { // that the time is over says nothing
			last = err
		}
		pause(ctx, n.cfg.Heartbeat/10)
	}
	return fmt.Errorf("transfer leadership: %w", errors.Join(last, ctx.Err()))
}

// memberByID finds a member by its ID.
func memberByID(s *fsm.State, id string) (fsm.Member, bool) {
	for _, m := range s.Members {
		if m.ID == id {
			return m, true
		}
	}
	return fsm.Member{}, false
}

// pause waits for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) { pauseFor(ctx, nil, d) }
