package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/lineage"
)

// own is a CA as a person brings it.
func own(t *testing.T, curve elliptic.Curve, change func(*x509.Certificate)) (cert, key []byte) {
	t.Helper()
	priv, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "Example CA", Organization: []string{"Example"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(MinOwnLife + time.Hour), KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true,
	}
	change(tmpl)
	return ownBy(t, priv, tmpl)
}

// ownBy is a CA of a key.
func ownBy(t *testing.T, priv *ecdsa.PrivateKey, tmpl *x509.Certificate) (cert, key []byte) {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, priv.Public(), priv)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(priv)
	if err != nil {
		t.Fatal(err)
	}
	return EncodePEM("CERTIFICATE", der), EncodePEM("EC PRIVATE KEY", keyDER)
}

func plainCA(*x509.Certificate) {}

func TestAnOwnCAThatCannotBeIsRefused(t *testing.T) {
	t.Parallel()
	cert, key := own(t, elliptic.P256(), plainCA)
	another, _ := own(t, elliptic.P256(), plainCA)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	rsaDER, err := x509.MarshalPKCS8PrivateKey(rsaKey)
	if err != nil {
		t.Fatal(err)
	}
	made := time.Now().UTC().Truncate(time.Second).Add(time.Minute - ClockTolerance)
	for _, tt := range []struct {
		name      string
		cert, key []byte
		change    func(*x509.Certificate) // of a CA of its own, in the place of cert and key
		want      string
	}{
		{"no certificate", nil, key, nil, "no certificate in PEM"},
		{"no key", cert, nil, nil, "no private key in PEM"},
		{"a key that is encrypted", cert, EncodePEM("ENCRYPTED PRIVATE KEY", []byte("x")), nil, "is it encrypted?"},
		{"a key that is none", cert, EncodePEM("PRIVATE KEY", []byte("x")), nil, "the key that was brought"},
		{"an RSA key", cert, EncodePEM("PRIVATE KEY", rsaDER), nil, "not ECDSA"},
		{"another's key", another, key, nil, "not the certificate's"},
		{"two certificates", append(another, cert...), key, nil, "has 2"},
		{"no CA", nil, nil, func(c *x509.Certificate) { c.IsCA, c.KeyUsage = false, x509.KeyUsageDigitalSignature }, "is no CA's"},
		{"one that has ended", nil, nil, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }, "and not now"},
		{"one that was made just now", nil, nil, func(c *x509.Certificate) { c.NotBefore = made }, "it can be taken from " + made.Add(ClockTolerance).Format(time.RFC3339) + " on"},
		{"one that ends soon", nil, nil, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(MinOwnLife - time.Hour) }, "it is to be good for 30 days at least"},
		{"one for other names", nil, nil, func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"example.com"} }, "is not good by its certificate"},
		{"one for other uses", nil, nil, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection} }, "is not good by its certificate"},
	} {
		if tt.change != nil {
			tt.cert, tt.key = own(t, elliptic.P256(), tt.change)
		}
		if _, _, err := OwnCA(tt.cert, tt.key, "c1", time.Now()); err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "BEGIN") {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	parameters := EncodePEM("EC PARAMETERS", []byte("x"))
	if _, _, err := OwnCA(cert, append(parameters, key...), "c1", time.Now()); err != nil {
		t.Errorf("as openssl writes it: %v", err)
	}
	cert, key = own(t, elliptic.P384(), plainCA)
	if _, _, err := OwnCA(append([]byte("Example CA, for quorate\n"), cert...), key, "c1", time.Now()); err != nil {
		t.Errorf("of P-384, with text before it: %v", err)
	}
}

func TestOnlyTheCAsThatCountNameTheirSuccessors(t *testing.T) {
	t.Parallel()
	made := func() fsm.Secrets {
		cert, key, err := NewCA("c1", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return fsm.Secrets{CACert: cert, CAKey: key}
	}
	parse := func(text []byte) *x509.Certificate {
		cert, err := ParseCertificate(text)
		if err != nil {
			t.Fatal(err)
		}
		return cert
	}
	link := func(from, to fsm.Secrets) *x509.Certificate {
		text, err := SignLink(from, to.CACert)
		if err != nil {
			t.Fatal(err)
		}
		return parse(text)
	}
	a, b, c, stranger := made(), made(), made(), made()
	leaf := parse(memberOf(t, b))
	ab, bc, xc := link(a, b), link(b, c), link(stranger, c)
	known := []*x509.Certificate{parse(a.CACert)}
	for _, tt := range []struct {
		name  string
		shown []*x509.Certificate
		want  []*x509.Certificate
	}{
		{"nothing", nil, nil},
		{"the CAs themselves", []*x509.Certificate{parse(a.CACert), parse(b.CACert)}, nil},
		{"a successor", []*x509.Certificate{parse(b.CACert), ab}, []*x509.Certificate{ab}},
		{"a successor's successor, in any order", []*x509.Certificate{bc, ab}, []*x509.Certificate{ab, bc}},
		{"one whose link is missing", []*x509.Certificate{bc}, nil},
		{"a stranger's word", []*x509.Certificate{xc, parse(stranger.CACert)}, nil},
		{"what is no CA", []*x509.Certificate{ab, leaf}, []*x509.Certificate{ab}},
	} {
		got := lineage.Following(known, tt.shown)
		same := len(got) == len(tt.want)
		for i := range got {
			same = same && got[i].Equal(tt.want[i])
		}
		if !same {
			t.Errorf("%s: %d are found, want %d", tt.name, len(got), len(tt.want))
		}
	}
}

// memberOf is a member's certificate by a CA.
func memberOf(t *testing.T, s fsm.Secrets) []byte {
	t.Helper()
	key, _, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	text, err := SignMember(s.CACert, s.CAKey, key.Public(), Identity{ClusterID: "c1", Name: "a", ID: strings.Repeat("0", 36)}, time.Now(), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return text
}
