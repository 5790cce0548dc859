package cluster

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"golang.org/x/sys/unix"
)

func entry(index, term uint64) *raft.Log {
	return &raft.Log{Index: index, Term: term, Type: raft.LogCommand, Data: fmt.Append(nil, index, term)}
}

// termAt is the term of an entry, 0 if there is none.
func termAt(t *testing.T, l raft.LogStore, index uint64) uint64 {
	t.Helper()
	var e raft.Log
	err := l.GetLog(index, &e)
	if errors.Is(err, raft.ErrLogNotFound) {
		return 0
	}
	if err != nil || e.Index != index {
		t.Fatalf("entry %d: %+v, %v", index, e, err)
	}
	return e.Term
}

func TestTheEndOfTheLogStaysUntilOthersAreInItsPlace(t *testing.T) {
	d := &badDisk{disk: raftMemory{raft.NewInmemStore()}}
	l := logStore{&store{bolt: d}}
	if err := l.StoreLogs([]*raft.Log{entry(1, 1), entry(2, 1), entry(3, 2), entry(4, 2)}); err != nil {
		t.Fatal(err)
	}
	if err := l.DeleteRange(1, 1); err != nil || termAt(t, l, 1) != 0 {
		t.Errorf("what the log begins with is shown after it was dropped: %v", err)
	}
	d.set(func(d *badDisk) { d.logs = unix.ENOSPC })
	for range 2 { // as Raft tries again
		if err := l.DeleteRange(3, 4); err != nil {
			t.Fatal(err)
		}
		if err := l.StoreLogs([]*raft.Log{entry(3, 5)}); !errors.Is(err, unix.ENOSPC) {
			t.Fatal(err)
		}
		if termAt(t, l, 3) != 2 || termAt(t, l, 4) != 2 || termAt(t, l, 2) != 1 {
			t.Error("the entries that could not be replaced are gone")
		}
		if last, err := l.LastIndex(); last != 4 || err != nil {
			t.Errorf("the log on disk ends at %d, %v", last, err)
		}
	}
	d.set(func(d *badDisk) { d.logs = nil })
	if err := l.StoreLogs([]*raft.Log{entry(3, 5)}); err != nil {
		t.Fatal(err)
	}
	if last, err := l.LastIndex(); termAt(t, l, 3) != 5 || termAt(t, l, 4) != 0 || last != 3 || err != nil {
		t.Errorf("entries 3 and 4 are of terms %d and %d; the log ends at %d, %v", termAt(t, l, 3), termAt(t, l, 4), last, err)
	}
	if err := l.StoreLogs([]*raft.Log{entry(4, 5)}); err != nil || termAt(t, l, 3) != 5 || termAt(t, l, 4) != 5 {
		t.Errorf("it does not go on: %v", err)
	}
	d.set(func(d *badDisk) { d.logs = unix.ENOSPC })
	if err := l.DeleteRange(4, 4); err != nil {
		t.Fatal(err)
	}
	if l.StoreLogs([]*raft.Log{entry(4, 6)}) == nil {
		t.Fatal("a full disk takes more")
	}
	d.set(func(d *badDisk) { d.logs = nil })
	if err := l.StoreLogs([]*raft.Log{entry(5, 7)}); err != nil || termAt(t, l, 4) != 5 || termAt(t, l, 5) != 7 {
		t.Errorf("a leader that has what was to be cut off adds to it: terms %d and %d, %v", termAt(t, l, 4), termAt(t, l, 5), err)
	}
}

// A follower whose disk is full while a new leader's entries take the place of its own takes them when there is room.
// With Raft's own store it never would.
func TestAFollowerTakesANewLeadersEntriesAfterItsDiskWasFull(t *testing.T) {
	d := &badDisk{disk: raftMemory{raft.NewInmemStore()}}
	s := &store{bolt: d, log: hclog.NewNullLogger(), closed: make(chan struct{})}
	logs := logStore{s}
	if err := logs.StoreLogs([]*raft.Log{
		{Index: 1, Term: 1, Type: raft.LogConfiguration, Data: raft.EncodeConfiguration(raft.Configuration{Servers: []raft.Server{{ID: "a", Address: "a"}, {ID: "b", Address: "b"}}})},
		{Index: 2, Term: 1, Type: raft.LogNoop}, {Index: 3, Term: 1, Type: raft.LogNoop},
	}); err != nil {
		t.Fatal(err)
	}
	if err := (stableStore{s}).SetUint64([]byte("CurrentTerm"), 1); err != nil {
		t.Fatal(err)
	}
	_, trans := raft.NewInmemTransport("a")
	_, from := raft.NewInmemTransport("b")
	from.Connect("a", trans)
	c := raft.DefaultConfig()
	c.LocalID, c.Logger = "a", hclog.NewNullLogger()
	c.HeartbeatTimeout, c.ElectionTimeout = time.Hour, time.Hour
	cache, err := raft.NewLogCache(logCacheSize, logs)
	if err != nil {
		t.Fatal(err)
	}
	r, err := raft.NewRaft(c, mute{}, cache, stableStore{s}, raft.NewInmemSnapshotStore(), trans)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Shutdown().Error() }()
	send := func() bool {
		var resp raft.AppendEntriesResponse
		req := raft.AppendEntriesRequest{
			RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte("b"), Addr: []byte("b")}, Term: 2, PrevLogEntry: 2, PrevLogTerm: 1,
			Entries: []*raft.Log{{Index: 3, Term: 2, Type: raft.LogNoop}, {Index: 4, Term: 2, Type: raft.LogNoop}},
		}
		if err := from.AppendEntries("a", "a", &req, &resp); err != nil {
			t.Log(err)
			return false
		}
		return resp.Success
	}
	d.set(func(d *badDisk) { d.logs = unix.ENOSPC })
	for range 2 {
		if send() {
			t.Fatal("it says that it has what its disk did not take")
		}
	}
	d.set(func(d *badDisk) { d.logs = nil })
	if !send() || termAt(t, logs, 3) != 2 || termAt(t, logs, 4) != 2 {
		t.Errorf("with room it does not take them: terms %d and %d", termAt(t, logs, 3), termAt(t, logs, 4))
	}
}
