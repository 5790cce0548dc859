package liveness

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/director/probe"
)

// Timing of streams.
const (
	openLimit  = time.Second            // to open one
	writeLimit = 100 * time.Millisecond // to write a few bytes, which nothing but a full queue delays
	readLimit  = 2 * time.Second        // without a byte: the other end will have another stream
	firstPause = 100 * time.Millisecond // after a stream has ended
	lastPause  = 500 * time.Millisecond // after it could not be opened again and again
)

// unreachedAfter is for how long no stream to a member may be open before what comes over its own does not count: who
// says much and can be told nothing takes no part in the cluster.
const unreachedAfter = time.Second

// wordSize is how many bytes a beat has.
const wordSize = 4

// Config says what a [Pulse] needs.
type Config struct {
	Members func() []string // all others
	Open    func(ctx context.Context, member string) (net.Conn, error)
	Tracker *Tracker
	Beat    func() // called once in each period, and must not block; nil: nobody wants to know
	// Word is what each beat says, and Said is told what a member's says; nil: nobody has anything to say. A word of
	// 0 says nothing.
	Word func() uint32
	Said func(member string, word uint32)
	Log  hclog.Logger
}

// Pulse keeps a stream open to each other member, sends over it, and notes what comes over theirs.
type Pulse struct {
	cfg Config

	mu      sync.Mutex
	in      map[string]net.Conn // member: the stream that counts
	senders map[string]*sender  // member: who sends to it
	ended   bool                // Run has
}

// sender is what sends to one member.
type sender struct {
	conn   net.Conn      // nil: none is open
	lost   time.Time     // since when none is
	failed error         // why none could be opened the last time; nil: one was
	retry  chan struct{} // capacity 1: the member is there, so do not wait before opening
	cancel context.CancelFunc
}

// New returns a pulse that does nothing before it runs.
func New(cfg Config) *Pulse {
	return &Pulse{cfg: cfg, in: map[string]net.Conn{}, senders: map[string]*sender{}}
}

// Run beats until ctx ends. All streams end with it.
func (p *Pulse) Run(ctx context.Context) error {
	var opening sync.WaitGroup
	defer opening.Wait()
	defer p.end()
	for ctx.Err() == nil {
		now := time.Now()
		p.cfg.Tracker.Ran("pulse", now)
		if p.cfg.Beat != nil {
			p.cfg.Beat()
		}
		word := p.word()
		for _, conn := range p.follow(ctx, p.cfg.Members(), &opening) {
			if beat(conn, word) != nil {
				_ = conn.Close() // then another is opened
			}
		}
		wait := time.NewTimer(time.Until(probe.Next(now, p.cfg.Tracker.Every())))
		select {
		case <-ctx.Done():
		case <-wait.C:
		}
		wait.Stop()
	}
	return nil
}

// word is what the next beat says.
func (p *Pulse) word() []byte {
	if p.cfg.Word == nil {
		return make([]byte, wordSize)
	}
	return binary.BigEndian.AppendUint32(nil, p.cfg.Word())
}

// beat sends a word. One goroutine does it for all streams, at once: a word waits for nobody, because a stream
// whose bytes are not acknowledged is gone long before its queue is full.
func beat(conn net.Conn, word []byte) error {
	if err := conn.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil {
		return err
	}
	_, err := conn.Write(word)
	return err
}

// follow has one sender for each member, and returns the streams that are open.
func (p *Pulse) follow(ctx context.Context, members []string, opening *sync.WaitGroup) []net.Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.differs(members) {
		p.cfg.Tracker.Keep(members, time.Now())
	}
	for name, s := range p.senders {
		if !slices.Contains(members, name) {
			s.cancel()
			delete(p.senders, name)
		}
	}
	var open []net.Conn
	for _, name := range members {
		s := p.senders[name]
		if s == nil {
			s = &sender{retry: make(chan struct{}, 1), lost: time.Now()}
			var life context.Context
			life, s.cancel = context.WithCancel(ctx)
			p.senders[name] = s
			opening.Go(func() { p.keepOpen(life, name, s) })
		}
		if s.conn != nil {
			open = append(open, s.conn)
		}
	}
	return open
}

