package pki

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/durable"
	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/lineage"
)

// The files of a member's credentials, in its cluster directory.
const (
	CAFile   = "ca.pem"     // the CAs that it trusts
	KeyFile  = "member.key" // its key
	CertFile = "member.pem" // its certificate
)

// Credentials are by what a node proves who it is, and knows the others. All may be called at any time.
type Credentials struct {
	dir   string
	alpn  []string
	trust atomic.Pointer[Trust]
	pair  atomic.Pointer[tls.Certificate] // replaced when the certificate is renewed

	changing  sync.Mutex // held while trust is changed
	onLearned func()     // told when it was by another than the state
}

// Load reads the credentials that are in a directory. They serve the protocols of these names (ALPN); onLearned is called
// when a CA is trusted which the state does not have.
func Load(dir string, alpn []string, onLearned func()) (*Credentials, error) {
	text, err := os.ReadFile(filepath.Join(dir, CAFile))
	if err != nil {
		return nil, fmt.Errorf("read the cluster's CA: %w", err)
	}
	cas, err := ParseCertificates(text)
	if err != nil {
		return nil, fmt.Errorf("read the cluster's CA: %w", err)
	}
	c := &Credentials{dir: dir, alpn: alpn, onLearned: onLearned}
	c.use(makeTrust(cas, nil, nil))
	if err := c.load(); err != nil {
		return nil, err
	}
	return c, signed(c.Leaf(), cas)
}

// signed is an error if a certificate is not as one of these CAs has signed it. One of another CA may be from before a rotation.
func signed(cert *x509.Certificate, cas []*x509.Certificate) error {
	for _, ca := range cas {
		if len(ca.SubjectKeyId) > 0 && bytes.Equal(cert.AuthorityKeyId, ca.SubjectKeyId) {
			if err := cert.CheckSignatureFrom(ca); err != nil {
				return fmt.Errorf("this member's certificate is not as the CA that it names has signed it: %w", err)
			}
		}
	}
	return nil
}

// Trusting returns credentials that are good for no more than to know others by CAs, the first of which signs.
func Trusting(dir string, cas ...*x509.Certificate) *Credentials {
	c := &Credentials{dir: dir}
	c.use(makeTrust(cas, nil, nil))
	return c
}

// load takes the certificate that is on disk. It is called again when that was renewed.
func (c *Credentials) load() error {
	pair, err := tls.LoadX509KeyPair(filepath.Join(c.dir, CertFile), filepath.Join(c.dir, KeyFile))
	if err != nil {
		return fmt.Errorf("load this member's certificate: %w", err)
	}
	c.pair.Store(&pair)
	return nil
}

// Dir returns the directory that they are in.
func (c *Credentials) Dir() string { return c.dir }

// Trust returns whom they trust now.
func (c *Credentials) Trust() *Trust { return c.trust.Load() }

// Pair returns the member's certificate, with its key.
func (c *Credentials) Pair() *tls.Certificate { return c.pair.Load() }

// Leaf returns the member's certificate.
func (c *Credentials) Leaf() *x509.Certificate { return c.pair.Load().Leaf }

// Adopt takes a new certificate into use, in PEM, if it is one for this member: on disk first, then for the connections
// to come.
func (c *Credentials) Adopt(text []byte, member Identity) error {
	cert, err := ParseCertificate(text)
	if err != nil {
		return fmt.Errorf("the new certificate: %w", err)
	}
	p, err := IdentityOf(cert)
	if err != nil {
		return fmt.Errorf("the new certificate: %w", err)
	}
	own, ok := c.Leaf().PublicKey.(*ecdsa.PublicKey)
	if !ok || !own.Equal(cert.PublicKey) || p != member {
		return fmt.Errorf("the new certificate is %s's, for another name, ID or key than this director's", p.Name)
	}
	if _, err := cert.Verify(x509.VerifyOptions{Roots: c.Trust().pool, DNSName: Hostname(member.ID), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		return fmt.Errorf("the new certificate: %w", ExplainTLS(err))
	}
	if err := durable.Write(filepath.Join(c.dir, CertFile), text, 0o600); err != nil {
		return fmt.Errorf("keep the new certificate: %w", err)
	}
	return c.load()
}

// shown is the certificate, and behind it the CAs by which others know it: a joiner holds them against its token, and
// who was away finds in them what follows the CA that it knows.
func (c *Credentials) shown() (*tls.Certificate, error) {
	pair := *c.pair.Load()
	pair.Certificate = append(slices.Clip(pair.Certificate[:1]), c.trust.Load().shown...)
	return &pair, nil
}

// Server is for the cluster port. A client without a certificate gets as far as HTTP and its
// handler, which knows what such a client may ask.
func (c *Credentials) Server() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.trust.Load().server, nil },
	}
}

