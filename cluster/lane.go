package cluster

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/quorate/quorate/cluster/port"
)

// lanePath is where a member opens a lane.
const lanePath = "/cluster/lane"

const (
	laneDepth = 1024        // how many entries of one lane the leader has under way
	laneAgain = time.Minute // a member that knows no lanes is of an older version, and may be upgraded
)

// errNoLane means that there is no lane to the leader: it knows none, mostly, or this node may not open one.
var errNoLane = errors.New("no lane")

// Why a lane ends.
var (
	errLeadsNoMore = errors.New("it leads no more")
	errUnused      = errors.New("nothing was asked for a while")
)

// lane is a stream to a leader, on which this node has it append entries. Those that there are at one moment go
// together, and so do the answers: a request for each would cost more than it takes to agree on it.
type lane struct {
	to   string
	conn net.Conn
	out  outbox
	used chan struct{} // capacity 1: something is asked

	mu      sync.Mutex // guards what follows
	last    uint64
	waiting map[uint64]chan<- laneAnswer
	over    error // why nothing more can be asked; nil: it can
}

// laneAnswer is where an entry is in the log, or why it is not known to be there.
type laneAnswer struct {
	index uint64
	err   error
}

// lanes is this node's lane to the leader of the moment.
type lanes struct {
	opening chan struct{} // capacity 1: held by who opens one

	mu      sync.Mutex // guards what follows
	now     *lane
	refused map[string]time.Time // when a member last opened none
}

// askByLane has the leader append an entry, see [Node.forward].
func (n *Node) askByLane(ctx context.Context, leader string, entry []byte) (uint64, error) {
	l, err := n.laneTo(ctx, leader)
	if err != nil {
		return 0, err
	}
	answer := make(chan laneAnswer, 1)
	number, err := l.await(answer)
	if err != nil {
		return 0, err
	}
	l.out.put(number, entry)
	select {
	case a := <-answer:
		return a.index, a.err
	case <-ctx.Done():
		l.forget(number)
		return 0, fmt.Errorf("ask %s: %w: %w", leader, ErrUncertain, ctx.Err())
	}
}

// laneTo returns the lane to the leader. If there is none it is opened, by one for all who want it, and as long as it leads:
// its machine may be gone, and who knows the next leader is not to wait for that.
func (n *Node) laneTo(ctx context.Context, leader string) (*lane, error) {
	if l, err := n.lanes.open(leader); l != nil || err != nil {
		return l, err
	}
	ctx, stop := n.WhileLeads(ctx, leader)
	defer stop()
	select {
	case n.lanes.opening <- struct{}{}:
		defer func() { <-n.lanes.opening }()
	case <-ctx.Done():
		return nil, errNotLeader // nothing was asked
	}
	if l, err := n.lanes.open(leader); l != nil || err != nil {
		return l, err
	}
	opening, cancel := context.WithTimeout(ctx, port.DialLimit)
	defer cancel()
	conn, err := n.Stream(opening, leader, lanePath, port.DeadAfter)
	var (
		dial *port.DialError
		none *port.NoStreamError
	)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, errNotLeader // nothing was asked
	case errors.As(err, &dial):
		return nil, fmt.Errorf("ask %s: %w", leader, dial)
	case errors.As(err, &none):
		n.lanes.refuse(leader)
		return nil, errNoLane
	case err != nil && opening.Err() != nil:
		return nil, errNotLeader // it is slow
	case err != nil:
		return nil, errNoLane // this time
	}
	l := &lane{to: leader, conn: conn, out: outbox{conn: conn}, used: make(chan struct{}, 1), waiting: map[uint64]chan<- laneAnswer{}}
	go l.listen()     // ends with the connection
	go n.watchLane(l) // ends with the lane
	n.lanes.mu.Lock()
	n.lanes.now = l
	n.lanes.mu.Unlock()
	return l, nil
}

// open returns the lane to a member, nil if there is none, or [errNoLane] if none can be.
func (s *lanes) open(to string) (*lane, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, ok := s.refused[to]; ok && time.Since(at) < laneAgain {
		return nil, errNoLane
	}
	if s.now == nil || s.now.to != to || s.now.ended() {
		return nil, nil
	}
	return s.now, nil
}

func (s *lanes) refuse(to string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refused == nil {
		s.refused = map[string]time.Time{}
	}
	s.refused[to] = time.Now()
}

