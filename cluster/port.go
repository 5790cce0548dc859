package cluster

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

	"github.com/quorate/quorate/cluster/pki"
)

// handshakeLimit is when a handshake must be done.
const handshakeLimit = 5 * time.Second

// port is the cluster port: one listener, and a queue of connections for each protocol on it.
type port struct {
	l         net.Listener
	tls       *tls.Config
	authorize func(tls.ConnectionState) (pki.Identity, error)
	strangers *strangers
	log       hclog.Logger

	raft, http *queue
	came       atomic.Bool // a member has connected, for Raft

	life context.Context // of handshakes
	end  context.CancelFunc

	conns openConns[*conn]
}

// conn is a connection that came in, and who is at its other end; nobody for a joiner.
type conn struct {
	*tls.Conn
	peer   pki.Identity
	stream atomic.Bool // it is one, see [TakeStream]
	last   atomic.Bool // it closes with the answer to what it is asked now
	close  func()
}

// Close implements [net.Conn].
func (c *conn) Close() error {
	c.close()
	return c.Conn.Close()
}

// listen opens a port, and says what to do when another has it.
func listen(addr netip.AddrPort) (net.Listener, error) {
	lc := net.ListenConfig{Control: control, KeepAliveConfig: keepAlive}
	l, err := lc.Listen(context.Background(), "tcp", addr.String())
	if err != nil {
		return nil, explainListen("cluster port", "tcp", addr, err)
	}
	return l, nil
}

// tryGossip reports whether the gossip port can be used.
func tryGossip(addr netip.AddrPort) error {
	l, err := net.Listen("tcp", addr.String())
	if err != nil {
		return explainListen("gossip port", "tcp", addr, err)
	}
	p, err := net.ListenPacket("udp", addr.String())
	if err != nil {
		return errors.Join(explainListen("gossip port", "udp", addr, err), l.Close())
	}
	return errors.Join(l.Close(), p.Close())
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

func newPort(l net.Listener, c *tls.Config, name net.Addr, s *strangers, log hclog.Logger) *port {
	p := &port{
		l: l, tls: c, strangers: s, log: log,
		raft: newQueue(name), http: newQueue(l.Addr()),
	}
	p.life, p.end = context.WithCancel(context.Background())
	return p
}

// run accepts connections until the listener is closed.
func (p *port) run() error {
	var hands sync.WaitGroup
	defer hands.Wait()
	for {
		raw, err := p.l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil { // out of file descriptors, mostly: it passes
			p.log.Error("accept on the cluster port", "err", err)
			time.Sleep(50 * time.Millisecond)
			continue
		}
		leave, ok := p.strangers.enter(raw.RemoteAddr())
		if !ok {
			abort(raw)
			continue
		}
		hands.Go(func() { p.shakeHands(raw, leave) })
	}
}

// shakeHands finds out who has come and what for. Raft is for members only. Who is none keeps its place as a stranger
// until its connection is closed.
func (p *port) shakeHands(raw net.Conn, leave func()) {
	ctx, cancel := context.WithTimeout(p.life, handshakeLimit)
	defer cancel()
	c := &conn{Conn: tls.Server(raw, p.tls)}
	if err := c.HandshakeContext(ctx); err != nil {
		p.strangers.refuse(noHandshake, raw.RemoteAddr())
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
	if c.ConnectionState().NegotiatedProtocol == alpnRaft {
		if err != nil {
			if p.strangers.refuse(noRaft, raw.RemoteAddr()) {
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
	if !to.put(c) {
		_ = c.Close() // we are closing
	}
}

// drop closes the connections that may no longer be here.
func (p *port) drop(stay func(*conn) bool) {
	for _, c := range p.conns.all() {
		if !stay(c) {
			_ = c.Close() // nothing is left to say to it
		}
	}
}

// close ends the port and all that came through it.
func (p *port) close() error {
	err := p.l.Close()
	p.end()
	p.raft.Close()
	p.http.Close()
	p.drop(func(*conn) bool { return false })
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// queue is a [net.Listener] of connections that another listener accepted.
type queue struct {
	addr  net.Addr
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func newQueue(addr net.Addr) *queue {
	return &queue{addr: addr, conns: make(chan net.Conn), done: make(chan struct{})}
}

func (q *queue) put(c net.Conn) bool {
	select {
	case q.conns <- c:
		return true
	case <-q.done:
		return false
	}
}

// Accept implements [net.Listener].
func (q *queue) Accept() (net.Conn, error) {
	select {
	case c := <-q.conns:
		return c, nil
	case <-q.done:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (q *queue) Close() error {
	q.once.Do(func() { close(q.done) })
	return nil
}

// Addr implements [net.Listener].
func (q *queue) Addr() net.Addr { return q.addr }

// raftAddr is this node's own address as Raft knows it.
type raftAddr string

// Network implements [net.Addr].
func (raftAddr) Network() string { return "quorate" }

// String implements [net.Addr].
func (a raftAddr) String() string { return string(a) }
