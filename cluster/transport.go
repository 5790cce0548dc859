package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/cluster/port"
	"github.com/quorate/quorate/fsm"
)

// A server's address in Raft is "ID@address". The ID counts; where it is, the members' list knows,
// so that a member which moves changes nothing in Raft. The address is for a log in which that
// list is not applied yet.

func raftAddress(id string, at netip.AddrPort) raft.ServerAddress {
	return raft.ServerAddress(id + "@" + at.String())
}

func parseRaftAddress(a raft.ServerAddress) (id string, at netip.AddrPort, err error) {
	id, text, ok := strings.Cut(string(a), "@")
	if !ok {
		return "", at, fmt.Errorf("server address %q: no ID", a)
	}
	at, err = netip.ParseAddrPort(text)
	return id, at, err
}

// stream is Raft's way to the network: the cluster port.
type stream struct {
	*port.Queue // connections that came in
	node        *Node
}

// Dial implements [raft.StreamLayer].
func (s stream) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	id, at, err := parseRaftAddress(address)
	if err != nil {
		return nil, err
	}
	m, ok := memberByID(s.node.State(), id)
	if !ok {
		m = fsm.Member{ID: id, Address: at}
	}
	ctx, cancel := context.WithTimeout(s.node.life, timeout)
	defer cancel()
	return s.node.reach(ctx, m, func(ctx context.Context, at netip.AddrPort) (net.Conn, error) {
		return s.node.dialer.Dial(ctx, at, id, port.ALPNRaft)
	})
}

// errStuck holds Raft's messages back while the own log hangs.
var errStuck = errors.New("this director's log does not answer: the others are to elect")

// transport is Raft's network transport. While the log hangs it sends nothing that would look like
// a leader that works: Raft's heartbeats do not pass through its log.
type transport struct {
	*raft.NetworkTransport
	stuck  func() bool
	cannot func() error // why the own disk takes nothing, or nil
	tooOld func() error // why this binary cannot build on what is agreed, or nil
	leads  func(term uint64) (agreed uint64, ok bool)
	agreed *bells    // rings when more is agreed
	took   *sync.Map // what a member has taken last, see [Node]
	pace   *pace     // of elections
	away   *away     // members
}

// Close implements [raft.WithClose]. Raft's own leaves the connections open that it keeps for later.
func (t transport) Close() error {
	err := t.NetworkTransport.Close()
	t.CloseStreams()
	return err
}

// maxRequest is how many bytes of entries a member that is behind is sent in one request, unless one entry has more: it has to
// take and write them before the request is over.
const maxRequest = 8 << 20

// shorten leaves out of a request what would make it too large. Raft looks into it for what a member has taken, and sends the
// rest at once, as it does with what is beyond [maxAppend].
func shorten(r *raft.AppendEntriesRequest) {
	size := 0
	for i, e := range r.Entries {
		if size += len(e.Data); size > maxRequest && i > 0 {
			r.Entries = r.Entries[:i]
			return
		}
	}
}

// AppendEntries implements [raft.Transport].
func (t transport) AppendEntries(id raft.ServerID, target raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	if t.stuck() {
		return errStuck
	}
	if isHeartbeat(args) {
		err := t.NetworkTransport.AppendEntries(id, target, args, resp)
		t.away.heartbeat(id, args.Term, err)
		return err
	}
	if err := t.waitFor(id, target, args); err != nil {
		return err
	}
	shorten(args)
	err := t.NetworkTransport.AppendEntries(id, target, args, resp)
	if err == nil && resp.Success {
		t.took.Store(id, sent{*args, time.Now()}.withoutEntries())
	}
	return err
}

// waitFor has a request wait for a member that is away. Then that is told what is agreed by now, before all else: by the first
// request after it was away a member knows what it has missed.
func (t transport) waitFor(id raft.ServerID, target raft.ServerAddress, args *raft.AppendEntriesRequest) error {
	waited, err := t.away.wait(id, args.Term)
	if err != nil || !waited {
		return err
	}
	agreed, ok := t.leads(args.Term)
	if !ok {
		return errTermOver
	}
	if t.stuck() {
		return errStuck
	}
	if agreed <= args.LeaderCommitIndex {
		return nil
	}
	// The request itself cannot say it: a member takes all that it has up to there for agreed, and what it has behind the
	// request's last entry may be of an older term. Who refuses this lacks the entry, or has one of another term there.
	word := raft.AppendEntriesRequest{
		RPCHeader: args.RPCHeader, Term: args.Term,
		PrevLogEntry: agreed, PrevLogTerm: args.Term, LeaderCommitIndex: agreed,
	}
	return t.NetworkTransport.AppendEntries(id, target, &word, new(raft.AppendEntriesResponse))
}

// errBack has Raft open the newest snapshot: the one that waited is as old as that wait, and what comes behind it may not be in
// the log any more.
var errBack = errors.New("it answers again: it is sent the newest snapshot")

// InstallSnapshot implements [raft.Transport].
func (t transport) InstallSnapshot(id raft.ServerID, target raft.ServerAddress, args *raft.InstallSnapshotRequest, resp *raft.InstallSnapshotResponse, data io.Reader) error {
	if waited, err := t.away.wait(id, args.Term); err != nil || waited {
		return cmp.Or(err, errBack)
	}
	return t.NetworkTransport.InstallSnapshot(id, target, args, resp, data)
}

// stands is nil if this director may stand for election: who cannot write does not, nor who does not support the cluster's
// feature level.
func (t transport) stands() error {
	if err := t.cannot(); err != nil {
		return fmt.Errorf("not asked for a vote: this director's disk takes nothing: %w", err)
	}
	if err := t.tooOld(); err != nil {
		return fmt.Errorf("not asked for a vote: %w", err)
	}
	return nil
}

// RequestPreVote implements [raft.WithPreVote].
func (t transport) RequestPreVote(id raft.ServerID, target raft.ServerAddress, args *raft.RequestPreVoteRequest, resp *raft.RequestPreVoteResponse) error {
	if err := t.stands(); err != nil {
		return err
	}
	return t.timed(id, func() error { return t.NetworkTransport.RequestPreVote(id, target, args, resp) })
}

// RequestVote implements [raft.Transport].
func (t transport) RequestVote(id raft.ServerID, target raft.ServerAddress, args *raft.RequestVoteRequest, resp *raft.RequestVoteResponse) error {
	if err := t.stands(); err != nil {
		return err
	}
	return t.timed(id, func() error { return t.NetworkTransport.RequestVote(id, target, args, resp) })
}

// isHeartbeat is how Raft itself tells a heartbeat from other requests.
func isHeartbeat(r *raft.AppendEntriesRequest) bool {
	return r.PrevLogEntry == 0 && r.PrevLogTerm == 0 && len(r.Entries) == 0 && r.LeaderCommitIndex == 0
}

// AppendEntriesPipeline implements [raft.Transport].
func (t transport) AppendEntriesPipeline(id raft.ServerID, target raft.ServerAddress) (raft.AppendPipeline, error) {
	p, err := t.NetworkTransport.AppendEntriesPipeline(id, target)
	if err != nil {
		return nil, err
	}
	var before sent // Raft begins a pipeline when a member has taken a request
	if s, ok := t.took.Load(id); ok {
		before = s.(sent)
	}
	return newPipeline(p, before, t.stuck, t.leads, t.agreed), nil
}

// raftAddr is this node's own address as Raft knows it.
type raftAddr string

// Network implements [net.Addr].
func (raftAddr) Network() string { return "quorate" }

// String implements [net.Addr].
func (a raftAddr) String() string { return string(a) }
