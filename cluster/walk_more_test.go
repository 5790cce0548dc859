package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm"
)

// leaderTerm is above all that a node alone comes to by itself.
const leaderTerm = 1000

// receiveSnapshot is a node whose leader sends it entries, then a snapshot from far beyond them, then what comes after
// that. What it tells its leader that it has stored counts for a majority, so that is acknowledged.
func receiveSnapshot(cfg Config) {
	n := must(Open(cfg))
	me := raft.ServerID(n.id.ID)
	self, leader := raftAddress(n.id.ID, cfg.Bind), raft.ServerAddress("leader")
	_, trans := raft.NewInmemTransport(self)
	_, theirs := raft.NewInmemTransport(leader)
	theirs.Connect(self, trans)
	c := n.raftConfig()
	c.HeartbeatTimeout, c.ElectionTimeout = time.Hour, time.Hour // it never stands for election itself
	r := must(raft.NewRaft(c, n.machine, n.store.Logs(), n.store.Stable(), n.store.Snapshots, trans))
	header := raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte("leader"), Addr: []byte(leader)}
	last, term := firstCommand, 1
	follow := func(ids ...string) {
		req := raft.AppendEntriesRequest{RPCHeader: header, Term: leaderTerm, PrevLogEntry: uint64(last), PrevLogTerm: uint64(term)}
		for _, id := range ids {
			last++
			req.Entries = append(req.Entries, &raft.Log{Index: uint64(last), Term: leaderTerm, Type: raft.LogCommand, Data: must(fsm.Encode(aToken(id)))})
		}
		term, req.LeaderCommitIndex = leaderTerm, uint64(last)
		var resp raft.AppendEntriesResponse
		check(theirs.AppendEntries(me, self, &req, &resp))
		if !resp.Success {
			panic(fmt.Sprintf("entries to %d are not taken: %+v", last, resp))
		}
		for _, id := range ids {
			acknowledge(id)
		}
	}
	follow("t1")
	follow("t2", "t3")
	n.waitApplied(context.Background(), uint64(last))
	for round := range 2 {
		state := *n.State()
		last += 500
		for i := range 5 {
			state, _, _ = fsm.Apply(state, uint64(last-5+i+1), aToken(fmt.Sprint("s", round, i)))
		}
		var text bytes.Buffer
		check(fsm.WriteSnapshot(&text, state))
		req := raft.InstallSnapshotRequest{
			RPCHeader: header, SnapshotVersion: raft.SnapshotVersionMax, Term: leaderTerm, LastLogIndex: uint64(last), LastLogTerm: leaderTerm,
			Configuration:      raft.EncodeConfiguration(raft.Configuration{Servers: []raft.Server{{Suffrage: raft.Voter, ID: me, Address: self}}}),
			ConfigurationIndex: 1, Size: int64(text.Len()),
		}
		var resp raft.InstallSnapshotResponse
		check(theirs.InstallSnapshot(me, self, &req, &resp, &text))
		if !resp.Success {
			panic("the snapshot is not taken")
		}
		for i := range 5 {
			acknowledge(fmt.Sprint("s", round, i))
		}
		follow(fmt.Sprint("u", round))
		n.waitApplied(context.Background(), uint64(last))
	}
	check(r.Shutdown().Error())
	check(n.Close())
}

func TestASnapshotFromTheLeaderIsStoredBeforeItIsAcknowledged(t *testing.T) {
	t.Parallel()
	template, cords := single(t)
	w := walk{scenario: "receive a snapshot", template: template, cords: cords, every: part(37)}
	w.proves(t)
}

func TestARecoveryOutlivesAPowerCutAtAnyStep(t *testing.T) {
	t.Parallel()
	ns := lost(t)
	c := ns[2]
	hash, index := c.State().Hash(), c.State().Index
	template := filepath.Join(t.TempDir(), "whole")
	if err := os.CopyFS(template, os.DirFS(c.cfg.DataDir)); err != nil {
		t.Fatal(err)
	}
	epoch := func(s survivor) (uint64, error) {
		n, err := Open(s.elsewhere().cfg)
		if err != nil {
			return 0, fmt.Errorf("it does not start: %w", err)
		}
		defer n.Close()
		switch is := n.State(); {
		case is.ClusterEpoch() == 1 && is.Hash() != hash:
			return 1, fmt.Errorf("something has changed, at log entry %d", is.Index)
		case is.ClusterEpoch() == 2 && is.Index != index+fsm.RecoveryGap:
			return 2, fmt.Errorf("the new cluster begins at log entry %d", is.Index)
		}
		return n.State().ClusterEpoch(), nil
	}
	w := walk{scenario: "recover", template: template, cords: walkCords{Name: "c"}, every: part(17), after: func(s survivor) error {
		at, err := epoch(s)
		if err == nil && len(s.acked) > 0 && at != 2 {
			err = errors.New("the recovery had ended, and is not there")
		}
		if err != nil || at == 2 {
			return err
		}
		if _, err := RecoverData(s.elsewhere().cfg, func(string) {}); err != nil {
			return fmt.Errorf("recover again: %w", err)
		}
		if at, err = epoch(s); err == nil && at != 2 {
			err = errors.New("recovered again, and it is not there")
		}
		return err
	}}
	w.proves(t)
}
