package logstore

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/durable"
)

// Snapshots are the snapshots on disk, which nobody but their owner can read. Raft's own store syncs the files of a new
// one and the directory that it is renamed in, and not the one that has the files' names: after a power cut it may be
// empty, and the log that it stands for is gone.
type Snapshots struct {
	*raft.FileSnapshotStore
	dir string
}

// Create implements [raft.SnapshotStore].
func (s Snapshots) Create(v raft.SnapshotVersion, index, term uint64, c raft.Configuration, at uint64, t raft.Transport) (raft.SnapshotSink, error) {
	sink, err := s.FileSnapshotStore.Create(v, index, term, c, at, t)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(s.dir, sink.ID()+unfinished)
	seal := sealPlace(raft.SnapshotMeta{Version: v, ID: sink.ID(), Index: index, Term: term, Configuration: c, ConfigurationIndex: at})
	if err := errors.Join(durable.Write(filepath.Join(dir, sealFile), seal, 0o600), private(dir)); err != nil {
		return nil, errors.Join(fmt.Errorf("make a snapshot: %w", err), sink.Cancel())
	}
	return snapshotSink{sink, s.dir}, nil
}

// Open implements [raft.SnapshotStore]. What the state in a snapshot is of - up to which entry, and of which members - is in a file
// that has no checksum, and Raft believes it: with another index entries would be left out.
func (s Snapshots) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	meta, r, err := s.FileSnapshotStore.Open(id)
	if err != nil {
		return nil, nil, err
	}
	if err := s.asWritten(id, *meta); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("snapshot %s: %w", id, err), r.Close())
	}
	return meta, r, nil
}

// asWritten returns why what is said of a snapshot is not what was written.
func (s Snapshots) asWritten(id string, meta raft.SnapshotMeta) error {
	state, err := os.Stat(filepath.Join(s.dir, id, "state.bin"))
	if err != nil {
		return err
	}
	seal, err := os.ReadFile(filepath.Join(s.dir, id, sealFile))
	if errors.Is(err, fs.ErrNotExist) { // of a version that wrote none
		return nil
	}
	if err == nil && (!bytes.Equal(seal, sealPlace(meta)) || state.Size() != meta.Size) {
		err = errors.New("what is said of it does not match its checksum")
	}
	return err
}

// sealFile is the name of the file that has the checksum of what is said of a snapshot.
const sealFile = "seal"

// sealPlace returns what is in that file. The checksum is of a text of its own, and not of what Raft makes of the fields: with another
// version of Raft no snapshot would match any more.
func sealPlace(m raft.SnapshotMeta) []byte {
	sum := newSum()
	fmt.Fprintf(sum, "%d %q %d %d %d\n", m.Version, m.ID, m.Index, m.Term, m.ConfigurationIndex)
	for _, member := range m.Configuration.Servers {
		fmt.Fprintf(sum, "%d %q %q\n", member.Suffrage, member.ID, member.Address)
	}
	return fmt.Appendf(nil, "%08x\n", sum.Sum32())
}

// RemoveBefore removes the snapshots of before a place in the log.
func (s Snapshots) RemoveBefore(index uint64) error {
	metas, err := s.List()
	if err != nil {
		return fmt.Errorf("list snapshots: %w", err)
	}
	for _, m := range metas {
		if m.Index < index {
			if err := os.RemoveAll(filepath.Join(s.dir, m.ID)); err != nil {
				return err
			}
		}
	}
	return nil
}

// unfinished is how the name of a snapshot ends until it is whole.
const unfinished = ".tmp"

// sweep removes the snapshots that were being written when a process before this one ended. Raft's own store leaves them: each is
// as large as the state, and a process that ends so again and again would fill the disk.
func sweep(dir string) error {
	there, err := os.ReadDir(dir)
	for _, d := range there {
		if strings.HasSuffix(d.Name(), unfinished) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, d.Name())))
		}
	}
	return err
}

// private takes a directory and all in it from everybody but its owner: the state has keys. Raft's own store leaves that to
// the umask.
func private(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.Chmod(path, 0o700)
		}
		return os.Chmod(path, 0o600)
	})
}

// snapshotSink is a snapshot that is being written. Nothing is removed from the log before Close has returned.
type snapshotSink struct {
	raft.SnapshotSink
	dir string
}

// Close implements [io.Closer].
func (s snapshotSink) Close() error {
	if err := s.SnapshotSink.Close(); err != nil {
		return err
	}
	return durable.SyncDir(filepath.Join(s.dir, s.ID()))
}
