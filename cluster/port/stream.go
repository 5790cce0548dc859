package port

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"github.com/quorate/quorate/cluster/pki"
)

// streamProtocol is what a connection is made into by an HTTP upgrade (RFC 9110, section 7.8).
const streamProtocol = "quorate-stream"

// Stream opens a stream to a member, by its ID: a connection that is its own, proves both sides to each other, and is handed
// to what is served there at path, see [TakeStream]. It is the caller's to close, and the deadline of ctx ends with the
// opening. It is given up when its bytes are not acknowledged for as long as dead.
func (d *Dialer) Stream(ctx context.Context, addr netip.AddrPort, id, path string, dead time.Duration) (net.Conn, error) {
	conn, err := d.dial(ctx, addr, id, ALPNHTTP)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) }) // an upgrade that hangs
	if err = upgrade(conn.Conn, pki.Hostname(id), path); err == nil {
		err = giveUpAfter(conn.Conn, dead)
	}
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// NoStreamError means that the other side answers, and opens no stream.
type NoStreamError struct{ status string }

// Error implements error.
func (e *NoStreamError) Error() string { return "it answers " + e.status }

// upgrade makes a connection that speaks HTTP into a stream.
func upgrade(conn *tls.Conn, host, path string) error {
	req, err := http.NewRequest(http.MethodPost, "https://"+host+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", streamProtocol)
	if err := req.Write(conn); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return &NoStreamError{resp.Status}
	}
	return nil
}

// giveUpAfter has the kernel end a connection whose bytes are not acknowledged for so long.
func giveUpAfter(conn *tls.Conn, d time.Duration) error {
	socket, ok := conn.NetConn().(syscall.Conn)
	if !ok {
		return fmt.Errorf("%T is no socket", conn.NetConn())
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	return userTimeout(raw, d)
}

// TakeStream makes a request for a stream into one, for a handler. The stream ends when the port does, or when the
// membership of who has opened it ends.
func TakeStream(w http.ResponseWriter, r *http.Request) (net.Conn, error) {
	if r.Header.Get("Upgrade") != streamProtocol {
		http.Error(w, "not a request for a stream", http.StatusUpgradeRequired)
		return nil, errors.New("not a request for a stream")
	}
	taken, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, fmt.Errorf("take a stream over: %w", err)
	}
	if c, ok := taken.(*Conn); ok {
		c.stream.Store(true)
	}
	_ = taken.SetWriteDeadline(time.Now().Add(HandshakeLimit)) // fails if writing does
	_, err = taken.Write([]byte("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + streamProtocol + "\r\n\r\n"))
	if err == nil && buffered.Reader.Buffered() > 0 {
		err = errors.New("bytes came before the answer")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("take a stream over: %w", err), taken.Close())
	}
	return taken, taken.SetWriteDeadline(time.Time{})
}
