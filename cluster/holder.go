package cluster

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/quorate/quorate/cluster/pki"
	"github.com/quorate/quorate/fsm"
)

// The holder of a certificate that is no member's may ask what its role allows, on the cluster port, and nothing of
// what members ask each other. Its certificate is good while the cluster has a record of it: that is among the
// tokens, so that it is revoked as these are, and forgotten some time after it has ended.

// holderScheme is of the URI in a holder's certificate.
const holderScheme = "quorate-holder"

// maxHolderLife is how long a holder's certificate may last.
const maxHolderLife = pki.MemberLifetime

// Caller is who makes a request on the cluster port.
type Caller struct {
	Name   string
	Role   fsm.Role
	Member bool
}

type askerKey struct{}

// CallerOf returns who makes a request that [Config.API] serves.
func CallerOf(ctx context.Context) (Caller, bool) {
	c, ok := ctx.Value(askerKey{}).(Caller)
	return c, ok
}

// Holder is a certificate that was made for somebody.
type Holder struct {
	ID          string // that its record has
	Certificate []byte // PEM
	CA          []byte // PEM
	Expires     time.Time
}

// CreateCertificate makes a certificate for whoever has the key of a request, and has it recorded.
func (n *Node) CreateCertificate(ctx context.Context, csr []byte, name string, role fsm.Role, lifetime time.Duration) (Holder, error) {
	switch {
	case !role.Asks():
		return Holder{}, fmt.Errorf("a certificate for the role %q opens nothing: it is %s, %s or %s", role, fsm.RoleAdmin, fsm.RoleOperator, fsm.RoleViewer)
	case !goodName(name):
		return Holder{}, fmt.Errorf("%.70q cannot be a holder's name: letters, digits, dots, dashes and underscores, at most %d", name, maxName)
	case lifetime <= 0 || lifetime > maxHolderLife:
		return Holder{}, fmt.Errorf("a lifetime of %s: it must be more than nothing, and at most %s", inDays(lifetime), inDays(maxHolderLife))
	}
	pub, err := pki.ParseRequest(csr)
	if err != nil {
		return Holder{}, err
	}
	now := time.Now().UTC().Truncate(time.Second)
	id := make([]byte, 6)
	_, _ = rand.Read(id) // never fails
	h := Holder{ID: hex.EncodeToString(id)}
	secrets := n.State().Secrets()
	if h.Certificate, err = signHolder(secrets, pub, name, n.holderURI(h.ID, name, role), now, now.Add(lifetime)); err != nil {
		return Holder{}, err
	}
	cert, err := pki.ParseCertificate(h.Certificate)
	if err != nil {
		return Holder{}, err
	}
	h.CA, h.Expires = secrets.CACert, cert.NotAfter
	record := fsm.Token{Hash: recordOf(cert), Role: role, Expires: cert.NotAfter, UsedBy: name, CA: n.nameCA(secrets)}
	if err := n.Propose(ctx, fsm.AddToken{ID: h.ID, Token: record, Now: now}); err != nil {
		return Holder{}, fmt.Errorf("record the certificate: %w", err)
	}
	return h, nil
}

func (n *Node) holderURI(id, name string, role fsm.Role) *url.URL {
	return &url.URL{Scheme: holderScheme, Host: n.id.ClusterID, Path: "/" + id + "/" + name, RawQuery: "role=" + string(role)}
}

// recordOf is what the cluster keeps of a holder's certificate. It is no hash of a secret: nobody joins by it.
func recordOf(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return "certificate " + hex.EncodeToString(sum[:])
}

// signHolder returns a certificate that is good to ask with and for nothing else.
func signHolder(secrets fsm.Secrets, pub crypto.PublicKey, name string, who *url.URL, from, until time.Time) ([]byte, error) {
	if len(secrets.CAKey) == 0 {
		return nil, errors.New("the CA's key is not in this director's state")
	}
	return pki.Sign(secrets.CACert, secrets.CAKey, pub, from, until, &x509.Certificate{
		Subject:     pkix.Name{CommonName: name},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		URIs:        []*url.URL{who},
	})
}

// caller says who is at the other end of a connection and in which role: a member is an admin, as root is on its
// host.
func (n *Node) caller(c tls.ConnectionState) (Caller, error) {
	if !n.creds.Trusts(c) {
		return Caller{}, errNoCertificate
	}
	cert := c.PeerCertificates[0]
	for _, u := range cert.URIs {
		if u.Scheme == holderScheme {
			return n.holder(cert, u)
		}
	}
	p, err := n.authorize(c)
	return Caller{Name: p.Name, Role: fsm.RoleAdmin, Member: true}, err
}

// holder looks a certificate up in the state, at each request: it may have been revoked, or have ended.
func (n *Node) holder(cert *x509.Certificate, who *url.URL) (Caller, error) {
	id, name, _ := strings.Cut(strings.TrimPrefix(who.Path, "/"), "/")
	record, ok := n.State().Secrets().Tokens[id]
	switch {
	case who.Host != n.id.ClusterID:
		return Caller{}, errNoCertificate
	case !ok || record.Hash != recordOf(cert):
		return Caller{}, fmt.Errorf("%w: the certificate %s of %s was revoked, or %s has not heard of it yet", errNoCertificate, id, name, n.id.Name)
	case time.Now().After(cert.NotAfter): // its connection is older than that
		return Caller{}, fmt.Errorf("%w: the certificate %s of %s ended on %s", errNoCertificate, id, name, cert.NotAfter.UTC().Format(time.RFC3339))
	}
	return Caller{Name: name, Role: record.Role}, nil
}
