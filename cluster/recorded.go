package cluster

import (
	"context"
	"time"
)

// recordEvery bounds how far the record is behind what was applied. A joiner's first one is waited for.
const (
	recordEvery = 100 * time.Millisecond
	firstRecord = 10 * time.Millisecond
)

// keepRecord writes what was applied until ctx ends, and once more then.
func (n *Node) keepRecord(ctx context.Context) error {
	said := false
	for ctx.Err() == nil {
		news, every := n.machine.next(), recordEvery
		err := n.writeRecord(ctx)
		if err != nil && !said {
			n.log.Warn("this director would start from an older state", "err", err)
		}
		said = err != nil
		if !n.kept.Load() && !said {
			every = firstRecord
		}
		if !said && !n.awaitsRecord() {
			select {
			case <-ctx.Done():
			case <-news:
			}
		}
		pause(ctx, every)
	}
	return n.record.Write(n.onDisk())
}

// awaitsRecord reports whether this node has applied what made it a member, and would not know of it if it ended now.
func (n *Node) awaitsRecord() bool {
	return !n.kept.Load() && n.State().Index >= n.id.Admitted && n.Removed() == nil
}

// writeRecord writes what was applied. The first record of a member's own place is to outlive a power cut: until it does
// this node is not current, for it would start with nothing.
func (n *Node) writeRecord(ctx context.Context) error {
	if err := n.record.Write(n.onDisk()); err != nil {
		return err
	}
	if n.kept.Load() || n.record.Last() < n.id.Admitted {
		return nil
	}
	synced := make(chan error, 1)
	go func() { synced <- n.record.Sync() }() // ends when the disk answers
	select {
	case err := <-synced:
		if err != nil {
			return err
		}
	case <-ctx.Done():
		return nil
	}
	n.kept.Store(true)
	n.machine.poke()
	return nil
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
