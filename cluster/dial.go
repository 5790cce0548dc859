package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/cluster/pki"
)

// The protocols on the cluster port, as TLS names them (ALPN). HTTP is 1.1: each call has a
// connection to itself, and none waits behind another's bulk.
const (
	alpnRaft = "quorate-raft/1"
	alpnHTTP = "http/1.1"
)

// A connection that was dialed counts as long as the CA does by which the other side was known: who has a stolen key of
// a CA that was dropped must not stay at the other end of one.

// dialer makes connections to members.
type dialer struct {
	creds    *pki.Credentials
	outgoing openConns[*dialed]

	connect func(ctx context.Context, network, addr string) (net.Conn, error) // tests: a network that can be cut
}

func newDialer(c *pki.Credentials) *dialer {
	return &dialer{creds: c, connect: plainDialer().DialContext}
}

// dialed is a connection to a member that is remembered until it is closed.
type dialed struct {
	*tls.Conn
	in *openConns[*dialed]
}

// Close implements [net.Conn].
func (d *dialed) Close() error {
	d.in.forget(d)
	return d.Conn.Close()
}

// hangUp closes the connections to whom nothing vouches any more.
func (d *dialer) hangUp() {
	for _, c := range d.outgoing.all() {
		if !d.creds.Counts(c.ConnectionState()) {
			d.outgoing.forget(c)
			_ = c.NetConn().Close() // nothing is left to say to it
		}
	}
}

// dialError means that nothing was sent: to ask again is safe.
type dialError struct {
	addr netip.AddrPort
	err  error
}

func (e *dialError) Error() string { return fmt.Sprintf("connect to %s: %v", e.addr, e.err) }

func (e *dialError) Unwrap() error { return e.err }

// dial connects to a member and proves both sides to each other. The connection is closed when the CA counts no more that
// the member was known by.
func (d *dialer) dial(ctx context.Context, addr netip.AddrPort, id, alpn string) (*dialed, error) {
	conn, err := d.dialFor(ctx, addr, id, alpn, false)
	if err != nil {
		return nil, err
	}
	c := &dialed{conn, &d.outgoing}
	d.outgoing.remember(c)
	if !d.creds.Counts(c.ConnectionState()) { // no more, since a moment ago
		return nil, errors.Join(&dialError{addr, errFormerCA}, c.Close())
	}
	return c, nil
}

var errFormerCA = errors.New("its certificate is of a CA that is trusted no more")

// dialFor is dial for what [pki.Credentials.Client] is for. It is for one call, and not remembered.
func (d *dialer) dialFor(ctx context.Context, addr netip.AddrPort, id, alpn string, epoch bool) (*tls.Conn, error) {
	raw, err := d.connect(ctx, "tcp", addr.String())
	if err != nil {
		return nil, &dialError{addr, err}
	}
	conn := tls.Client(raw, d.creds.Client(id, alpn, epoch))
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close() // the handshake's error says more
		return nil, &dialError{addr, pki.ExplainTLS(err)}
	}
	return conn, nil
}

// Limits on connections. A peer that acknowledges nothing for deadAfter is gone; without that the
// kernel would try for a quarter of an hour, and a healed path would stay unused meanwhile.
const (
	dialLimit = 3 * time.Second
	deadAfter = 5 * time.Second
)

func plainDialer() *net.Dialer {
	return &net.Dialer{Timeout: dialLimit, KeepAliveConfig: keepAlive, Control: control}
}

var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 2 * time.Second, Interval: time.Second, Count: 3}

// control sets what the standard library has no name for.
func control(_, _ string, c syscall.RawConn) error {
	var err error
	outer := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(deadAfter/time.Millisecond))
	})
	return errors.Join(outer, err)
}
