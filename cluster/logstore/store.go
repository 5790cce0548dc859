// Package logstore is what a member has on disk for Raft: the log, term and vote, snapshots, and how far the log was applied.
//
// It promises that what is not as it was written is refused, and not taken for less or for something else, and says what
// mends it; that a write of term or vote returns only when it has worked, and one that hangs is known to hang; that a
// snapshot is whole and its owner's alone before anything is removed from the log for it; and that a disk which fails,
// hangs or is slow is said, and found well again. It does not know what the entries mean.
//
// Reading order: store.go, snapshots.go, damage.go and votes.go for what is looked through, rest.go, watch.go for a disk that fails, record.go.
package logstore

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"

	"github.com/quorate/quorate/cluster/hush"
	"github.com/quorate/quorate/durable"
)

// LogFile is the name of the log's file.
const LogFile = "raft.db"

const (
	lockWait   = time.Second
	keepSnaps  = 2
	storeRetry = 200 * time.Millisecond
	closeLimit = 5 * time.Second
)

// Disk is what holds log, term and vote.
type Disk interface {
	raft.LogStore
	raft.StableStore
	Close() error
}

// Store is the disk under Raft, made safe against what Raft does when the disk fails: Raft panics
// when a term cannot be stored, and its leader hangs in a log that hangs.
type Store struct {
	Bare      Disk      // itself: what fails there is the caller's to handle. Tests put another in its place before it is used
	Snapshots Snapshots // on the same disk

	dir     string
	rest    bool // it is what is left of one that is damaged. See Rest
	log     hclog.Logger
	state   diskState
	cut     atomic.Bool  // the end of the log was cut off for others, which are not stored yet. See DeleteRange
	writing atomic.Int64 // when the log's write began that is under way, Unix nanoseconds; 0: none is
	close   sync.Once
	closed  chan struct{}
}

// Open opens the store in a directory, or makes it there. One whose structure is not what was written is refused, see
// [Store.Damaged], and so is one that another process has open.
func Open(dir string, log hclog.Logger) (*Store, error) {
	path := filepath.Join(dir, LogFile)
	err := lookThrough(path, checkVotes)
	if err != nil && !errors.Is(err, bbolt.ErrTimeout) {
		return nil, damaged(dir, "look through the log", err)
	}
	bolt, err := raftboltdb.New(raftboltdb.Options{
		Path:        path,
		NoSync:      unsynced,
		BoltOptions: &bbolt.Options{Timeout: lockWait, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType},
	})
	if errors.Is(err, bbolt.ErrTimeout) {
		return nil, fmt.Errorf("open log: %s is held by another quorate agent: stop that one first", path)
	}
	if err != nil {
		return nil, fmt.Errorf("open log %s: %w", path, err)
	}
	snaps, err := raft.NewFileSnapshotStoreWithLogger(dir, keepSnaps, hush.Logger(log))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open snapshots in %s: %w", dir, err), bolt.Close())
	}
	at := filepath.Join(dir, "snapshots")
	if err := errors.Join(sweep(at), private(at)); err != nil {
		return nil, errors.Join(fmt.Errorf("open snapshots in %s: %w", dir, err), bolt.Close())
	}
	if err := durable.SyncDir(dir); err != nil { // the first time both are new: a vote must not be lost with its file's name
		return nil, errors.Join(fmt.Errorf("open log %s: %w", path, err), bolt.Close())
	}
	s := newStore(dir, sealing{bolt}, Snapshots{snaps, at}, log)
	if err := s.checkTerm(); err != nil {
		return nil, errors.Join(s.Damaged("read the term", err), bolt.Close())
	}
	return s, nil
}

// newStore returns a store over a disk.
func newStore(dir string, bare Disk, snaps Snapshots, log hclog.Logger) *Store {
	return &Store{dir: dir, Bare: bare, Snapshots: snaps, log: log, closed: make(chan struct{})}
}

// Logs returns the log for Raft. It tells of writes that hang; an error is Raft's to handle.
func (s *Store) Logs() raft.LogStore { return logStore{s} }

// Stable returns where Raft keeps term and vote. A write of them returns when it has worked.
func (s *Store) Stable() raft.StableStore { return stableStore{s} }

