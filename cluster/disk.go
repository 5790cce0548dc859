package cluster

import (
	"context"
	"fmt"
	"time"

	"github.com/quorate/quorate/cluster/logstore"
)

// Disk says what is wrong with the disk that this node's log is on, or is empty.
func (n *Node) Disk() string { return n.disk.Trouble(time.Now()) }

// Unwritable says shortly why this node can take no entries of the log, as its disk takes nothing, or is empty.
func (n *Node) Unwritable() string { return n.disk.Cannot(time.Now()) }

// follows reports whether an entry of the log is here, or can be before somebody mends the disk.
func (n *Node) follows(index uint64) bool {
	r := n.raft.Load()
	return r == nil || r.LastIndex() >= index || n.Unwritable() == ""
}

// behind is the error of a node that has not applied in time what is agreed.
func (n *Node) behind(agreed uint64) error {
	why, another := "", ""
	if cannot := n.Unwritable(); cannot != "" {
		why = ", as " + cannot
	}
	if leader := n.Leader(); leader != "" && leader != n.id.Name {
		another = ", as " + leader
	}
	return fmt.Errorf("%s has applied log entry %d, and %d is agreed%s: ask another director%s", n.id.Name, n.State().Index, agreed, why, another)
}

func (n *Node) newDiskWatch() *logstore.Watch {
	w := n.store.NewWatch(n.cfg.writeLimit(), n.log)
	w.Stuck = n.stuck
	w.Leads = func() bool { return n.IsLeader() && !n.cfg.Patient() && len(n.State().Members) > 1 }
	w.GiveUp = func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, transferLimit)
		defer cancel()
		return n.LeadershipTransfer(ctx)
	}
	return w
}

// writeLimit is how long the log may take to write, or its disk is slow, or hangs: then this node does not lead.
func (c Config) writeLimit() time.Duration { return 2 * c.Heartbeat }

// stuck is for how long the disk has not answered.
func (n *Node) stuck(now time.Time) time.Duration {
	if n.cfg.Patient() {
		return 0
	}
	return n.store.Stuck(now)
}
