package cluster

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
	"strconv"
	"time"

	"github.com/google/uuid"
)

// Lifetimes of certificates. They begin a little early, for clocks that are a little late.
const (
	caLifetime     = 10 * 365 * 24 * time.Hour
	memberLifetime = 365 * 24 * time.Hour
	clockTolerance = 5 * time.Minute
)

// peerIdentity is what a certificate says of its member. Admitted lets a director that is behind
// tell a member that it has not heard of yet from one that was removed.
type peerIdentity struct {
	ClusterID string
	Name      string
	ID        string
	Admitted  uint64
}

// hostname is the name under which a member's certificate is checked. It is no DNS name.
func hostname(id string) string { return id + ".director.quorate" }

func (p peerIdentity) uri() *url.URL {
	return &url.URL{Scheme: "quorate", Host: p.ClusterID, Path: "/" + p.ID + "/" + p.Name, RawQuery: "admitted=" + strconv.FormatUint(p.Admitted, 10)}
}

// identityOf reads a member's identity from its certificate, whose signature the caller has checked.
func identityOf(cert *x509.Certificate) (peerIdentity, error) {
	for _, u := range cert.URIs {
		if u.Scheme != "quorate" || len(u.Path) < 38 {
			continue
		}
		admitted, err := strconv.ParseUint(u.Query().Get("admitted"), 10, 64)
		if err != nil {
			return peerIdentity{}, fmt.Errorf("certificate of %q: %w", cert.Subject.CommonName, err)
		}
		p := peerIdentity{ClusterID: u.Host, ID: u.Path[1:37], Name: u.Path[38:], Admitted: admitted}
		if p.Name != cert.Subject.CommonName {
			break
		}
		return p, nil
	}
	return peerIdentity{}, fmt.Errorf("certificate of %q is not a member's", cert.Subject.CommonName)
}

// newKey returns a private key, and it in PEM.
func newKey() (*ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("generate key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("encode key: %w", err)
	}
	return key, encodePEM("PRIVATE KEY", der), nil
}

// newCA returns a certificate authority for a cluster: certificate and key, in PEM.
func newCA(clusterID string, now time.Time) (cert, key []byte, err error) {
	priv, key, err := newKey()
	if err != nil {
		return nil, nil, err
	}
	tmpl := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "quorate cluster " + clusterID},
		SerialNumber:          serial(),
		NotBefore:             now.Add(-clockTolerance),
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
	return encodePEM("CERTIFICATE", der), key, nil
}

// signMember returns a member's certificate in PEM. It is good no longer than the CA's own.
func signMember(caCert, caKey []byte, pub crypto.PublicKey, p peerIdentity, from, until time.Time) ([]byte, error) {
	return signCertificate(caCert, caKey, pub, from, until, &x509.Certificate{
		Subject:     pkix.Name{CommonName: p.Name},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:    []string{hostname(p.ID)},
		URIs:        []*url.URL{p.uri()},
	})
}

// readCA reads the cluster's CA, in PEM.
func readCA(cert, key []byte) (*x509.Certificate, crypto.Signer, error) {
	ca, err := parseCertificate(cert)
	if err != nil {
		return nil, nil, fmt.Errorf("the cluster's CA: %w", err)
	}
	signer, err := parseKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("the cluster's CA: %w", err)
	}
	return ca, signer, nil
}

// signCertificate completes what a certificate says, and returns it in PEM, signed by the CA. It is good no longer than the CA's
// own.
func signCertificate(caCert, caKey []byte, pub crypto.PublicKey, from, until time.Time, says *x509.Certificate) ([]byte, error) {
	ca, key, err := readCA(caCert, caKey)
	if err != nil {
		return nil, err
	}
	if until.After(ca.NotAfter) {
		until = ca.NotAfter
	}
	says.SerialNumber = serial()
	says.NotBefore, says.NotAfter = from.Add(-clockTolerance), until
	says.KeyUsage, says.BasicConstraintsValid = x509.KeyUsageDigitalSignature, true
	der, err := x509.CreateCertificate(rand.Reader, says, ca, pub, key)
	if err != nil {
		return nil, fmt.Errorf("sign certificate of %s: %w", says.Subject.CommonName, err)
	}
	return encodePEM("CERTIFICATE", der), nil
}

// newRequest returns a certificate request for a key. What the certificate will say is the leader's
// to decide; the request proves only who has the key.
func newRequest(name string, key crypto.Signer) ([]byte, error) {
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: name}}, key)
	if err != nil {
		return nil, fmt.Errorf("make certificate request: %w", err)
	}
	return der, nil
}

// parseRequest returns the public key of a certificate request.
func parseRequest(der []byte) (crypto.PublicKey, error) {
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

// keyID returns the ID of the member that has a key. A token that is used up lets its user in again,
// whose answer may have been lost; so an ID must be nobody's but the one's who has the key.
func keyID(pub crypto.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return "", fmt.Errorf("ID of a key: %w", err)
	}
	return uuid.NewHash(sha256.New(), uuid.Nil, der, 8).String(), nil
}

func serial() *big.Int {
	b := make([]byte, 16)
	_, _ = rand.Read(b)
	b[0] &= 0x7f
	return new(big.Int).SetBytes(b)
}

func encodePEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func parseCertificate(text []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("no certificate in PEM")
	}
	return x509.ParseCertificate(block.Bytes)
}

func parseKey(text []byte) (crypto.Signer, error) {
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
