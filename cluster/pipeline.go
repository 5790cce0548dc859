package cluster

import (
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

const (
	// repeatEvery is how often a pipeline says again what it has said: a connection that is dead is found by that.
	repeatEvery = time.Second
	// jammedAfter is how long a request may take to be on its way. A member that takes longer is spoken to anew.
	jammedAfter = 2 * time.Second
)

var errJammed = errors.New("a member has not taken what it was sent before")

// pipeline is Raft's stream of requests to one member. Raft knows no better than to send an empty one each
// [raft.Config.CommitTimeout], so that the member learns what is agreed. This one sends it only if it says something
// new, and says what is agreed by itself, at once: so Raft needs to try rarely, and the member is told sooner. Who is
// alive, and whom they follow, the heartbeats say.
type pipeline struct {
	raft.AppendPipeline
	stuck func() bool
	// leads returns what is agreed, if this node leads in a term now.
	leads func(term uint64) (agreed uint64, ok bool)

	news  chan struct{} // capacity 1: more is agreed
	leave func()        // the bells
	ended chan struct{}
	once  sync.Once

	turn chan struct{} // capacity 1: who has what is in it sends, and what follows is theirs
	last sent
}

// sent is a request without its entries, but with the last of them as the one before: what a member has that took it.
type sent struct {
	raft.AppendEntriesRequest
	at time.Time // zero: nothing was sent
}

func (s sent) withoutEntries() sent {
	if n := len(s.Entries); n > 0 {
		s.PrevLogEntry, s.PrevLogTerm = s.Entries[n-1].Index, s.Entries[n-1].Term
	}
	s.Entries = nil
	return s
}

// newPipeline returns a pipeline to a member that has taken a request before.
func newPipeline(to raft.AppendPipeline, before sent, stuck func() bool, leads func(uint64) (uint64, bool), agreed *bells) *pipeline {
	p := &pipeline{
		AppendPipeline: to, stuck: stuck, leads: leads, last: before,
		news: make(chan struct{}, 1), ended: make(chan struct{}), turn: make(chan struct{}, 1),
	}
	p.turn <- struct{}{}
	p.leave = agreed.add(p.news)
	poke(p.news) // more may be agreed than was when the member took that
	go p.tell()  // ends with Close
	return p
}

// AppendEntries implements [raft.AppendPipeline]. Raft asks for the future of what it sends at Consumer alone: what
// is not sent has none.
func (p *pipeline) AppendEntries(args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) (raft.AppendFuture, error) {
	if p.stuck() {
		return nil, errStuck
	}
	limit := time.NewTimer(jammedAfter)
	defer limit.Stop()
	select {
	case <-p.turn:
	case <-limit.C:
		return nil, errors.Join(errJammed, p.Close()) // so that what is stuck ends too
	}
	defer func() {
		p.turn <- struct{}{}
		poke(p.news) // more may be agreed by now than Raft knew when it made this, and nothing else would say so for long
	}()
	now := time.Now()
	if len(args.Entries) == 0 && args.Term == p.last.Term && args.LeaderCommitIndex <= p.last.LeaderCommitIndex && now.Sub(p.last.at) < repeatEvery {
		return nil, nil
	}
	p.last = sent{*args, now}.withoutEntries()
	return p.AppendPipeline.AppendEntries(args, resp)
}

// tell says what is agreed whenever that is more.
func (p *pipeline) tell() {
	for {
		select {
		case <-p.ended:
			return
		case <-p.news:
			p.sayAgreed()
		}
	}
}

// sayAgreed sends what Raft would send within [raft.Config.CommitTimeout]: an empty request. The member takes it only
// if it has the last entry that it was sent here, and nothing beyond that is said to be agreed; so all that it takes
// for agreed is this leader's. What is agreed is read before it is asked whether this node still leads in the term:
// then it led when that was read. If Raft itself is sending, it is looked again when that is sent.
func (p *pipeline) sayAgreed() {
	select {
	case <-p.turn:
	default:
		return
	}
	defer func() { p.turn <- struct{}{} }()
	agreed, ok := p.leads(p.last.Term)
	agreed = min(agreed, p.last.PrevLogEntry)
	if !ok || p.last.at.IsZero() || agreed <= p.last.LeaderCommitIndex || p.stuck() {
		return
	}
	next := p.last.AppendEntriesRequest
	next.LeaderCommitIndex = agreed
	if _, err := p.AppendPipeline.AppendEntries(&next, new(raft.AppendEntriesResponse)); err == nil {
		p.last = sent{next, time.Now()}
	}
}

// Close implements [raft.AppendPipeline].
func (p *pipeline) Close() error {
	p.once.Do(func() {
		p.leave()
		close(p.ended)
	})
	return p.AppendPipeline.Close()
}

// bells ring together.
type bells struct {
	mu  sync.Mutex
	all map[chan struct{}]struct{}
}

// add has a bell of capacity 1 ring with the others, until the func is called that it returns.
func (b *bells) add(bell chan struct{}) (leave func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.all == nil {
		b.all = map[chan struct{}]struct{}{}
	}
	b.all[bell] = struct{}{}
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.all, bell)
	}
}

func (b *bells) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for bell := range b.all {
		poke(bell)
	}
}
