package cluster

import (
	"context"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/quorate/quorate/cluster/port"
)

// gates is a network that can be cut, as far as one node dials into it. What is on its way while it is cut
// arrives after that, as with a cable that is pulled and put back.
type gates struct {
	mu  sync.Mutex
	cut map[string]bool // addresses that are not reached
}

func (g *gates) set(addresses []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.cut = map[string]bool{}
	for _, a := range addresses {
		g.cut[a] = true
	}
}

func (g *gates) open(addr string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.cut[addr]
}

// connect is how a node's credentials dial.
func (g *gates) connect(ctx context.Context, network, addr string) (net.Conn, error) {
	for !g.open(addr) {
		if pause(ctx, gateTick); ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	c, err := port.PlainDialer().DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &gated{Conn: c, gates: g, addr: addr}, nil
}

const gateTick = 5 * time.Millisecond

// gated is a connection through a gate.
type gated struct {
	net.Conn

	gates       *gates
	addr        string
	closed      atomic.Bool
	read, write atomic.Int64 // deadlines, Unix nanoseconds; 0: none
}

// pass waits until the gate is open.
func (c *gated) pass(deadline *atomic.Int64) error {
	for !c.gates.open(c.addr) {
		if c.closed.Load() {
			return net.ErrClosed
		}
		if at := deadline.Load(); at != 0 && time.Now().UnixNano() > at {
			return os.ErrDeadlineExceeded
		}
		time.Sleep(gateTick)
	}
	return nil
}

// SyscallConn implements [syscall.Conn], for the limits that a connection is given.
func (c *gated) SyscallConn() (syscall.RawConn, error) { return c.Conn.(syscall.Conn).SyscallConn() }

func (c *gated) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil {
		return n, err
	}
	return n, c.pass(&c.read)
}

func (c *gated) Write(b []byte) (int, error) {
	if err := c.pass(&c.write); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

func (c *gated) Close() error {
	c.closed.Store(true)
	return c.Conn.Close()
}

func (c *gated) SetDeadline(t time.Time) error {
	keep(&c.read, t)
	keep(&c.write, t)
	return c.Conn.SetDeadline(t)
}

func (c *gated) SetReadDeadline(t time.Time) error {
	keep(&c.read, t)
	return c.Conn.SetReadDeadline(t)
}

func (c *gated) SetWriteDeadline(t time.Time) error {
	keep(&c.write, t)
	return c.Conn.SetWriteDeadline(t)
}

func keep(to *atomic.Int64, t time.Time) {
	if t.IsZero() {
		to.Store(0)
		return
	}
	to.Store(t.UnixNano())
}
