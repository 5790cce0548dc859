package lineage

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"testing"
	"time"
)

type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// made returns a CA that vouches for itself.
func made(t *testing.T, name string) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := authority{&x509.Certificate{Subject: pkix.Name{CommonName: name}, PublicKey: key.Public()}, key}
	a.cert = a.vouches(t, a)
	return a
}

// vouches returns a CA's certificate for another.
func (a authority) vouches(t *testing.T, other authority) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: other.cert.Subject, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, BasicConstraintsValid: true, IsCA: true,
	}, a.cert, other.cert.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestOnlySoManyCertificatesAreLookedAt(t *testing.T) {
	t.Parallel()
	all := []authority{made(t, "0")}
	var links []*x509.Certificate
	for i := range 2 * maxShown {
		next := made(t, fmt.Sprint(i+1))
		links = append(links, all[i].vouches(t, next))
		all = append(all, next)
	}
	known := []*x509.Certificate{all[0].cert}
	if got := Following(known, links); len(got) != maxShown || !got[maxShown-1].Equal(links[maxShown-1]) {
		t.Errorf("%d are found, want the first %d", len(got), maxShown)
	}
	if got := Following(known, links[1:]); len(got) != 0 {
		t.Errorf("%d are found without a link to the first", len(got))
	}
	if !Has(known, all[0].vouches(t, all[0])) || Has(known, links[0]) {
		t.Error("a CA is its key")
	}
}

// TestARefusalForTheCAIsKnown holds what a server of the standard library sends against what is looked for.
func TestARefusalForTheCAIsKnown(t *testing.T) {
	t.Parallel()
	known, stranger := made(t, "known"), made(t, "stranger")
	pool := x509.NewCertPool()
	pool.AddCert(known.cert)
	pair := func(a authority) tls.Certificate {
		return tls.Certificate{Certificate: [][]byte{a.cert.Raw}, PrivateKey: a.key}
	}
	calls := func(as authority) error {
		here, there := net.Pipe()
		server := tls.Server(there, &tls.Config{Certificates: []tls.Certificate{pair(known)}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool})
		served := make(chan struct{})
		go func() {
			defer close(served)
			if server.Handshake() == nil {
				_, _ = server.Write([]byte("x"))
			}
			_ = there.Close()
		}()
		defer func() { <-served }()
		defer here.Close()
		shows := func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { // whatever CAs are named
			cert := pair(as)
			return &cert, nil
		}
		_, err := tls.Client(here, &tls.Config{GetClientCertificate: shows, InsecureSkipVerify: true}).Read(make([]byte, 1))
		return err
	}
	if err := calls(stranger); !Refused(err) {
		t.Errorf("a stranger: %v", err)
	}
	if err := calls(known); err != nil {
		t.Errorf("who is known: %v", err)
	}
	if Refused(nil) || Refused(errors.New("connection refused")) {
		t.Error("all is a refusal")
	}
}
