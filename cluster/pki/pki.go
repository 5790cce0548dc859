// Package pki is the certificates of a cluster: its CA, what that signs, by what a member proves who it is, and whom it
// trusts while the CA is replaced by another. It has too how far it is with the replacement of any key of the cluster's own, the
// gossip key's among them: all go the same steps.
//
// It promises that nobody is trusted but who has a certificate of a CA that the cluster's state names, or of one that
// follows such a CA by its own word; that a token opens the cluster that made it, and no other; and that what a person
// brings as a CA can do what the cluster's own can, or is refused. It talks to nobody, and writes no files but those of the
// member's credentials.
//
// Reading order: pki.go for what is signed, identity.go for what it says, trust.go and credentials.go for who is believed,
// authority.go for how a CA is replaced, rotation.go for how any key is.
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"time"
)

// Lifetimes of certificates. They begin a little early, for clocks that are a little late.
const (
	caLifetime     = 10 * 365 * 24 * time.Hour
	MemberLifetime = 365 * 24 * time.Hour // of a member's certificate, where nothing else is said
	ClockTolerance = 5 * time.Minute      // by how much two hosts' clocks may differ
)

// NewKey returns a private key, and it in PEM.
func NewKey() (*ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("generate key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("encode key: %w", err)
	}
	return key, EncodePEM("PRIVATE KEY", der), nil
}

// NewCA returns a certificate authority for a cluster: certificate and key, in PEM.
func NewCA(clusterID string, now time.Time) (cert, key []byte, err error) {
	priv, key, err := NewKey()
	if err != nil {
		return nil, nil, err
	}
	tmpl := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "quorate cluster " + clusterID},
		SerialNumber:          serial(),
		NotBefore:             now.Add(-ClockTolerance),
		NotAfter:              now.Add(caLifetime),
		KeyUsage:              x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, priv.Public(), priv)
	if err != nil {
		return nil, nil, fmt.Errorf("sign CA: %w", err)
	}
	return EncodePEM("CERTIFICATE", der), key, nil
}

// SignMember returns a member's certificate in PEM. It is good no longer than the CA's own.
func SignMember(caCert, caKey []byte, pub crypto.PublicKey, p Identity, from, until time.Time) ([]byte, error) {
	return Sign(caCert, caKey, pub, from, until, &x509.Certificate{
		Subject:     pkix.Name{CommonName: p.Name},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:    []string{Hostname(p.ID)},
		URIs:        []*url.URL{p.uri()},
	})
}

// readCA reads the cluster's CA, in PEM.
func readCA(cert, key []byte) (*x509.Certificate, crypto.Signer, error) {
	ca, err := ParseCertificate(cert)
	if err != nil {
		return nil, nil, fmt.Errorf("the cluster's CA: %w", err)
	}
	signer, err := ParseKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("the cluster's CA: %w", err)
	}
	return ca, signer, nil
}

// Sign completes what a certificate says, and returns it in PEM, signed by the CA. It is good no longer than the CA's
// own.
func Sign(caCert, caKey []byte, pub crypto.PublicKey, from, until time.Time, says *x509.Certificate) ([]byte, error) {
	ca, key, err := readCA(caCert, caKey)
	if err != nil {
		return nil, err
	}
	if until.After(ca.NotAfter) {
		until = ca.NotAfter
	}
	says.SerialNumber = serial()
	says.NotBefore, says.NotAfter = from.Add(-ClockTolerance), until
	says.KeyUsage, says.BasicConstraintsValid = x509.KeyUsageDigitalSignature, true
	der, err := x509.CreateCertificate(rand.Reader, says, ca, pub, key)
	if err != nil {
		return nil, fmt.Errorf("sign certificate of %s: %w", says.Subject.CommonName, err)
	}
	return EncodePEM("CERTIFICATE", der), nil
}

// NewRequest returns a certificate request for a key. What the certificate will say is the leader's
// to decide; the request proves only who has the key.
func NewRequest(name string, key crypto.Signer) ([]byte, error) {
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: name}}, key)
	if err != nil {
		return nil, fmt.Errorf("make certificate request: %w", err)
	}
	return der, nil
}

// ParseRequest returns the public key of a certificate request.
func ParseRequest(der []byte) (crypto.PublicKey, error) {
	req, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, fmt.Errorf("certificate request: %w", err)
	}
	if err := req.CheckSignature(); err != nil {
		return nil, fmt.Errorf("certificate request: %w", err)
	}
	if pub, ok := req.PublicKey.(*ecdsa.PublicKey); !ok || pub.Curve != elliptic.P256() {
		return nil, errors.New("certificate request: its key is not ECDSA P-256")
	}
	return req.PublicKey, nil
}

func serial() *big.Int {
	b := make([]byte, 16)
	_, _ = rand.Read(b)
	b[0] &= 0x7f
	return new(big.Int).SetBytes(b)
}

// EncodePEM returns DER as PEM of a kind.
func EncodePEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// ParseCertificate reads the first certificate of a PEM text.
func ParseCertificate(text []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("no certificate in PEM")
	}
	return x509.ParseCertificate(block.Bytes)
}

// ParseKey reads a private key in PEM, as [NewKey] writes it.
func ParseKey(text []byte) (crypto.Signer, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("no key in PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("parse key: %w", err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("the key cannot sign")
	}
	return signer, nil
}

// SignText has a CA, whose key is in PEM, say that a text is the cluster's, see [Trust.Signed].
func SignText(text, caKey []byte) ([]byte, error) {
	key, err := ParseKey(caKey)
	if err != nil {
		return nil, fmt.Errorf("the cluster's CA: %w", err)
	}
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errors.New("the cluster's CA: its key is not ECDSA")
	}
	sum := sha256.Sum256(text)
	return ecdsa.SignASN1(rand.Reader, ec, sum[:])
}
