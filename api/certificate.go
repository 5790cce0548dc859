package api

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/quorate/quorate/lineage"
)

// CertificateRequest asks for a certificate by which its holder is known on the cluster port. The key is the
// holder's and goes nowhere.
type CertificateRequest struct {
	Name     string        `json:"name"` // of the holder, for people
	Role     string        `json:"role"` // admin, operator or viewer
	Lifetime time.Duration `json:"lifetime"`
	CSR      []byte        `json:"csr"` // PKCS #10, DER
}

// Certificate is what was signed.
type Certificate struct {
	ID          string    `json:"id"` // that list shows and revoke takes
	Certificate []byte    `json:"certificate"`
	CA          []byte    `json:"ca"` // the cluster's; both in PEM
	Expires     time.Time `json:"expires"`
}

// CreateCertificate implements [Agent].
func (c *Client) CreateCertificate(ctx context.Context, r CertificateRequest) (cert Certificate, err error) {
	return cert, c.call(ctx, http.MethodPost, "/v1/certificates", r, &cert)
}

// NewKey returns a private key in PEM, and a request for a certificate of it.
func NewKey() (key, csr []byte, err error) {
	priv, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("generate key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(priv)
	if err != nil {
		return nil, nil, fmt.Errorf("encode key: %w", err)
	}
	csr, err = x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "quorate"}}, priv)
	if err != nil {
		return nil, nil, fmt.Errorf("make certificate request: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), csr, nil
}

// Bundle puts a key and what was signed for it into one file's text: what [NewRemoteClient] takes.
func (c Certificate) Bundle(key []byte) []byte {
	return bytes.Join([][]byte{key, c.Certificate, c.CA}, nil)
}

// errBundle means that a file does not hold what a client needs to prove who it is.
var errBundle = errors.New("it has to hold a key, a certificate for it and the cluster's CA, as `quorate cert create` prints them")

// readBundle takes a bundle's text apart.
func readBundle(text []byte) (tls.Certificate, *x509.Certificate, error) {
	pair, err := tls.X509KeyPair(text, text)
	if err != nil {
		return pair, nil, fmt.Errorf("%w: %w", errBundle, err)
	}
	if len(pair.Certificate) != 2 {
		return pair, nil, errBundle
	}
	ca, err := x509.ParseCertificate(pair.Certificate[1])
	if err != nil || !ca.IsCA {
		return pair, nil, errors.Join(errBundle, err)
	}
	pair.Certificate = pair.Certificate[:1] // the other side has the CA
	return pair, ca, nil
}

// NewRemoteClient returns a client of the agent at a cluster port, which knows the caller by the certificate in a bundle.
// The client speaks to directors of that certificate's cluster only.
func NewRemoteClient(address string, bundle []byte) (*Client, error) {
	pair, ca, err := readBundle(bundle)
	if err != nil {
		return nil, err
	}
	if now := time.Now(); now.After(pair.Leaf.NotAfter) {
		return nil, fmt.Errorf("the certificate ended on %s: make another with `quorate cert create`", pair.Leaf.NotAfter.Local().Format(time.DateOnly))
	}
	config := &tls.Config{
		MinVersion: tls.VersionTLS13,
		NextProtos: []string{"http/1.1"},
		// The certificate is shown whichever CAs the other side names: if its own was dropped by a rotation, the answer says so.
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil },
		// The caller knows the address of a director, not its name: that it is a director at all is in its certificate.
		InsecureSkipVerify: true,
		VerifyConnection:   func(s tls.ConnectionState) error { return isDirector(s, ca) },
	}
	dialer := &tls.Dialer{Config: config}
	tr := &http.Transport{DialTLSContext: dialer.DialContext, DisableKeepAlives: true}
	return &Client{ca: ca, at: address, base: "https://" + address, http: &http.Client{Transport: tr}, patience: patience{readLimit, waitNotice}}, nil
}

// isDirector returns an error unless the other side is a director of the cluster of a CA: only those may serve.
func isDirector(s tls.ConnectionState, ca *x509.Certificate) error {
	if len(s.PeerCertificates) == 0 {
		return errors.New("it shows no certificate")
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	for _, follows := range lineage.Following([]*x509.Certificate{ca}, s.PeerCertificates[1:]) { // it may have been rotated since the bundle was made
		roots.AddCert(follows)
	}
	_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	if err != nil {
		return fmt.Errorf("it is no director of the cluster that the certificate is of: %w", err)
	}
	return nil
}