// serverBy is the same, as long as a trust counts. No session is taken up again: it would be by what counted once.
func (c *Credentials) serverBy(t *Trust) *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		NextProtos:             c.alpn,
		ClientAuth:             tls.VerifyClientCertIfGiven,
		ClientCAs:              t.pool,
		SessionTicketsDisabled: true,
		GetCertificate:         func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.shown() },
	}
}

// Client is for calls to one member: nobody else's certificate will do. Where it is only about the epoch, one of a former CA
// does.
func (c *Credentials) Client(id, alpn string, epoch bool) *tls.Config {
	return &tls.Config{
		MinVersion:           tls.VersionTLS13,
		NextProtos:           []string{alpn},
		ServerName:           Hostname(id),
		InsecureSkipVerify:   true, // VerifyConnection does it, and knows what follows a CA
		VerifyConnection:     func(s tls.ConnectionState) error { return c.verify(id, epoch, s) },
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c.shown() },
	}
}

// Trusts reports whether the CA still counts by which the other side of a connection was known, that came in.
func (c *Credentials) Trusts(s tls.ConnectionState) bool {
	t := c.trust.Load()
	return slices.ContainsFunc(s.VerifiedChains, func(chain []*x509.Certificate) bool { return lineage.Has(t.all, chain[len(chain)-1]) })
}

// Counts reports whether the CA still does that has signed the certificate of who was dialed.
func (c *Credentials) Counts(s tls.ConnectionState) bool {
	return c.trust.Load().SignerOf(s.PeerCertificates[0]) != nil
}

// Follow takes up what a state trusts.
func (c *Credentials) Follow(s fsm.Secrets) error {
	if len(s.CACert) == 0 {
		return nil // the log has not come yet
	}
	c.changing.Lock()
	defer c.changing.Unlock()
	t, err := newTrust(s, c.trust.Load().all)
	if err != nil {
		return err
	}
	c.use(t)
	return nil
}

// use takes a trust into use. The caller holds changing.
func (c *Credentials) use(t *Trust) {
	t.server = c.serverBy(t)
	c.trust.Store(t)
}

// learn trusts CAs that follow those which count.
func (c *Credentials) learn(more []*x509.Certificate) {
	c.changing.Lock()
	old := c.trust.Load()
	if t := old.with(more); t != old {
		c.use(t)
	}
	c.changing.Unlock()
	if c.onLearned != nil {
		c.onLearned()
	}
}

// ErrFormerCA means that a certificate is of a CA that counted once.
var ErrFormerCA = errors.New("its certificate is of a CA that is trusted no more")

// ErrAnother means that another one of this cluster answers than who was asked: it has joined since, or moved.
var ErrAnother = errors.New("another one of this cluster answers there")

// verify holds the certificate of a member that was dialed against the CAs that count and, if it is of none of these,
// against those that follow them; where only the epoch is told, which is signed, against
// those that once counted, too: who was left behind by a recovery may have nothing newer.
func (c *Credentials) verify(id string, epoch bool, s tls.ConnectionState) error {
	t, leaf := c.trust.Load(), s.PeerCertificates[0]
	if err := leaf.VerifyHostname(Hostname(id)); err != nil { // who is somebody else is that whatever its clock says
		if lineage.Signer(slices.Concat(t.all, t.former, lineage.Following(t.all, s.PeerCertificates[1:])), leaf) != nil {
			return fmt.Errorf("%w: %w", ErrAnother, err)
		}
		return err
	}
	opts := x509.VerifyOptions{Roots: t.pool, DNSName: Hostname(id)}
	_, err := leaf.Verify(opts)
	var unknown x509.UnknownAuthorityError
	if err == nil || !errors.As(err, &unknown) {
		return err
	}
	ca := lineage.Signer(t.former, leaf)
	if epoch && ca != nil {
		opts.Roots = poolOf(ca)
		_, err := leaf.Verify(opts)
		return err
	}
	more := lineage.Following(t.all, s.PeerCertificates[1:])
	if lineage.Signer(more, leaf) == nil {
		if ca != nil {
			return fmt.Errorf("%w: %w", ErrFormerCA, err)
		}
		return err
	}
	opts.Roots = poolOf(more...)
	if _, err := leaf.Verify(opts); err != nil {
		return err
	}
	c.learn(more)
	return nil
}

// Keep writes what is trusted to disk, if that is not there.
func (c *Credentials) Keep() error {
	path, text := filepath.Join(c.dir, CAFile), c.trust.Load().Text()
	if there, err := os.ReadFile(path); err == nil && bytes.Equal(there, text) {
		return nil
	}
	return durable.Write(path, text, 0o600)
}

// ExplainTLS adds what to look at to errors of a handshake.
func ExplainTLS(err error) error {
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) && invalid.Reason == x509.Expired {
		return fmt.Errorf("%w: certificate good from %s to %s, this host's clock says %s; is a clock wrong?", err,
			invalid.Cert.NotBefore.UTC().Format(time.RFC3339), invalid.Cert.NotAfter.UTC().Format(time.RFC3339), time.Now().UTC().Format(time.RFC3339))
	}
	return err
}