func (p *Pulse) differs(members []string) bool {
	return len(members) != len(p.senders) || slices.ContainsFunc(members, func(m string) bool { return p.senders[m] == nil })
}

// end closes what others have opened.
func (p *Pulse) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	for _, conn := range p.in {
		_ = conn.Close() // nothing is left to say
	}
	for _, s := range p.senders {
		s.cancel()
	}
}

// keepOpen keeps a stream to a member open until ctx ends.
func (p *Pulse) keepOpen(ctx context.Context, member string, s *sender) {
	pause, told := firstPause, ""
	for ctx.Err() == nil {
		opened, err := p.open(ctx, member, s)
		if opened {
			pause, told = firstPause, ""
		} else if err != nil && err.Error() != told && ctx.Err() == nil {
			told = err.Error()
			p.cfg.Log.Debug("no stream to a member", "member", member, "err", err)
		}
		wait := time.NewTimer(pause/2 + rand.N(pause/2))
		select {
		case <-ctx.Done():
		case <-s.retry:
		case <-wait.C:
		}
		wait.Stop()
		pause = min(2*pause, lastPause)
	}
}

// open opens a stream and waits until it or ctx ends.
func (p *Pulse) open(ctx context.Context, member string, s *sender) (opened bool, err error) {
	opening, cancel := context.WithTimeout(ctx, openLimit)
	conn, err := p.cfg.Open(opening, member)
	cancel()
	p.noteFailed(s, err)
	if err != nil {
		return false, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if err := beat(conn, make([]byte, wordSize)); err != nil {
		return true, err
	}
	p.use(s, conn)
	defer p.use(s, nil)
	_, _ = conn.Read(make([]byte, 1)) // nothing is ever said: it ends with the stream
	return true, nil
}

// use has a stream sent over from the next beat on.
func (p *Pulse) use(s *sender, conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.conn = conn
	if conn == nil {
		s.lost = time.Now()
	}
}

// Reaches reports whether a stream to a member is open, or was a moment ago, or may still come to be. It is true of
// who is no member.
func (p *Pulse) Reaches(member string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reaches(member)
}

// reaches is [Pulse.Reaches]. The lock is held.
func (p *Pulse) reaches(member string) bool {
	s := p.senders[member]
	return s == nil || s.conn != nil || time.Since(s.lost) < unreachedAfter
}

// OneWay reports whether a member reaches this one, and this one does not reach it.
func (p *Pulse) OneWay(member string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.in[member] != nil && !p.reaches(member)
}

// Failed returns why no stream to a member could be opened the last time that it was tried, or nil.
func (p *Pulse) Failed(member string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.senders[member]; s != nil {
		return s.failed
	}
	return nil
}

func (p *Pulse) noteFailed(s *sender, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.failed = err
}

// Receive notes what comes over a stream that a member has opened, until it ends: its words always, and as a sign of life while
// this one reaches the member too. A newer stream of the same member ends this one.
func (p *Pulse) Receive(member string, conn net.Conn) {
	defer conn.Close()
	if !p.take(member, conn) {
		return
	}
	defer p.leave(member, conn)
	buf := make([]byte, 16*wordSize)
	for {
		if err := conn.SetReadDeadline(time.Now().Add(readLimit)); err != nil {
			return
		}
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		if p.Reaches(member) {
			p.cfg.Tracker.Heard(member, time.Now())
		}
		if n%wordSize == 0 && n > 0 && p.cfg.Said != nil { // each is a record of its own, so they are whole; older agents send a byte
			p.cfg.Said(member, binary.BigEndian.Uint32(buf[n-wordSize:n]))
		}
	}
}

// take makes a stream the one of a member that counts. Who has opened one can be reached again.
func (p *Pulse) take(member string, conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return false
	}
	if old := p.in[member]; old != nil {
		_ = old.Close() // the member has given it up
	}
	p.in[member] = conn
	if s := p.senders[member]; s != nil {
		poke(s.retry)
	}
	return true
}

func (p *Pulse) leave(member string, conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.in[member] == conn {
		delete(p.in, member)
	}
}

// poke says "look again" on a channel of capacity 1.
func poke(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
