package cluster

import (
	"context"
	"sync/atomic"

	"github.com/hashicorp/raft"
)

// past is which entries were agreed before a node was in contact with the cluster: they are no news of now, whenever it
// comes to apply them. It is what it had applied when it was opened, what came before it was let in, and what the first leader that
// it heard had as agreed then. Until that is known it is guessed to be all of its own log, which it is if it comes to lead itself.
type past struct {
	sure    uint64 // was agreed, whatever the first leader says
	until   atomic.Uint64
	contact atomic.Bool
}

// met notes what is agreed by the leader that is heard, if it is the first. One that was just elected does not know yet.
func (p *past) met(agreed uint64) {
	if agreed > 0 && !p.contact.Load() {
		p.until.Store(max(p.sure, agreed)) // what else the own log had may have been agreed by nobody
		p.contact.Store(true)
	}
}

// Past returns up to which entry the log was agreed before this node was in contact with the cluster. Until known it is a guess.
func (n *Node) Past() (until uint64, known bool) {
	known = n.past.contact.Load() // first: until is final then
	return n.past.until.Load(), known
}

// openPast is what is past by this node's own log. One that made the cluster a moment ago has it all before it.
func (n *Node) openPast() error {
	last, err := n.store.Bare.LastIndex()
	if err != nil {
		return err
	}
	if n.Founder() && n.recorded == 0 {
		return nil
	}
	n.past.sure = max(n.recorded, n.id.Admitted)
	n.past.until.Store(max(last, n.past.sure))
	return nil
}

// attentive is the transport of a node that learns from the first leader that it hears what is past.
type attentive struct {
	transport
	past *past
	rpcs chan raft.RPC
}

// Consumer implements [raft.Transport].
func (a attentive) Consumer() <-chan raft.RPC { return a.rpcs }

// run hands on what comes, until ctx ends.
func (a attentive) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case rpc := <-a.transport.Consumer():
			switch r := rpc.Command.(type) {
			case *raft.AppendEntriesRequest:
				a.past.met(r.LeaderCommitIndex)
			case *raft.InstallSnapshotRequest:
				a.past.met(r.LastLogIndex)
			}
			select {
			case a.rpcs <- rpc:
			case <-ctx.Done():
				return nil
			}
		}
	}
}
