package cluster

import (
	"slices"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// raftLog is Raft's log. What goes wrong with a member that joins belongs to every join that succeeds: it is none of Raft's
// until its agent listens, and its log is empty. It shows when debugging; of one that does not come, `quorate status` tells.
type raftLog struct {
	hclog.Logger
	votes, took func(raft.ServerID) bool
}

// Warn implements [hclog.Logger].
func (l raftLog) Warn(msg string, args ...any) {
	if l.ofJoin(args) {
		l.Debug(msg, args...)
		return
	}
	l.Logger.Warn(msg, args...)
}

// Error implements [hclog.Logger].
func (l raftLog) Error(msg string, args ...any) {
	if l.ofJoin(args) {
		l.Debug(msg, args...)
		return
	}
	l.Logger.Error(msg, args...)
}

// ofJoin reports whether a message is about a member that joins.
func (l raftLog) ofJoin(args []any) bool {
	i := slices.Index(args, any("peer"))
	if i < 0 || i+1 == len(args) {
		return false
	}
	switch peer := args[i+1].(type) {
	case raft.Server: // as its replication knows it: where the log is short it may vote before it has taken any of it
		return peer.Suffrage == raft.Nonvoter && !l.took(peer.ID)
	case raft.ServerAddress:
		id, _, err := parseRaftAddress(peer)
		return err == nil && !l.votes(raft.ServerID(id)) && !l.took(raft.ServerID(id))
	}
	return false
}

// votes reports whether a member votes.
func (n *Node) votes(id raft.ServerID) bool {
	r := n.raft.Load()
	return r == nil || slices.Contains(voterIDs(r.GetConfiguration().Configuration().Servers), string(id))
}

// tookAny reports whether a member has taken anything of the log from this leader.
func (n *Node) tookAny(id raft.ServerID) bool {
	_, ok := n.took.Load(id)
	return ok
}
