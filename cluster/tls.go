package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The protocols on the cluster port, as TLS names them (ALPN). HTTP is 1.1: each call has a
// connection to itself, and none waits behind another's bulk.
const (
	alpnRaft = "quorate-raft/1"
	alpnHTTP = "http/1.1"
)

// credentials are by what a node proves who it is, and knows the others.
type credentials struct {
	dir  string
	ca   *x509.Certificate
	pool *x509.CertPool
	pair atomic.Pointer[tls.Certificate] // replaced when the certificate is renewed

	connect func(ctx context.Context, network, addr string) (net.Conn, error) // tests: a network that can be cut
}

func loadCredentials(dir string) (*credentials, error) {
	text, err := os.ReadFile(filepath.Join(dir, caFile))
	if err != nil {
		return nil, fmt.Errorf("read the cluster's CA: %w", err)
	}
	ca, err := parseCertificate(text)
	if err != nil {
		return nil, fmt.Errorf("read the cluster's CA: %w", err)
	}
	c := &credentials{dir: dir, ca: ca, pool: x509.NewCertPool(), connect: dialer().DialContext}
	c.pool.AddCert(ca)
	return c, c.load()
}

// load takes the certificate that is on disk. It is called again when that was renewed.
func (c *credentials) load() error {
	pair, err := tls.LoadX509KeyPair(filepath.Join(c.dir, certFile), filepath.Join(c.dir, keyFile))
	if err != nil {
		return fmt.Errorf("load this member's certificate: %w", err)
	}
	pair.Certificate = append(pair.Certificate, c.ca.Raw) // a joiner holds it against its token
	c.pair.Store(&pair)
	return nil
}

// server is for the cluster port. A client without a certificate gets as far as HTTP and its
// handler, which knows what such a client may ask.
func (c *credentials) server() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS13,
		NextProtos:     []string{alpnRaft, alpnHTTP},
		ClientAuth:     tls.VerifyClientCertIfGiven,
		ClientCAs:      c.pool,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.pair.Load(), nil },
	}
}

// client is for calls to one member: nobody else's certificate will do.
func (c *credentials) client(id, alpn string) *tls.Config {
	return &tls.Config{
		MinVersion:           tls.VersionTLS13,
		NextProtos:           []string{alpn},
		RootCAs:              c.pool,
		ServerName:           hostname(id),
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c.pair.Load(), nil },
	}
}

// dialError means that nothing was sent: to ask again is safe.
type dialError struct {
	addr netip.AddrPort
	err  error
}

func (e *dialError) Error() string { return fmt.Sprintf("connect to %s: %v", e.addr, e.err) }

func (e *dialError) Unwrap() error { return e.err }

// dial connects to a member and proves both sides to each other.
func (c *credentials) dial(ctx context.Context, addr netip.AddrPort, id, alpn string) (*tls.Conn, error) {
	raw, err := c.connect(ctx, "tcp", addr.String())
	if err != nil {
		return nil, &dialError{addr, err}
	}
	conn := tls.Client(raw, c.client(id, alpn))
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close() // the handshake's error says more
		return nil, &dialError{addr, explainTLS(err)}
	}
	return conn, nil
}

// Limits on connections. A peer that acknowledges nothing for deadAfter is gone; without that the
// kernel would try for a quarter of an hour, and a healed path would stay unused meanwhile.
const (
	dialLimit = 3 * time.Second
	deadAfter = 5 * time.Second
)

func dialer() *net.Dialer {
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

// explainTLS adds what to look at to errors of a handshake.
func explainTLS(err error) error {
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) && invalid.Reason == x509.Expired {
		return fmt.Errorf("%w: certificate good from %s to %s, this host's clock says %s; is a clock wrong?", err,
			invalid.Cert.NotBefore.UTC().Format(time.RFC3339), invalid.Cert.NotAfter.UTC().Format(time.RFC3339), time.Now().UTC().Format(time.RFC3339))
	}
	return err
}