// Cannot returns why nothing can be written, or nil.
func (s *Store) Cannot() error { return s.state.cannot() }

// Release lets go of writes that wait for the disk to heal.
func (s *Store) Release() { s.close.Do(func() { close(s.closed) }) }

// Close closes the log. It waits for a write that is under way, but not for a disk that hangs.
func (s *Store) Close() error {
	s.Release()
	closed := make(chan error, 1)
	go func() { closed <- s.Bare.Close() }() // ends when the disk answers
	select {
	case err := <-closed:
		return err
	case <-time.After(closeLimit):
		return errors.New("close log: its disk hangs")
	}
}

// Stuck returns for how long the log has been writing.
func (s *Store) Stuck(now time.Time) time.Duration {
	began := s.writing.Load()
	if began == 0 {
		return 0
	}
	return now.Sub(time.Unix(0, began))
}

// logStore tells of writes that hang. An error is Raft's to handle: it gives up leadership. Where it cannot be, the
// write blocks as in stableStore.
type logStore struct{ *Store }

func (l logStore) FirstIndex() (uint64, error) { return l.Bare.FirstIndex() }

func (l logStore) LastIndex() (uint64, error) { return l.Bare.LastIndex() }

func (l logStore) GetLog(index uint64, out *raft.Log) error { return l.Bare.GetLog(index, out) }

func (l logStore) StoreLog(e *raft.Log) error { return l.StoreLogs([]*raft.Log{e}) }

func (l logStore) StoreLogs(es []*raft.Log) error {
	began := time.Now()
	l.writing.Store(began.UnixNano())
	if l.cut.Load() {
		stableStore(l).insist("entries in the place of others", func() error { return l.Bare.StoreLogs(es) })
		l.cut.Store(false)
		l.writing.Store(0)
		return nil
	}
	err := l.Bare.StoreLogs(es)
	l.writing.Store(0)
	l.state.wrote(time.Now(), time.Since(began), err)
	return err
}

// DeleteRange notes when it cuts entries off the end: what Raft stores next is for their place, and is insisted on.
// Where that fails, Raft v1.7.3 goes on to believe that the entries are there that are gone, and refuses all others
// until it is started again. To store first and cut off then would be no better: a crash between the two would leave
// entries of an older term behind newer ones.
func (l logStore) DeleteRange(first, last uint64) error {
	begin, err := l.Bare.FirstIndex()
	if err != nil {
		return err
	}
	end, err := l.Bare.LastIndex()
	if err != nil {
		return err
	}
	if err := l.Bare.DeleteRange(first, last); err != nil {
		return err
	}
	if last >= end && first > begin {
		l.cut.Store(true)
	}
	return nil
}

// try writes what nobody needs into the log's own file: what does not work there may work beside it.
func (s *Store) try() error { return s.Bare.Set([]byte(tryKey), make([]byte, probeSize)) }

// stableStore holds term and vote. A write that fails blocks and is tried again: without it this
// node has no say, but it lives.
type stableStore struct{ *Store }

func (s stableStore) GetUint64(key []byte) (uint64, error) { return s.Bare.GetUint64(key) }

func (s stableStore) Set(key, val []byte) error {
	s.insist(string(key), func() error { return s.Bare.Set(key, val) })
	return nil
}

func (s stableStore) SetUint64(key []byte, val uint64) error {
	s.insist(string(key), func() error { return s.Bare.SetUint64(key, val) })
	return nil
}

// insist returns when the write has worked. When the store is closed before that, the goroutine
// ends here: to return success would be a lie, and to return an error would be Raft's panic.
func (s stableStore) insist(what string, write func() error) {
	failed := false
	for {
		began := time.Now()
		err := write()
		s.state.wrote(time.Now(), time.Since(began), err)
		if err == nil {
			if failed {
				s.log.Warn("it can be stored again", "what", what)
			}
			return
		}
		if !failed {
			s.log.Error("cannot be stored: this director takes no part in what is agreed until it can", "what", what, "err", err)
		}
		failed = true
		select {
		case <-s.closed:
			runtime.Goexit()
		case <-time.After(storeRetry):
		}
	}
}

func (s stableStore) Get(key []byte) ([]byte, error) { return s.Bare.Get(key) }