// watchLane ends a lane whose member leads no more: its machine may be gone, and nothing else says so for long. One that is
// not used ends too.
func (n *Node) watchLane(l *lane) {
	stop := context.AfterFunc(n.life, func() { l.end(errors.New("this director stops")) })
	defer stop()
	for !l.ended() {
		if !l.idle() {
			if n.Leader() != l.to {
				l.end(errLeadsNoMore)
			}
			pause(n.life, n.cfg.Heartbeat/4)
			continue
		}
		unused := time.NewTimer(idleFor)
		select {
		case <-l.used:
		case <-unused.C:
			l.endUnused()
		}
		unused.Stop()
	}
}

// await notes that somebody waits for an answer, and returns the number of the question.
func (l *lane) await(answer chan<- laneAnswer) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over != nil {
		return 0, errNotLeader // nothing was asked
	}
	l.last++
	l.waiting[l.last] = answer
	poke(l.used)
	return l.last, nil
}

func (l *lane) forget(number uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.waiting, number)
}

func (l *lane) ended() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.over != nil
}

func (l *lane) idle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.waiting) == 0 && l.over == nil
}

// endUnused ends a lane on which nothing is asked, also not since a moment ago.
func (l *lane) endUnused() {
	l.mu.Lock()
	unused := len(l.waiting) == 0 && l.over == nil
	if unused {
		l.over = errUnused // so that nothing more is
	}
	l.mu.Unlock()
	if unused {
		l.end(errUnused)
	}
}

// end closes a lane. Whoever waits is told that nobody knows.
func (l *lane) end(why error) {
	_ = l.conn.Close() // nothing is left to say
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over == nil {
		l.over = why
	}
	for number, answer := range l.waiting {
		answer <- laneAnswer{err: fmt.Errorf("ask %s: %w: %w", l.to, ErrUncertain, why)} // has room
		delete(l.waiting, number)
	}
	poke(l.used)
}

// listen hands answers to who waits for them, until the lane ends.
func (l *lane) listen() {
	in := bufio.NewReader(l.conn)
	for {
		number, said, err := readFrame(in)
		if err != nil {
			l.end(err)
			return
		}
		a := parseAnswer(said)
		l.mu.Lock()
		if answer, ok := l.waiting[number]; ok {
			answer <- a // has room
			delete(l.waiting, number)
		}
		l.mu.Unlock()
	}
}

// An answer is the index, or 0 and a [failure] as JSON.

func (a laneAnswer) said() []byte {
	said := binary.BigEndian.AppendUint64(make([]byte, 0, 8), a.index)
	if a.err == nil {
		return said
	}
	f, _ := newFailure(a.err)
	text, err := json.Marshal(f)
	if err != nil || len(text) > maxFrame-8 {
		text, _ = json.Marshal(failure{Error: fmt.Sprintf("%.1000s", f.Error), Code: f.Code}) // always encodes
	}
	return append(said, text...)
}

func parseAnswer(said []byte) laneAnswer {
	if len(said) < 8 {
		return laneAnswer{err: fmt.Errorf("%w: the answer is cut off", ErrUncertain)}
	}
	if len(said) == 8 {
		return laneAnswer{index: binary.BigEndian.Uint64(said)}
	}
	var f failure
	if err := json.Unmarshal(said[8:], &f); err != nil || f.Error == "" {
		return laneAnswer{err: fmt.Errorf("%w: the answer is %.200q", ErrUncertain, said[8:])}
	}
	return laneAnswer{err: f.err()}
}

// serveLane appends what comes on a member's lane.
func (n *Node) serveLane(w http.ResponseWriter, r *http.Request) {
	conn, err := port.TakeStream(w, r)
	if err != nil {
		return // the member was told
	}
	defer conn.Close()
	serveEntries(n.life, conn, n.appendFor)
}

// serveEntries appends what comes on a connection until that ends. It reads on also while no more can be under way: it would
// not see otherwise that the member is gone, as long as what has come before hangs in the disk.
func serveEntries(ctx context.Context, conn net.Conn, add func(context.Context, []byte) (uint64, error)) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	in, out := bufio.NewReader(conn), outbox{conn: conn}
	places := make(chan struct{}, laneDepth)
	for {
		number, entry, err := readFrame(in)
		if err != nil {
			return // it opens another
		}
		select {
		case places <- struct{}{}:
			go func() { // ends when it is agreed, or with the connection
				index, err := add(ctx, entry)
				out.put(number, laneAnswer{index, err}.said())
				<-places
			}()
		default:
			out.put(number, laneAnswer{err: errNotLeader}.said()) // nothing was tried, and it asks again
		}
	}
}
