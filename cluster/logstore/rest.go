package logstore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"

	"github.com/quorate/quorate/cluster/hush"
)

// Rest opens what is left in a directory that [Open] may refuse, to be read and not to be written: the snapshots, and the log if its
// structure can be followed. Nobody takes part in an election with it, so that term and vote may be lost. missing is why there
// is no log, or nil.
func Rest(dir string, log hclog.Logger) (s *Store, missing, err error) {
	snaps, err := raft.NewFileSnapshotStoreWithLogger(dir, keepSnaps, hush.Logger(log))
	if err != nil {
		return nil, nil, fmt.Errorf("open snapshots in %s: %w", dir, err)
	}
	path := filepath.Join(dir, LogFile)
	disk, err := restOfLog(path)
	if err != nil {
		disk, missing = none{raft.NewInmemStore()}, fmt.Errorf("read log %s: %w", path, err)
	}
	s = newStore(dir, sealing{disk}, Snapshots{snaps, filepath.Join(dir, "snapshots")}, log)
	s.rest = true
	return s, missing, nil
}

// restOfLog opens a log's file for reading.
func restOfLog(path string) (Disk, error) {
	info, err := os.Stat(path)
	if err == nil && info.Size() == 0 {
		err = errors.New("it is empty")
	}
	if err == nil {
		err = lookThrough(path, hasBuckets)
	}
	if err != nil {
		return nil, err
	}
	return raftboltdb.New(raftboltdb.Options{Path: path, BoltOptions: &bbolt.Options{Timeout: lockWait, ReadOnly: true}})
}

// hasBuckets returns why there is no log in a file, which its store would search all the same.
func hasBuckets(tx *bbolt.Tx) error {
	for _, name := range []string{logsBucket, votesBucket} {
		if tx.Bucket([]byte(name)) == nil {
			return fmt.Errorf("it has no bucket %q", name)
		}
	}
	return nil
}

// none is a log with nothing in it.
type none struct{ *raft.InmemStore }

// Close implements [Disk].
func (none) Close() error { return nil }
