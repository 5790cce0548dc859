package cluster

import (
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// arrivalLimit is for how long what goes wrong with a member is taken for a part of its join.
const arrivalLimit = 20 * time.Second

// raftLog is Raft's log. What goes wrong with a member that joins belongs to every join that succeeds: until its agent listens
// it refuses connections, and then its log is empty. That shows when debugging; of one that does not come in time it is said.
type raftLog struct {
	hclog.Logger
	votes, took func(raft.ServerID) bool
	arrivals    *arrivals
}

// arrivals is when something first went wrong with members that join.
type arrivals struct {
	mu    sync.Mutex // guards began
	began map[raft.ServerID]time.Time
}

// last reports whether it may still be a part of the join.
func (a *arrivals) last(id raft.ServerID, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	began, ok := a.began[id]
	if !ok {
		began, a.began[id] = now, now
	}
	return now.Sub(began) < arrivalLimit
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
	var id raft.ServerID
	switch peer := args[i+1].(type) {
	case raft.Server: // as its replication knows it
		if id = peer.ID; peer.Suffrage == raft.Voter {
			return false
		}
	case raft.ServerAddress:
		name, _, err := parseRaftAddress(peer)
		if id = raft.ServerID(name); err != nil || l.votes(id) {
			return false
		}
	default: // a snapshot that fails is no part of it
		return false
	}
	return !l.took(id) && l.arrivals.last(id, time.Now())
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
