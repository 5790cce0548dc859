package port

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
	ALPNRaft = "quorate-raft/1"
	ALPNHTTP = "http/1.1"
)

// A connection that was dialed counts as long as the CA does by which the other side was known: who has a stolen key of
// a CA that was dropped must not stay at the other end of one.

// Dialer makes connections to members.
type Dialer struct {
	creds    *pki.Credentials
	outgoing openConns[*dialed]

	Connect func(ctx context.Context, network, addr string) (net.Conn, error) // tests: a network that can be cut
}

// NewDialer returns a dialer by a node's credentials.
func NewDialer(c *pki.Credentials) *Dialer {
	return &Dialer{creds: c, Connect: PlainDialer().DialContext}
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

// HangUp closes the connections to whom nothing vouches any more.
func (d *Dialer) HangUp() {
	for _, c := range d.outgoing.all() {
		if !d.creds.Counts(c.ConnectionState()) {
			d.outgoing.forget(c)
			_ = c.NetConn().Close() // nothing is left to say to it
		}
	}
}

// DialError means that nothing was sent: to ask again is safe.
type DialError struct {
	addr netip.AddrPort
	err  error
}

// Error implements error.
func (e *DialError) Error() string { return fmt.Sprintf("connect to %s: %v", e.addr, e.err) }

// Unwrap returns why it is so.
func (e *DialError) Unwrap() error { return e.err }

// Dial connects to a member, by its ID, for a protocol, and proves both sides to each other. The connection is closed when
// the CA counts no more that the member was known by. An error is a [DialError].
func (d *Dialer) Dial(ctx context.Context, addr netip.AddrPort, id, alpn string) (net.Conn, error) {
	c, err := d.dial(ctx, addr, id, alpn)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (d *Dialer) dial(ctx context.Context, addr netip.AddrPort, id, alpn string) (*dialed, error) {
	conn, err := d.connect(ctx, addr, id, alpn, false)
	if err != nil {
		return nil, err
	}
	c := &dialed{conn, &d.outgoing}
	d.outgoing.remember(c)
	if !d.creds.Counts(c.ConnectionState()) { // no more, since a moment ago
		return nil, errors.Join(&DialError{addr, pki.ErrFormerCA}, c.Close())
	}
	return c, nil
}

// DialEpoch is [Dialer.Dial] for one call, by which the cluster's epoch is told: of a member of a former CA, too.
func (d *Dialer) DialEpoch(ctx context.Context, addr netip.AddrPort, id string) (*tls.Conn, error) {
	return d.connect(ctx, addr, id, ALPNHTTP, true)
}

func (d *Dialer) connect(ctx context.Context, addr netip.AddrPort, id, alpn string, epoch bool) (*tls.Conn, error) {
	raw, err := d.Connect(ctx, "tcp", addr.String())
	if err != nil {
		return nil, &DialError{addr, err}
	}
	conn := tls.Client(raw, d.creds.Client(id, alpn, epoch))
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close() // the handshake's error says more
		return nil, &DialError{addr, pki.ExplainTLS(err)}
	}
	return conn, nil
}

// Limits on connections. A peer that acknowledges nothing for DeadAfter is gone; without that the
// kernel would try for a quarter of an hour, and a healed path would stay unused meanwhile.
const (
	DialLimit = 3 * time.Second
	DeadAfter = 5 * time.Second
)

// PlainDialer returns how a host is dialed whose certificate is another's matter.
func PlainDialer() *net.Dialer {
	return &net.Dialer{Timeout: DialLimit, KeepAliveConfig: keepAlive, Control: control}
}

var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 2 * time.Second, Interval: time.Second, Count: 3}

// control sets what the standard library has no name for.
func control(_, _ string, c syscall.RawConn) error { return userTimeout(c, DeadAfter) }

// userTimeout has the kernel end a connection whose bytes are not acknowledged for so long.
func userTimeout(c syscall.RawConn, d time.Duration) error {
	var err error
	outer := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(d/time.Millisecond))
	})
	return errors.Join(outer, err)
}
