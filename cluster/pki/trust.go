package pki

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/lineage"
)

// The CAs by which a node knows the others are those that its state trusts. A node whose state is old, since it was
// away while the CA was rotated, knows none of the others any more: they all show certificates of a CA that came later.
// So they show beside them the links from each former CA to its successor ([fsm.Link]), and a node that dials learns by
// these whom its own CA has named. The links stay for good: by them also who comes back too late learns why it is refused.

// Trust is what a node goes by at a time. It never changes.
type Trust struct {
	present *x509.Certificate   // signs
	all     []*x509.Certificate // those that count, present included
	learned []*x509.Certificate // of these, those that the state does not have
	former  []*x509.Certificate // that count no more
	pool    *x509.CertPool
	shown   [][]byte // what is shown behind the own certificate
	server  *tls.Config
}

// ParseCertificates reads one certificate after another of a PEM text. There is one at least.
func ParseCertificates(text []byte) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		out, text = append(out, cert), rest
	}
	if len(out) == 0 {
		return nil, errors.New("no certificate in PEM")
	}
	return out, nil
}

// TrustedIn returns the CAs that a state trusts, in PEM, the present one first.
func TrustedIn(s fsm.Secrets) []byte {
	text := slices.Concat(s.CACert, s.CAFormer)
	if s.CANext != nil {
		text = append(text, s.CANext.Cert...)
	}
	return text
}

// newTrust makes a trust of what a state has, and of CAs that it may not know yet.
func newTrust(s fsm.Secrets, learned []*x509.Certificate) (*Trust, error) {
	all, err := ParseCertificates(TrustedIn(s))
	if err != nil {
		return nil, fmt.Errorf("the cluster's CA: %w", err)
	}
	var past, former, links []*x509.Certificate
	for _, l := range s.CALinks {
		cs, err := ParseCertificates(slices.Concat(l.Of, l.Cert))
		if err != nil {
			return nil, fmt.Errorf("the link to a CA: %w", err)
		}
		past, former, links = append(past, cs...), append(former, cs[0]), append(links, cs[1:]...)
	}
	past = append(past, all...)
	learned = slices.DeleteFunc(slices.Clone(learned), func(c *x509.Certificate) bool { return lineage.Has(past, c) }) // the state has gone on
	t := makeTrust(all, links, learned)
	t.former = former
	return t, nil
}

func makeTrust(all, links, learned []*x509.Certificate) *Trust {
	t := &Trust{present: all[0], all: slices.Concat(all, learned), learned: learned}
	t.pool = poolOf(t.all...)
	for _, c := range slices.Concat(all, links) {
		t.shown = append(t.shown, c.Raw)
	}
	return t
}

// with returns a trust in CAs too that were learned of, or the same one if it has them all.
func (t *Trust) with(more []*x509.Certificate) *Trust {
	next := *t
	for _, cert := range more {
		if !lineage.Has(next.all, cert) {
			next.all, next.learned = append(slices.Clip(next.all), cert), append(slices.Clip(next.learned), cert)
		}
	}
	if len(next.all) == len(t.all) {
		return t
	}
	next.pool = poolOf(next.all...)
	return &next
}

// poolOf is a pool of these CAs alone.
func poolOf(cas ...*x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, ca := range cas {
		pool.AddCert(ca)
	}
	return pool
}

// Present returns the CA that signs.
func (t *Trust) Present() *x509.Certificate { return t.present }

// Text returns all that is trusted, in PEM, the present CA first.
func (t *Trust) Text() []byte {
	var b []byte
	for _, c := range t.all {
		b = append(b, EncodePEM("CERTIFICATE", c.Raw)...)
	}
	return b
}

// IDs returns the IDs of all that is trusted, the present CA's first.
func (t *Trust) IDs() []string {
	var ids []string
	for _, c := range t.all {
		ids = append(ids, AuthorityID(c))
	}
	return ids
}

// SignerOf returns the trusted CA that has signed a certificate, or nil.
func (t *Trust) SignerOf(cert *x509.Certificate) *x509.Certificate {
	return lineage.Signer(t.all, cert)
}

// Outlived reports whether CAs were learned of that the state does not have, and none of them has signed a certificate:
// who shows it was away for longer than its CA was trusted.
func (t *Trust) Outlived(cert *x509.Certificate) bool {
	return len(t.learned) > 0 && lineage.Signer(t.learned, cert) == nil
}

// Names reports whether one of the CAs that count is the one that a token is by.
func (t *Trust) Names(of Token) bool { return slices.ContainsFunc(t.all, of.names) }

// Signed reports whether a CA that counts has signed a text, see [SignText].
func (t *Trust) Signed(text, signature []byte) bool {
	sum := sha256.Sum256(text)
	return slices.ContainsFunc(t.all, func(ca *x509.Certificate) bool {
		key, ok := ca.PublicKey.(*ecdsa.PublicKey)
		return ok && ecdsa.VerifyASN1(key, sum[:], signature)
	})
}

// AuthorityID returns by what the state and people name a CA.
func AuthorityID(ca *x509.Certificate) string {
	return fsm.KeyID(EncodePEM("CERTIFICATE", ca.Raw))
}
