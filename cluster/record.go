package cluster

import (
	"context"
	"fmt"
	"hash/crc32"
	"os"
	"time"
)

// recordEvery bounds how far the record is behind what was applied.
const recordEvery = 100 * time.Millisecond

// record keeps the highest applied index on disk. It is written in place, so a full disk does not
// stop it, and not synced: one that is behind, or that cannot be read, is safe.
type record struct {
	f       *os.File
	written uint64
}

const recordFormat = "%020d %08x\n"

func openRecord(path string) (*record, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the record of what was applied: %w", err)
	}
	b := make([]byte, 64)
	n, _ := f.ReadAt(b, 0) // always io.EOF; a record that cannot be read counts as none
	return &record{f: f, written: parseRecord(string(b[:n]))}, nil
}

func formatRecord(index uint64) string {
	return fmt.Sprintf(recordFormat, index, crc32.ChecksumIEEE(fmt.Append(nil, index)))
}

// parseRecord returns the index in a record, 0 for anything that is not one.
func parseRecord(s string) uint64 {
	var index uint64
	var sum uint32
	if n, err := fmt.Sscanf(s, recordFormat, &index, &sum); n != 2 || err != nil {
		return 0
	}
	if s != formatRecord(index) {
		return 0
	}
	return index
}

func (r *record) write(index uint64) error {
	if index <= r.written {
		return nil
	}
	if err := writeAt(r.f, formatRecord(index), 0); err != nil {
		return fmt.Errorf("record what was applied: %w", err)
	}
	r.written = index
	return nil
}

// keepRecord writes what was applied until ctx ends, and once more then.
func (n *Node) keepRecord(ctx context.Context) error {
	said := false
	for ctx.Err() == nil {
		news := n.machine.next()
		err := n.record.write(n.onDisk())
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
	return n.record.write(n.onDisk())
}

// onDisk is how far what is applied can be made anew from this node's own disk. A state that was fetched from another
// member may be ahead of what is agreed in the log here: the entries between are yet to come, or are others that Raft
// will replace. Then it is what is on record: the last entry that is agreed here may be none that a state counts.
func (n *Node) onDisk() uint64 {
	index := n.State().Index
	if r := n.raft.Load(); r == nil || index > max(r.CommitIndex(), r.AppliedIndex()) { // the latter alone knows of a snapshot of the leader
		return n.record.written
	}
	return index
}
