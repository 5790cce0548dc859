package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/hashicorp/raft"
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
	*queue // connections that came in
	node   *Node
}

// Dial implements [raft.StreamLayer].
func (s stream) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	id, at, err := parseRaftAddress(address)
	if err != nil {
		return nil, err
	}
	if m, ok := memberByID(s.node.State(), id); ok {
		at = m.Address
	}
	ctx, cancel := context.WithTimeout(s.node.life, timeout)
	defer cancel()
	conn, err := s.node.creds.dial(ctx, at, id, alpnRaft)
	if err != nil {
		return nil, err
	}
	return conn, nil
}

// errStuck holds Raft's messages back while the own log hangs.
var errStuck = errors.New("this director's log does not answer: the others are to elect")

// transport is Raft's network transport. While the log hangs it sends nothing that would look like
// a leader that works: Raft's heartbeats do not pass through its log.
type transport struct {
	*raft.NetworkTransport
	stuck func() bool
}

// Close implements [raft.WithClose]. Raft's own leaves the connections open that it keeps for later.
func (t transport) Close() error {
	err := t.NetworkTransport.Close()
	t.CloseStreams()
	return err
}

// AppendEntries implements [raft.Transport].
func (t transport) AppendEntries(id raft.ServerID, target raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	if t.stuck() {
		return errStuck
	}
	return t.NetworkTransport.AppendEntries(id, target, args, resp)
}

// AppendEntriesPipeline implements [raft.Transport].
func (t transport) AppendEntriesPipeline(id raft.ServerID, target raft.ServerAddress) (raft.AppendPipeline, error) {
	p, err := t.NetworkTransport.AppendEntriesPipeline(id, target)
	if err != nil {
		return nil, err
	}
	return pipeline{p, t.stuck}, nil
}

type pipeline struct {
	raft.AppendPipeline
	stuck func() bool
}

// AppendEntries implements [raft.AppendPipeline].
func (p pipeline) AppendEntries(args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) (raft.AppendFuture, error) {
	if p.stuck() {
		return nil, errStuck
	}
	return p.AppendPipeline.AppendEntries(args, resp)
}
