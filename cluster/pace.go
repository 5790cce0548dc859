package cluster

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// Where processors are short, the others may be asked for their votes faster than they can answer: each election ends
// before its answers are there, and the next one asks anew, over new connections, which costs them more. So elections
// take as long as answers do.
const (
	slowest  = 8                // times the timeout that is configured, at most
	slowFor  = 30 * time.Second // after an answer that was slow
	perRound = 2                // the votes follow the question whether there would be any
	// untilNext is how many timeouts after an answer a candidate asks again at the latest: Raft's timers take one to two,
	// and are late where processors are short.
	untilNext = 4
)

// pace is how long this node waits for a leader, and for votes.
type pace struct {
	usual time.Duration // where answers are fast

	mu     sync.Mutex
	now    time.Duration               // at least usual
	until  time.Time                   // when it may be usual again
	passes map[raft.ServerID]time.Time // when the path to a member passed answers, since one of it was slow
	news   chan struct{}               // capacity 1: now has changed
}

func newPace(usual time.Duration) *pace {
	return &pace{usual: usual, now: usual, passes: map[raft.ServerID]time.Time{}, news: make(chan struct{}, 1)}
}

// answered notes how long a member took to answer a question about votes, whatever it said. It grows by doubling: Raft's
// timers start again when it shrinks.
func (p *pace) answered(by raft.ServerID, asked, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	need := p.usual
	for need < perRound*at.Sub(asked) && need < slowest*p.usual {
		need *= 2
	}
	if need == p.usual {
		delete(p.passes, by)
		return // the next may be slow again
	}
	if !p.again(by, asked, at) {
		return
	}
	p.until = at.Add(slowFor)
	if need > p.now {
		p.now = need
		poke(p.news)
	}
}

// again reports whether a question that was answered slowly was asked of a member right after it had answered another, as
// slowly. One such answer tells nothing: what a cut has held up comes when the path is whole again, all of it at once,
// from members that are as fast as ever. Who is asked after that is asked by a path that passes answers.
func (p *pace) again(by raft.ServerID, asked, at time.Time) bool {
	switch passes, ok := p.passes[by]; {
	case !ok || asked.Sub(passes) > untilNext*p.now:
		p.passes[by] = at
		return false
	case asked.Before(passes):
		return false
	}
	p.passes[by] = asked
	return true
}

// timeout is after how long without a leader this node wants one, and without votes asks again; wait is for how long that
// holds, 0 if it does until something is slow.
func (p *pace) timeout(at time.Time) (timeout, wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !at.Before(p.until) {
		p.now = p.usual
	}
	if p.now == p.usual {
		return p.usual, 0
	}
	return p.now, p.until.Sub(at)
}

// timeout is after how long without a leader this node wants one.
func (n *Node) timeout() time.Duration {
	d, _ := n.pace.timeout(time.Now())
	return d
}

// keepPace sets Raft's timeouts as the pace is, until ctx ends. A leader's are its heartbeats', see [Node.beats].
func (n *Node) keepPace(ctx context.Context) error {
	last := n.cfg.Heartbeat
	for ctx.Err() == nil {
		var again <-chan time.Time
		timeout, wait := n.pace.timeout(time.Now())
		if wait > 0 {
			again = time.After(wait)
		}
		if timeout != last {
			why := "members answer slowly: elections take longer"
			if timeout < last {
				why = "no member has answered slowly for a while: elections are shorter again"
			}
			n.log.Info(why, "timeout", timeout, "before", last)
			last = timeout
		}
		n.timeouts.set(n)
		select {
		case <-ctx.Done():
		case <-n.pace.news:
		case <-again:
		}
	}
	return nil
}

// timeouts are Raft's.
type timeouts struct {
	mu    sync.Mutex  // held while they are set
	leads atomic.Bool // whether they are a leader's
}

// set sets them: as the pace is, but for a leader's.
func (t *timeouts) set(n *Node) {
	t.mu.Lock()
	defer t.mu.Unlock()
	d := n.timeout()
	if t.leads.Load() {
		d = leadsFor * n.cfg.Heartbeat
	}
	r := n.raft.Load()
	if r == nil {
		return // it was removed, and begins none
	}
	c := r.ReloadableConfig()
	if c.HeartbeatTimeout == d && c.ElectionTimeout == d {
		return
	}
	c.HeartbeatTimeout, c.ElectionTimeout = d, d
	if err := r.ReloadConfig(c); err != nil {
		n.log.Error("Raft's timeouts are not set", "err", err)
	}
}

// timed asks a member, and has the pace know how long the answer took.
func (t transport) timed(member raft.ServerID, ask func() error) error {
	asked := time.Now()
	err := ask()
	if err == nil {
		t.pace.answered(member, asked, time.Now())
	}
	return err
}
