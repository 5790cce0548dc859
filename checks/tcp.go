package checks

import (
	"context"
	"net"
	"net/netip"
	"time"
)

// conn is a connection that obeys one context whole: every read and write ends by the context's
// deadline, or when it is cancelled. It closes with a reset, so that thousands of probes a minute
// leave no sockets in TIME_WAIT on the director.
type conn struct {
	*net.TCPConn
	stop func() bool
}

// dial connects to target.
func dial(ctx context.Context, target netip.AddrPort) (conn, error) {
	d := net.Dialer{KeepAlive: -1}
	c, err := d.DialContext(ctx, "tcp", target.String())
	if err != nil {
		return conn{}, await("answer", err)
	}
	tcp := c.(*net.TCPConn) // the dialer's promise for "tcp"
	tcp.SetLinger(0)
	if deadline, ok := ctx.Deadline(); ok {
		tcp.SetDeadline(deadline)
	}
	stop := context.AfterFunc(ctx, func() { tcp.SetDeadline(time.Unix(1, 0)) })
	return conn{TCPConn: tcp, stop: stop}, nil
}

// Close closes the connection at once.
func (c conn) Close() error {
	c.stop()
	return c.TCPConn.Close()
}

// tcpAttempt passes when a connection can be opened.
func tcpAttempt(target netip.AddrPort) attempt {
	return func(ctx context.Context) error {
		c, err := dial(ctx, target)
		if err != nil {
			return err
		}
		return c.Close()
	}
}
