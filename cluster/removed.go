package cluster

import (
	"context"
	"errors"
	"time"

	"github.com/quorate/quorate/cluster/port"
	"github.com/quorate/quorate/fsm"
)

// watchMembership looks at who is a member: others that were removed lose their connections, and
// this node, if it was, stops taking part. Raft does not tell a server that was removed while it
// was away; so without a leader this node asks the others.
func (n *Node) watchMembership(ctx context.Context) error {
	tick := time.NewTicker(4 * n.cfg.Heartbeat)
	defer tick.Stop()
	var seen *fsm.State
	said := time.Now().Add(n.cfg.patience() - retellEach) // a leader may be found at once
	for {
		changed := n.Changed()
		if s := n.State(); s != seen {
			n.dropStrangers()
			n.heard.forget(s)
			n.findSelf(s)
			seen = s
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-tick.C:
			if !n.Quorum() && n.Removed() == nil {
				if err := n.meet(ctx); err != nil {
					n.noteTwin(err.Error())
				}
				n.askWhetherRemoved(ctx)
			}
			n.tellMove(ctx)
			if why := n.Astray(); why != "" && time.Since(said) > retellEach {
				said = time.Now()
				n.log.Warn("no leader is found", "why", why)
			}
		}
	}
}

// dropStrangers closes Raft's connections and the streams from those that are no members any more. Their
// calls are answered: that is how they are told. It closes all connections of who was known by a CA that counts no more,
// but that by which it was asked to be dropped: it closes when that is answered.
func (n *Node) dropStrangers() {
	n.port.Drop(func(c *port.Conn) bool {
		if len(c.ConnectionState().VerifiedChains) > 0 && !n.creds.Trusts(c.ConnectionState()) {
			return c.Ends()
		}
		return !c.Lasts() || n.mayTalk(c.Identity()) == nil
	})
}

// findSelf notices that the log itself says that this node was removed.
func (n *Node) findSelf(s *fsm.State) {
	if s.ClusterID == "" || s.Index < n.id.Admitted || n.leaving.Load() {
		return
	}
	if m, ok := s.Members[n.id.Name]; !ok || m.ID != n.id.ID {
		n.endRemoved(&removal{Name: n.id.Name, Index: s.Index})
	}
}

// askWhetherRemoved asks the members. A member's word counts if it has applied at least what this
// node has: one that is behind may not know this node yet.
func (n *Node) askWhetherRemoved(ctx context.Context) {
	for name := range n.State().Members {
		if name == n.id.Name {
			continue
		}
		_, err := n.progressOf(ctx, name)
		var r *removal
		if !errors.As(err, &r) || r.Name != n.id.Name {
			continue
		}
		if n.heed(r.Recovery, name); n.Removed() != nil {
			return
		}
		if r.Recovery.Over(n.State().Recovery) {
			continue // nobody heeds it here
		}
		if r.Index >= max(n.id.Admitted, n.State().Index) {
			n.endRemoved(&removal{Name: r.Name, Index: r.Index, By: name})
			return
		}
	}
}

// tellMove tells the others where this node is now, if they know another address: until then the
// leader may not find it, so it may not know who leads, and asks all.
func (n *Node) tellMove(ctx context.Context) {
	quorum := n.Quorum()
	if n.Removed() != nil || quorum && (!n.Current() || n.Halted() != nil) {
		return // it has yet to learn what the others know
	}
	s := n.State()
	old, ok := s.Members[n.id.Name]
	if !ok || old.ID != n.id.ID || (old.Address == n.cfg.Bind && old.Gossip == n.cfg.Gossip) {
		return
	}
	if err := n.mayMove(ctx); err != nil {
		n.log.Debug("new address not told", "err", err)
		return
	}
	moved := fsm.SetMember{Member: old} // the rest is the agent's to tell
	moved.Member.Address, moved.Member.Gossip = n.cfg.Bind, n.cfg.Gossip
	if quorum {
		if err := n.Propose(ctx, moved); err != nil {
			n.log.Warn("new address not told", "err", err)
			return
		}
		n.moved()
		n.log.Info("told where this director is now", "address", n.cfg.Bind)
		return
	}
	entry, err := fsm.Encode(moved)
	if err != nil {
		n.log.Error("new address not told", "err", err)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, n.cfg.patience())
	defer cancel()
	for name := range s.Members {
		if name == n.id.Name {
			continue
		}
		if _, err := n.forward(ctx, name, entry); err == nil {
			n.moved()
			n.log.Info("told where this director is now", "leader", name, "address", n.cfg.Bind)
			return
		}
	}
}

// endRemoved ends the part in Raft; everything else stays as it is, for a person to look at.
func (n *Node) endRemoved(r *removal) {
	if old := n.removed.Load(); old != nil && !r.Behind || !n.removed.CompareAndSwap(old, r) {
		return
	}
	n.log.Error("removed", "err", r)
	n.depart()
	if raft := n.raft.Load(); raft != nil {
		raft.Shutdown() // stopRaft waits for it
	}
	n.machine.poke()
}
