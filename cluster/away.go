package cluster

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// errAway is why a member is sent nothing.
var errAway = errors.New("it does not answer heartbeats")

// awayTick is how often it is looked whether what waits for a member still has a reason to.
const awayTick = 100 * time.Millisecond

// away is which members do not answer this leader's heartbeats. Raft counts each request that fails, and waits twice as
// long before each next one, up to ten seconds; a heartbeat that is answered does not end that wait. So what a member that
// is away is to be sent waits here until it answers a heartbeat: few requests fail, and it is sent what it lacks at once.
// Heartbeats themselves never wait, and are tried each half a second at least.
type away struct {
	life    context.Context                           // nothing waits beyond it
	awaited func(id raft.ServerID, term uint64) error // why a member is waited for no longer, nil if it is
	back    chan struct{}                             // capacity 1: a member answers again

	mu       sync.Mutex
	absences map[raft.ServerID]absence
}

// absence is from when a heartbeat failed in a term.
type absence struct {
	term uint64
	over chan struct{} // closed when one is answered
}

// heartbeat notes what became of a heartbeat to a member.
func (a *away) heartbeat(id raft.ServerID, term uint64, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for of, was := range a.absences { // of an older term, too: who was removed since is sent no more that could end it
		if was.term < term || of == id && err == nil {
			close(was.over)
			delete(a.absences, of)
			poke(a.back)
		}
	}
	if _, ok := a.absences[id]; err != nil && !ok {
		if a.absences == nil {
			a.absences = map[raft.ServerID]absence{}
		}
		a.absences[id] = absence{term, make(chan struct{})}
	}
}

// wait returns when a member may be sent something in a term: at once, if no heartbeat has failed in that. It reports whether
// it has waited.
func (a *away) wait(id raft.ServerID, term uint64) (waited bool, err error) {
	a.mu.Lock()
	is, ok := a.absences[id]
	a.mu.Unlock()
	if !ok || is.term != term {
		return false, nil
	}
	tick := time.NewTicker(awayTick)
	defer tick.Stop()
	for {
		if err := a.awaited(id, term); err != nil {
			return true, errors.Join(errAway, err)
		}
		select {
		case <-is.over:
			return true, nil
		case <-a.life.Done():
			return true, errors.Join(errAway, a.life.Err())
		case <-tick.C:
		}
	}
}

var (
	errTermOver   = errors.New("this director leads no more")
	errNoServer   = errors.New("it was removed")
	errHandedOver = errors.New("leadership is being handed over")
)

// awaited is why this node waits no longer, in a term, for a member to be back; nil if it does. While leadership is handed
// over nothing waits: Raft has who is to lead sent what it lacks first, and asks again only when that has failed; until
// it is asked it takes no changes.
func (n *Node) awaited(id raft.ServerID, term uint64) error {
	if _, leads := n.leadsIn(term); !leads {
		return errTermOver
	}
	if n.handing.Load() > 0 {
		return errHandedOver
	}
	servers := n.raft.Load().GetConfiguration().Configuration().Servers
	if !slices.ContainsFunc(servers, func(s raft.Server) bool { return s.ID == id }) {
		return errNoServer
	}
	return nil
}
