// Package port is the way between members: one TCP port with TLS for all that is not gossip, and how another's is dialed.
//
// It promises that who shows no member's certificate takes no more places than there are for strangers, gets no further
// than to HTTP, and delays no stop; that a connection which was dialed ends when nothing vouches any more for whom it was
// dialed to; and that a peer which is gone is found out in seconds. It does not know who is a member, or what is asked: the
// first it is told by a function, and the second is the listeners' matter.
package port

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/cluster/hush"
	"github.com/quorate/quorate/cluster/pki"
)

// HandshakeLimit is after how long a handshake must be done.
const HandshakeLimit = 5 * time.Second

// Port is the cluster port: one listener, and a queue of connections for each protocol on it.
type Port struct {
	l         net.Listener
	tls       *tls.Config
	authorize func(tls.ConnectionState) (pki.Identity, error) // which member it is at the other end
	strangers *Strangers
	log       hclog.Logger

	raft, http *Queue
	came       atomic.Bool // a member has connected, for Raft

	life context.Context // of handshakes
	end  context.CancelFunc

	conns openConns[*Conn]
}

// Conn is a connection that came in, and who is at its other end.
type Conn struct {
	*tls.Conn
	peer   pki.Identity
	stream atomic.Bool // it is one, see [TakeStream]
	last   atomic.Bool // it closes with the answer to what it is asked now
	close  func()
}

// Identity returns who is at its other end, the zero one for a joiner.
func (c *Conn) Identity() pki.Identity { return c.peer }

// Lasts reports whether it is open for longer than a request: it is Raft's, or a stream.
func (c *Conn) Lasts() bool {
	return c.stream.Load() || c.ConnectionState().NegotiatedProtocol == ALPNRaft
}

// EndWithAnswer has it be closed with the answer to what it is asked now, and not before.
func (c *Conn) EndWithAnswer() { c.last.Store(true) }

// Ends reports whether it closes with the answer to what it is asked now.
func (c *Conn) Ends() bool { return c.last.Load() }

// Close implements [net.Conn].
func (c *Conn) Close() error {
	c.close()
	return c.Conn.Close()
}

// Listen opens a cluster port, and says what to do when another program has it.
func Listen(addr netip.AddrPort) (net.Listener, error) {
	lc := net.ListenConfig{Control: control, KeepAliveConfig: keepAlive}
	l, err := settled(func() (net.Listener, error) { return lc.Listen(context.Background(), "tcp", addr.String()) })
	if err != nil {
		return nil, explainListen("cluster port", "tcp", addr, err)
	}
	return l, nil
}

// ListenGossip opens a gossip port, and says what to do when another program has it.
func ListenGossip(addr netip.AddrPort) (*net.UDPConn, *net.TCPListener, error) {
	packets, err := settled(func() (*net.UDPConn, error) { return net.ListenUDP("udp", net.UDPAddrFromAddrPort(addr)) })
	if err != nil {
		return nil, nil, explainListen("gossip port", "udp", addr, err)
	}
	l, err := settled(func() (*net.TCPListener, error) { return net.ListenTCP("tcp", net.TCPAddrFromAddrPort(addr)) })
	if err != nil {
		return nil, nil, errors.Join(explainListen("gossip port", "tcp", addr, err), packets.Close())
	}
	return packets, l, nil
}

// TryCluster reports whether the cluster port can be used.
func TryCluster(addr netip.AddrPort) error {
	l, err := Listen(addr)
	if err != nil {
		return err
	}
	return l.Close()
}

// TryGossip reports whether the gossip port can be used.
func TryGossip(addr netip.AddrPort) error {
	packets, l, err := ListenGossip(addr)
	if err != nil {
		return err
	}
	return errors.Join(packets.Close(), l.Close())
}

// settleLimit is for how long a port that is in use is tried again.
const settleLimit = 500 * time.Millisecond

// settled opens a port. A program that was started has what was open then, until the kernel has closed that there, a moment after
// fork has returned here: so a port that was closed is in use for as long, and what is in use is tried again.
func settled[T any](open func() (T, error)) (T, error) {
	for until := time.Now().Add(settleLimit); ; time.Sleep(5 * time.Millisecond) {
		if opened, err := open(); !errors.Is(err, unix.EADDRINUSE) || time.Now().After(until) {
			return opened, err
		}
	}
}

func explainListen(what, network string, addr netip.AddrPort, err error) error {
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		return fmt.Errorf("%s: %s %s is in use by another program: `ss -lnp 'sport = :%d'` shows which; stop it, or choose another port in the agent file", what, network, addr, addr.Port())
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return fmt.Errorf("%s: no interface of this host has %s: correct the agent file, or wait until the address is there", what, addr.Addr())
	}
	return fmt.Errorf("%s: %w", what, err)
}

