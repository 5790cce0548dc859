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
	"slices"
	"sync"
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
	dir   string
	trust atomic.Pointer[trust]
	pair  atomic.Pointer[tls.Certificate] // replaced when the certificate is renewed

	changing  sync.Mutex // held while trust is changed
	onLearned func()     // told when it was by another than the state
	outgoing  openConns[*dialed]

	connect func(ctx context.Context, network, addr string) (net.Conn, error) // tests: a network that can be cut
}

func loadCredentials(dir string) (*credentials, error) {
	text, err := os.ReadFile(filepath.Join(dir, caFile))
	if err != nil {
		return nil, fmt.Errorf("read the cluster's CA: %w", err)
	}
	cas, err := certificates(text)
	if err != nil {
		return nil, fmt.Errorf("read the cluster's CA: %w", err)
	}
	c := &credentials{dir: dir, connect: dialer().DialContext}
	c.use(makeTrust(cas, nil, nil))
	return c, c.load()
}

// load takes the certificate that is on disk. It is called again when that was renewed.
func (c *credentials) load() error {
	pair, err := tls.LoadX509KeyPair(filepath.Join(c.dir, certFile), filepath.Join(c.dir, keyFile))
	if err != nil {
		return fmt.Errorf("load this member's certificate: %w", err)
	}
	c.pair.Store(&pair)
	return nil
}

// shown is the certificate, and behind it the CAs by which others know it: a joiner holds them against its token, and
// who was away finds in them what follows the CA that it knows.
func (c *credentials) shown() (*tls.Certificate, error) {
	pair := *c.pair.Load()
	pair.Certificate = append(slices.Clip(pair.Certificate[:1]), c.trust.Load().shown...)
	return &pair, nil
}

// server is for the cluster port. A client without a certificate gets as far as HTTP and its
// handler, which knows what such a client may ask.
func (c *credentials) server() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.trust.Load().server, nil },
	}
}

// serverBy is the same, as long as a trust counts. No session is taken up again: it would be by what counted once.
func (c *credentials) serverBy(t *trust) *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		NextProtos:             []string{alpnRaft, alpnHTTP},
		ClientAuth:             tls.VerifyClientCertIfGiven,
		ClientCAs:              t.pool,
		SessionTicketsDisabled: true,
		GetCertificate:         func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.shown() },
	}
}

// client is for calls to one member: nobody else's certificate will do. Where it is only about the epoch, one of a former CA
// does.
func (c *credentials) client(id, alpn string, epoch bool) *tls.Config {
	return &tls.Config{
		MinVersion:           tls.VersionTLS13,
		NextProtos:           []string{alpn},
		ServerName:           hostname(id),
		InsecureSkipVerify:   true, // VerifyConnection does it, and knows what follows a CA
		VerifyConnection:     func(s tls.ConnectionState) error { return c.verify(id, epoch, s) },
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c.shown() },
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
func (c *credentials) dial(ctx context.Context, addr netip.AddrPort, id, alpn string) (*dialed, error) {
	conn, err := c.dialFor(ctx, addr, id, alpn, false)
	if err != nil {
		return nil, err
	}
	d := &dialed{conn, &c.outgoing}
	c.outgoing.remember(d)
	if !c.counts(d) { // no more, since a moment ago
		return nil, errors.Join(&dialError{addr, errFormerCA}, d.Close())
	}
	return d, nil
}

var errFormerCA = errors.New("its certificate is of a CA that is trusted no more")

// dialFor is dial for what [credentials.client] is for. It is for one call, and not remembered.
func (c *credentials) dialFor(ctx context.Context, addr netip.AddrPort, id, alpn string, epoch bool) (*tls.Conn, error) {
	raw, err := c.connect(ctx, "tcp", addr.String())
	if err != nil {
		return nil, &dialError{addr, err}
	}
	conn := tls.Client(raw, c.client(id, alpn, epoch))
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
