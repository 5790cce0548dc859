package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

func TestARequestIsNoLargerThanAMemberCanTakeInTime(t *testing.T) {
	for _, tt := range []struct {
		name  string
		sizes []int
		sent  int
	}{
		{"a heartbeat", nil, 0},
		{"small ones", []int{10, 10, 10}, 3},
		{"just enough", []int{maxRequest / 2, maxRequest / 2}, 2},
		{"one too many", []int{maxRequest / 2, maxRequest / 2, 1, 1}, 2},
		{"one that is too large alone", []int{2 * maxRequest, 1}, 1},
	} {
		var r raft.AppendEntriesRequest
		for i, size := range tt.sizes {
			r.Entries = append(r.Entries, &raft.Log{Index: uint64(i), Data: make([]byte, size)})
		}
		if shorten(&r); len(r.Entries) != tt.sent {
			t.Errorf("%s: %d entries, want %d", tt.name, len(r.Entries), tt.sent)
		}
	}
}

// loopback is a transport whose requests wait once for a member.
func loopback(t *testing.T, leads func(uint64) (uint64, bool)) transport {
	t.Helper()
	wire, err := raft.NewTCPTransportWithLogger("127.0.0.1:0", nil, 1, 10*time.Second, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = wire.Close() })
	back := &away{life: t.Context()}
	back.awaited = func(id raft.ServerID, term uint64) error {
		back.heartbeat(id, term, nil)
		return nil
	}
	return transport{NetworkTransport: wire, stuck: func() bool { return false }, leads: leads, took: &sync.Map{}, away: back}
}

// What a member has behind the last entry that it is sent is not agreed by that, however much is: it may be what a leader of an
// older term could not have agreed.
func TestAMemberThatWasAwayTakesNothingForAgreedThatItIsNotSent(t *testing.T) {
	const term, sent, tail, agreed = 2, 3, 10, 8
	store, snapshots := raft.NewInmemStore(), raft.NewInmemSnapshotStore()
	theirs := loopback(t, nil)
	past := &past{}
	hears := attentive{theirs, past, make(chan raft.RPC)}
	c := raft.DefaultConfig()
	c.LocalID, c.Logger = "member", hclog.NewNullLogger()
	c.HeartbeatTimeout, c.ElectionTimeout = time.Hour, time.Hour
	all := raft.Configuration{Servers: []raft.Server{{ID: c.LocalID, Address: theirs.LocalAddr()}, {ID: "leader", Address: "leader"}}}
	if err := raft.BootstrapCluster(c, store, store, snapshots, hears, all); err != nil {
		t.Fatal(err)
	}
	for i := uint64(2); i <= tail; i++ {
		if err := store.StoreLog(&raft.Log{Index: i, Term: term - 1, Data: fmt.Append(nil, i)}); err != nil {
			t.Fatal(err)
		}
	}
	member, err := raft.NewRaft(c, mute{}, store, store, snapshots, hears)
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	ctx, end := context.WithCancel(t.Context())
	running.Go(func() { _ = hears.run(ctx) })
	defer running.Wait()
	defer func() {
		if err := member.Shutdown().Error(); err != nil {
			t.Error(err)
		}
		end()
	}()

	ours := loopback(t, func(uint64) (uint64, bool) { return agreed, true })
	held := raft.AppendEntriesRequest{
		RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte("leader"), Addr: []byte("leader")},
		Term:      term, PrevLogEntry: sent, PrevLogTerm: term - 1, LeaderCommitIndex: sent - 1,
	}
	for range 2 {
		ours.away.heartbeat(c.LocalID, term, errJammed)
		var resp raft.AppendEntriesResponse
		if err := ours.AppendEntries(c.LocalID, theirs.LocalAddr(), &held, &resp); err != nil || !resp.Success {
			t.Fatalf("%v, and it takes it: %v", err, resp.Success)
		}
		if is := member.CommitIndex(); is != sent-1 {
			t.Errorf("it takes entries up to %d for agreed, and was told so of %d", is, sent-1)
		}
	}
	if until := past.until.Load(); until != agreed {
		t.Errorf("it was told that %d are agreed, not %d", until, agreed)
	}
	stuck := false
	ours.stuck = func() bool { is := stuck; stuck = true; return is }
	ours.away.heartbeat(c.LocalID, term, errJammed)
	if err := ours.AppendEntries(c.LocalID, theirs.LocalAddr(), &held, new(raft.AppendEntriesResponse)); !errors.Is(err, errStuck) {
		t.Errorf("one whose log hung meanwhile sends it: %v", err)
	}
}

// A snapshot that has waited is an old one: Raft is to open the newest.
func TestASnapshotThatHasWaitedIsNotSent(t *testing.T) {
	ours := loopback(t, nil)
	ours.away.heartbeat("member", 2, errJammed)
	send := func() error {
		return ours.InstallSnapshot("member", "127.0.0.1:1", &raft.InstallSnapshotRequest{Term: 2}, new(raft.InstallSnapshotResponse), strings.NewReader(""))
	}
	if err := send(); !errors.Is(err, errBack) {
		t.Errorf("the old one: %v", err)
	}
	if err := send(); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("the newest: %v", err)
	}
}
