package cluster

import (
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// groups has entries go to Raft in groups: those that there are at one moment go together. A leader to which each goes by
// itself takes the first alone, and the others wait until that one is on disk. An entry with nothing before it goes at once.
type groups struct {
	mu      sync.Mutex // guards what follows
	pending []pendingEntry
	sending bool
}

// pendingEntry is an entry that is to go to Raft, and who waits for what becomes of it.
type pendingEntry struct {
	entry  []byte
	until  time.Time // what Raft has not taken by then it is not to take
	answer chan<- appended
}

// appended is where an entry is in the log and what its apply returned, or why it is not known to be there.
type appended struct {
	index    uint64
	response any
	err      error
}

// add has an entry go to Raft. Who waits for the answer must not rely on it: Raft gives none to what it has not looked at
// when it is shut down.
func (g *groups) add(r *raft.Raft, entry []byte, limit time.Duration) <-chan appended {
	answer := make(chan appended, 1)
	g.mu.Lock()
	g.pending = append(g.pending, pendingEntry{entry, time.Now().Add(limit), answer})
	first := !g.sending
	g.sending = true
	g.mu.Unlock()
	if first {
		go g.send(r) // ends when there is no more, or each was too late
	}
	return answer
}

// send sends group after group, until there is none.
func (g *groups) send(r *raft.Raft) {
	for {
		g.mu.Lock()
		group := g.pending
		g.pending = nil
		g.sending = len(group) > 0
		g.mu.Unlock()
		if len(group) == 0 {
			return
		}
		futures := make([]raft.ApplyFuture, len(group))
		for i, e := range group {
			futures[i] = e.apply(r)
		}
		go deliver(group, futures) // ends when Raft has decided. If it is shut down before it has looked at all, never: there is nothing to wait for
	}
}

// apply hands an entry to Raft. Nil means that it was too late.
func (e pendingEntry) apply(r *raft.Raft) raft.ApplyFuture {
	left := time.Until(e.until)
	if left <= 0 {
		return nil
	}
	return r.Apply(e.entry, left)
}

// deliver tells who waits for a group what has become of it.
func deliver(group []pendingEntry, futures []raft.ApplyFuture) {
	for i, f := range futures {
		a := appended{err: raft.ErrEnqueueTimeout}
		if f != nil {
			a.err = f.Error()
		}
		if a.err == nil {
			a.index, a.response = f.Index(), f.Response()
		}
		group[i].answer <- a // has room
	}
}
