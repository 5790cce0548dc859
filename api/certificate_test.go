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
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/fsm"
)

// authority signs what a test asks for.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{cert, key}
}

func asPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// signed is a bundle for one use.
func (a authority) signed(t *testing.T, use x509.ExtKeyUsage, until time.Time) []byte {
	t.Helper()
	key, csr, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	req, err := x509.ParseCertificateRequest(csr)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "ann"}, NotAfter: until, ExtKeyUsage: []x509.ExtKeyUsage{use}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, req.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return Certificate{Certificate: asPEM(der), CA: asPEM(a.cert.Raw)}.Bundle(key)
}

// upright is an agent that is well.
type upright struct{ Agent }

func (upright) Status(context.Context) (Status, error) { return Status{Name: "d1"}, nil }

func (upright) Leave(context.Context, LeaveRequest, Progress) error { return errors.New("reached") }

// port serves an agent as a cluster port does.
func port(t *testing.T, as []byte) string {
	t.Helper()
	pair, err := tls.X509KeyPair(as, as)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(Handler(upright{}, func(context.Context) Caller { return Caller{Name: "ann", Role: fsm.RoleAdmin} }))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAnyClientCert}
	server.Config.ErrorLog = nil
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

func TestARemoteClientSpeaksToADirectorOfItsClusterOnly(t *testing.T) {
	ours, theirs, later := newAuthority(t), newAuthority(t), time.Now().Add(time.Hour)
	bundle := ours.signed(t, x509.ExtKeyUsageClientAuth, later)
	client := func(address string) *Client {
		c, err := NewRemoteClient(address, bundle)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	director := port(t, ours.signed(t, x509.ExtKeyUsageServerAuth, later))
	if st, err := client(director).Status(t.Context()); err != nil || st.Name != "d1" {
		t.Errorf("a director: %+v, %v", st, err)
	}
	if err := client(director).Leave(t.Context(), LeaveRequest{}, nil); err == nil || !strings.Contains(err.Error(), "`quorate leave` is for the director on its own host alone") {
		t.Errorf("what is asked on the host alone: %v", err)
	}
	for name, as := range map[string][]byte{
		"another cluster's":   theirs.signed(t, x509.ExtKeyUsageServerAuth, later),
		"who may only ask":    ours.signed(t, x509.ExtKeyUsageClientAuth, later),
		"one that is too old": ours.signed(t, x509.ExtKeyUsageServerAuth, time.Now().Add(-time.Minute)),
	} {
		if _, err := client(port(t, as)).Status(t.Context()); err == nil || !strings.Contains(err.Error(), "no director of the cluster") {
			t.Errorf("%s: %v", name, err)
		}
	}
	server := httptest.NewServer(http.NotFoundHandler())
	gone := server.Listener.Addr().String()
	server.Close()
	if _, err := client(gone).Status(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "ask the director at "+gone) {
		t.Errorf("nobody: %v", err)
	}
}

func TestABundleHasAllThatOneNeeds(t *testing.T) {
	ca := newAuthority(t)
	bundle := ca.signed(t, x509.ExtKeyUsageClientAuth, time.Now().Add(time.Hour))
	key, rest, ok := strings.Cut(string(bundle), "-----BEGIN CERTIFICATE")
	if !ok {
		t.Fatal("no certificate in a bundle")
	}
	rest = "-----BEGIN CERTIFICATE" + rest
	other, _, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"nothing": "", "no key": rest, "another's key": string(other) + rest,
		"no CA":        strings.TrimSuffix(string(bundle), string(asPEM(ca.cert.Raw))),
		"no authority": key + strings.Replace(rest, string(asPEM(ca.cert.Raw)), rest[:strings.Index(rest, "-----END")]+"-----END CERTIFICATE-----\n", 1),
	} {
		if _, err := NewRemoteClient("192.0.2.1:7400", []byte(text)); !errors.Is(err, errBundle) {
			t.Errorf("%s: %v", name, err)
		}
	}
	old := ca.signed(t, x509.ExtKeyUsageClientAuth, time.Now().Add(-time.Hour))
	if _, err := NewRemoteClient("192.0.2.1:7400", old); err == nil || !strings.Contains(err.Error(), "ended on") {
		t.Errorf("one that has ended: %v", err)
	}
}

// names is a certificate by which an authority says that another follows it.
func (a authority) names(t *testing.T, next authority) []byte {
	t.Helper()
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(3), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, next.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return asPEM(der)
}

func TestARemoteClientSpeaksToADirectorOfACAThatFollowsItsOwn(t *testing.T) {
	ours, next, last, theirs, later := newAuthority(t), newAuthority(t), newAuthority(t), newAuthority(t), time.Now().Add(time.Hour)
	bundle := ours.signed(t, x509.ExtKeyUsageClientAuth, later)
	as := next.signed(t, x509.ExtKeyUsageServerAuth, later)
	asLast := last.signed(t, x509.ExtKeyUsageServerAuth, later)
	for name, tt := range map[string]struct {
		as   [][]byte
		good bool
	}{
		"the CA alone":              {[][]byte{as}, false},
		"with its link":             {[][]byte{as, ours.names(t, next)}, true},
		"a stranger's link":         {[][]byte{as, theirs.names(t, next)}, false},
		"two links":                 {[][]byte{asLast, next.names(t, last), ours.names(t, next)}, true},
		"the second link alone":     {[][]byte{asLast, next.names(t, last)}, false},
		"a link to another CA only": {[][]byte{asLast, ours.names(t, next)}, false},
	} {
		c, err := NewRemoteClient(port(t, bytes.Join(tt.as, nil)), bundle)
		if err != nil {
			t.Fatal(err)
		}
		if st, err := c.Status(t.Context()); (err == nil && st.Name == "d1") != tt.good {
			t.Errorf("%s: %+v, %v", name, st, err)
		}
	}
}

func TestWhoseCAWasDroppedIsToldToMakeAnotherCertificate(t *testing.T) {
	ours, later := newAuthority(t), time.Now().Add(time.Hour)
	as := ours.signed(t, x509.ExtKeyUsageServerAuth, later)
	pair, err := tls.X509KeyPair(as, as)
	if err != nil {
		t.Fatal(err)
	}
	brought := newAuthority(t).cert
	brought.RawSubject = []byte{0x30, 0x0c, 0x31, 0x0a, 0x30, 0x08, 0x06, 0x03, 0x55, 0x04, 0x03, 0x0c, 0x01, 'X'} // CN=X
	named := x509.NewCertPool()
	named.AddCert(brought)
	for name, cas := range map[string]*x509.CertPool{"the director names no CA": x509.NewCertPool(), "one of another name": named} {
		server := httptest.NewUnstartedServer(http.NotFoundHandler())
		server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: cas}
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		server.StartTLS()
		t.Cleanup(server.Close)
		c, err := NewRemoteClient(server.Listener.Addr().String(), ours.signed(t, x509.ExtKeyUsageClientAuth, later))
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Status(t.Context())
		if err == nil || !strings.Contains(err.Error(), "make another with `quorate cert create`") || strings.Contains(err.Error(), "readLoop") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
