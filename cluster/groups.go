package cluster

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

const (
	// maxAppend is how many entries Raft sends a member in one request. What does not fit it sends with the next entry, or
	// after its timeout.
	maxAppend = 128
	// underWay is how many entries of calls Raft has not decided on, at most: they, a barrier and its own fit into one request.
	underWay = 112
)

// groups has entries go to Raft in groups: those that there are at one moment go together. A leader to which each goes by
// itself takes the first alone, and the others wait until that one is on disk. An entry with nothing before it goes at once.
type groups struct {
	places chan struct{} // of capacity underWay: held by what Raft has not decided on

	mu      sync.Mutex // guards what follows
	pending []*pendingEntry
	sending bool
}

// pendingEntry is an entry that is to go to Raft.
type pendingEntry struct {
	entry  []byte
	until  time.Time     // what Raft has not taken by then it is not to take
	taken  atomic.Bool   // it goes to Raft, or was withdrawn
	answer chan appended // of capacity 1: what becomes of it
}

// appended is where an entry is in the log and what its apply returned, or why it is not known to be there.
type appended struct {
	index    uint64
	response any
	err      error
}

// add has an entry go to Raft. Who waits for the answer must not rely on it: Raft gives none to what it has not looked at
// when it is shut down.
func (g *groups) add(r *raft.Raft, entry []byte, limit time.Duration) *pendingEntry {
	e := &pendingEntry{entry: entry, until: time.Now().Add(limit), answer: make(chan appended, 1)}
	g.mu.Lock()
	g.pending = append(g.pending, e)
	first := !g.sending
	g.sending = true
	g.mu.Unlock()
	if first {
		go g.send(r) // ends when there is no more, or each was too late
	}
	return e
}

// withdraw keeps an entry from Raft. It reports whether that is in time.
func (e *pendingEntry) withdraw() bool { return !e.taken.Swap(true) }

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
		for len(group) > 0 {
			group = group[g.sendSome(r, group):]
		}
	}
}

// sendSome sends what there is a place for, and returns how many entries it has done with: at least one.
func (g *groups) sendSome(r *raft.Raft, group []*pendingEntry) int {
	if !g.place(group[0].until) {
		group[0].answer <- appended{err: raft.ErrEnqueueTimeout} // has room
		return 1
	}
	var sent []sentEntry
	done := 0
	for {
		e := group[done]
		done++
		if f := e.apply(r); f != nil {
			sent = append(sent, sentEntry{f, e.answer})
		} else {
			<-g.places
			e.answer <- appended{err: raft.ErrEnqueueTimeout} // has room
		}
		if done == len(group) || !g.tryPlace() {
			break
		}
	}
	if len(sent) > 0 {
		go g.deliver(sent) // ends when Raft has decided. If it is shut down before it has looked at all, never: there is nothing to wait for
	}
	return done
}

// sentEntry is an entry that Raft has.
type sentEntry struct {
	raft.ApplyFuture
	answer chan<- appended
}

// tryPlace takes a place, and reports whether there is one.
func (g *groups) tryPlace() bool {
	select {
	case g.places <- struct{}{}:
		return true
	default:
		return false
	}
}

// place takes a place, and reports whether there was one in time.
func (g *groups) place(until time.Time) bool {
	limit := time.NewTimer(time.Until(until))
	defer limit.Stop()
	select {
	case g.places <- struct{}{}:
		return true
	case <-limit.C:
		return false
	}
}

// apply hands an entry to Raft, unless it is too late or was withdrawn.
func (e *pendingEntry) apply(r *raft.Raft) raft.ApplyFuture {
	if left := time.Until(e.until); left > 0 && !e.taken.Swap(true) {
		return r.Apply(e.entry, left)
	}
	return nil
}

// deliver tells who waits what has become of it.
func (g *groups) deliver(sent []sentEntry) {
	for _, e := range sent {
		a := appended{err: e.Error()}
		if a.err == nil {
			a.index, a.response = e.Index(), e.Response()
		}
		<-g.places
		e.answer <- a // has room
	}
}
