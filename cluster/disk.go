package cluster

import (
	"context"
	"time"

	"github.com/quorate/quorate/cluster/logstore"
)

// Disk says what is wrong with the disk that this node's log is on, or is empty.
func (n *Node) Disk() string { return n.disk.Trouble(time.Now()) }

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
