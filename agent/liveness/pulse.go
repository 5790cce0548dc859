package liveness

import (
	"context"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Timing of streams.
const (
	openLimit  = time.Second            // to open one
	writeLimit = time.Second            // to write one byte
	readLimit  = 2 * time.Second        // without a byte: the other end will have another stream
	firstPause = 100 * time.Millisecond // after a stream has ended
	lastPause  = 500 * time.Millisecond // after it could not be opened again and again
)

// Config says what a [Pulse] needs.
type Config struct {
	Members func() []string // all others
	Open    func(ctx context.Context, member string) (net.Conn, error)
	Tracker *Tracker
	Log     hclog.Logger
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
	beat   chan struct{} // capacity 1: send now
	retry  chan struct{} // capacity 1: the member is there, so do not wait before opening
	cancel context.CancelFunc
}

// New returns a pulse that does nothing before it runs.
func New(cfg Config) *Pulse {
	return &Pulse{cfg: cfg, in: map[string]net.Conn{}, senders: map[string]*sender{}}
}

// Run beats until ctx ends. All streams end with it.
func (p *Pulse) Run(ctx context.Context) error {
	var sending sync.WaitGroup
	defer sending.Wait()
	defer p.end()
	tick := time.NewTicker(Every)
	defer tick.Stop()
	for {
		p.cfg.Tracker.Ran("pulse", time.Now())
		p.follow(ctx, p.cfg.Members(), &sending)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// follow has one sender for each member, and has each send.
func (p *Pulse) follow(ctx context.Context, members []string, sending *sync.WaitGroup) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.differs(members) {
		p.cfg.Tracker.Keep(members)
	}
	for name, s := range p.senders {
		if !slices.Contains(members, name) {
			s.cancel()
			delete(p.senders, name)
		}
	}
	for _, name := range members {
		s := p.senders[name]
		if s == nil {
			s = &sender{beat: make(chan struct{}, 1), retry: make(chan struct{}, 1)}
			var life context.Context
			life, s.cancel = context.WithCancel(ctx)
			p.senders[name] = s
			sending.Go(func() { p.send(life, name, s) })
		}
		poke(s.beat)
	}
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

// send keeps a stream to a member open until ctx ends.
func (p *Pulse) send(ctx context.Context, member string, s *sender) {
	pause, told := firstPause, ""
	for ctx.Err() == nil {
		opened, err := p.stream(ctx, member, s)
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

// stream opens a stream and sends over it until it or ctx ends.
func (p *Pulse) stream(ctx context.Context, member string, s *sender) (opened bool, err error) {
	opening, cancel := context.WithTimeout(ctx, openLimit)
	conn, err := p.cfg.Open(opening, member)
	cancel()
	if err != nil {
		return false, err
	}
	defer conn.Close()
	ctx, cancel = context.WithCancel(ctx)
	defer cancel()
	var reading sync.WaitGroup
	defer reading.Wait()
	defer conn.Close()  // a second time, so that the reader ends
	reading.Go(func() { // nothing is ever said: it ends when the other side has closed
		_, _ = conn.Read(make([]byte, 1))
		cancel()
	})
	for {
		if err := conn.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil {
			return true, err
		}
		if _, err := conn.Write([]byte{0}); err != nil {
			return true, err
		}
		select {
		case <-ctx.Done():
			return true, nil
		case <-s.beat:
		}
	}
}

// Receive notes what comes over a stream that a member has opened, until it ends. A newer stream of the same
// member ends this one.
func (p *Pulse) Receive(member string, conn net.Conn) {
	defer conn.Close()
	if !p.take(member, conn) {
		return
	}
	defer p.leave(member, conn)
	buf := make([]byte, 64)
	for {
		if err := conn.SetReadDeadline(time.Now().Add(readLimit)); err != nil {
			return
		}
		if _, err := conn.Read(buf); err != nil {
			return
		}
		p.cfg.Tracker.Heard(member, time.Now())
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
