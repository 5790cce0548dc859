package logstore

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/cluster/logstore/faulty"
	"github.com/quorate/quorate/e2e/lab"
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

func TestWhatTakesThePlaceOfOthersIsInsistedOn(t *testing.T) {
	d := faulty.New(raftMemory{raft.NewInmemStore()})
	l := logStore{newStore("", d, Snapshots{}, hclog.NewNullLogger())}
	if err := l.StoreLogs([]*raft.Log{entry(1, 1), entry(2, 1), entry(3, 2), entry(4, 2)}); err != nil {
		t.Fatal(err)
	}
	if err := l.DeleteRange(1, 1); err != nil || termAt(t, l, 1) != 0 {
		t.Errorf("what the log begins with is shown after it was dropped: %v", err)
	}
	d.FailLog(unix.ENOSPC)
	if err := l.StoreLogs([]*raft.Log{entry(5, 2)}); !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("what is added is not Raft's to handle: %v", err)
	}
	if err := l.DeleteRange(3, 4); err != nil {
		t.Fatal(err)
	}
	stored := make(chan error, 1)
	go func() { stored <- l.StoreLogs([]*raft.Log{entry(3, 5)}) }()
	lab.Eventually(t, time.Minute, "it is tried", func() error { return errors.Join(errIf(l.state.cannot() == nil), errIf(l.Stuck(time.Now()) == 0)) })
	select {
	case err := <-stored:
		t.Fatalf("the write ended on a full disk: %v", err)
	default:
	}
	d.FailLog(nil)
	if err := <-stored; err != nil || termAt(t, l, 3) != 5 || termAt(t, l, 4) != 0 || l.Stuck(time.Now()) != 0 {
		t.Errorf("entries 3 and 4 are of terms %d and %d, %v", termAt(t, l, 3), termAt(t, l, 4), err)
	}
	d.FailLog(unix.ENOSPC)
	if err := l.StoreLogs([]*raft.Log{entry(4, 5)}); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("after that, what is added is insisted on: %v", err)
	}
}

func errIf(bad bool) error {
	if bad {
		return errors.New("not yet")
	}
	return nil
}

// A follower whose disk is full while a new leader's entries take the place of its own takes them when there is room.
// With Raft's own store it never would.
func TestAFollowerTakesANewLeadersEntriesAfterItsDiskWasFull(t *testing.T) {
	d := faulty.New(raftMemory{raft.NewInmemStore()})
	s := newStore("", d, Snapshots{}, hclog.NewNullLogger())
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
	cache, err := raft.NewLogCache(64, logs)
	if err != nil {
		t.Fatal(err)
	}
	r, err := raft.NewRaft(c, &raft.MockFSM{}, cache, stableStore{s}, raft.NewInmemSnapshotStore(), trans)
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
	d.FailLog(unix.ENOSPC)
	for range 2 {
		if send() {
			t.Fatal("it says that it has what its disk did not take")
		}
	}
	d.FailLog(nil)
	lab.Eventually(t, time.Minute, "with room it takes them", func() error { return errIf(!send()) })
	if termAt(t, logs, 3) != 2 || termAt(t, logs, 4) != 2 {
		t.Errorf("the terms are %d and %d", termAt(t, logs, 3), termAt(t, logs, 4))
	}
}