// Config is what a port needs.
type Config struct {
	Name      net.Addr                                        // of this node, for Raft
	TLS       *tls.Config                                     // of the cluster, see [pki.Credentials.Server]
	Authorize func(tls.ConnectionState) (pki.Identity, error) // says which member it is at the other end, or why it is none
	Strangers *Strangers                                      // that share their places with this port's
	Log       hclog.Logger
}

// New makes a port of a listener. It accepts nothing before [Port.Run].
func New(l net.Listener, c Config) *Port {
	p := &Port{
		l: l, tls: c.TLS, authorize: c.Authorize, strangers: c.Strangers, log: c.Log,
		raft: NewQueue(c.Name), http: NewQueue(l.Addr()),
	}
	p.life, p.end = context.WithCancel(context.Background())
	return p
}

// Members returns the connections that came in for Raft.
func (p *Port) Members() *Queue { return p.raft }

// Requests returns the connections that came in for HTTP.
func (p *Port) Requests() *Queue { return p.http }

// Reached reports whether a member has connected, for Raft.
func (p *Port) Reached() bool { return p.came.Load() }

// Run accepts connections until the listener is closed.
func (p *Port) Run() error {
	var (
		hands sync.WaitGroup
		said  hush.Said
	)
	defer hands.Wait()
	for {
		raw, err := p.l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil { // out of file descriptors, mostly: it passes
			if said.News("accept", err) {
				p.log.Error("accept on the cluster port", "err", err)
			}
			time.Sleep(50 * time.Millisecond)
			continue
		}
		leave, ok := p.strangers.Enter(raw.RemoteAddr())
		if !ok {
			if p.strangers.News(TooMany, raw.RemoteAddr()) {
				p.log.Warn("connection to the cluster port sent away", "from", raw.RemoteAddr(), "err", TooMany)
			}
			Abort(raw)
			continue
		}
		hands.Go(func() { p.shakeHands(raw, leave) })
	}
}

// shakeHands finds out who has come and what for. Raft is for members only. Who is none keeps its place as a stranger
// until its connection is closed.
func (p *Port) shakeHands(raw net.Conn, leave func()) {
	ctx, cancel := context.WithTimeout(p.life, HandshakeLimit)
	defer cancel()
	c := &Conn{Conn: tls.Server(raw, p.tls)}
	if err := c.HandshakeContext(ctx); err != nil {
		p.strangers.Count(NoHandshake)
		p.log.Debug("handshake on the cluster port", "from", raw.RemoteAddr(), "err", err)
		leave()
		_ = raw.Close() // it is of no use to anybody
		return
	}
	c.close = func() {
		leave()
		p.conns.forget(c)
	}
	peer, err := p.authorize(c.ConnectionState())
	if err == nil {
		leave()
	}
	to := p.http
	if c.ConnectionState().NegotiatedProtocol == ALPNRaft {
		if err != nil {
			if p.strangers.Refuse(NoRaft, raw.RemoteAddr()) {
				p.log.Warn("Raft refused", "from", raw.RemoteAddr(), "err", err)
			}
			leave()
			_ = c.Conn.Close() // told by that
			return
		}
		p.came.Store(true)
		to = p.raft
	}
	c.peer = peer
	p.conns.remember(c)
	if !to.Put(c) {
		_ = c.Close() // we are closing
	}
}

// Drop closes the connections that may no longer be here.
func (p *Port) Drop(stay func(*Conn) bool) {
	for _, c := range p.conns.all() {
		if !stay(c) {
			_ = c.Close() // nothing is left to say to it
		}
	}
}

// Close ends the port and all that came through it.
func (p *Port) Close() error {
	err := p.l.Close()
	p.end()
	p.raft.Close()
	p.http.Close()
	p.Drop(func(*Conn) bool { return false })
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Queue is a [net.Listener] of connections that another listener accepted.
type Queue struct {
	addr  net.Addr
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

// NewQueue returns an empty queue of a listener with an address.
func NewQueue(addr net.Addr) *Queue {
	return &Queue{addr: addr, conns: make(chan net.Conn), done: make(chan struct{})}
}

// Put adds a connection, and waits until it is accepted. It reports false if the queue is closed.
func (q *Queue) Put(c net.Conn) bool {
	select {
	case q.conns <- c:
		return true
	case <-q.done:
		return false
	}
}

// Accept implements [net.Listener].
func (q *Queue) Accept() (net.Conn, error) {
	select {
	case c := <-q.conns:
		return c, nil
	case <-q.done:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (q *Queue) Close() error {
	q.once.Do(func() { close(q.done) })
	return nil
}

// Addr implements [net.Listener].
func (q *Queue) Addr() net.Addr { return q.addr }

// Taken returns the channel of the connections that are put in.
func (q *Queue) Taken() <-chan net.Conn { return q.conns }
