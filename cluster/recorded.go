package cluster

import (
	"context"
	"time"
)

// recordEvery bounds how far the record is behind what was applied.
const recordEvery = 100 * time.Millisecond

// keepRecord writes what was applied until ctx ends, and once more then.
func (n *Node) keepRecord(ctx context.Context) error {
	said := false
	for ctx.Err() == nil {
		news := n.machine.next()
		err := n.record.Write(n.onDisk())
		if err != nil && !said {
			n.log.Warn("this director would start from an older state", "err", err)
		}
		if said = err != nil; !said {
			select {
			case <-ctx.Done():
			case <-news:
			}
		}
		pause(ctx, recordEvery)
	}
	return n.record.Write(n.onDisk())
}

// onDisk is how far what is applied can be made anew from this node's own disk. A state that was fetched from another
// member may be ahead of what is agreed in the log here: the entries between are yet to come, or are others that Raft
// will replace. Then it is what is on record: the last entry that is agreed here may be none that a state counts.
func (n *Node) onDisk() uint64 {
	index := n.State().Index
	if r := n.raft.Load(); r == nil || index > max(r.CommitIndex(), r.AppliedIndex()) { // the latter alone knows of a snapshot of the leader
		return n.record.Last()
	}
	return index
}
