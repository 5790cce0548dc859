package pki

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/fsm"
)

// By the error of who dials is told whether somebody else answers, or a member that cannot prove itself.
func TestWhoIsDialedIsSomebodyElseOrAMemberThatCannotProveItself(t *testing.T) {
	t.Parallel()
	now := time.Now()
	made := func() (s fsm.Secrets, ca *x509.Certificate) {
		cert, key, err := NewCA("c1", now.Add(-time.Hour))
		if err == nil {
			ca, err = ParseCertificate(cert)
		}
		if err != nil {
			t.Fatal(err)
		}
		return fsm.Secrets{CACert: cert, CAKey: key}, ca
	}
	asked, other := strings.Repeat("0", 36), strings.Repeat("1", 36)
	leaf := func(s fsm.Secrets, id string, until time.Time) *x509.Certificate {
		key, _, err := NewKey()
		if err != nil {
			t.Fatal(err)
		}
		text, err := SignMember(s.CACert, s.CAKey, key.Public(), Identity{ClusterID: "c1", Name: "a", ID: id}, now.Add(-time.Hour), until)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := ParseCertificate(text)
		if err != nil {
			t.Fatal(err)
		}
		return cert
	}
	present, ca := made()
	former, formerCA := made()
	stranger, _ := made()
	c := Trusting("", ca)
	trust := *c.Trust()
	trust.former = []*x509.Certificate{formerCA}
	c.use(&trust)
	soon, before := now.Add(time.Hour), now.Add(-time.Minute)
	var (
		name    x509.HostnameError
		unknown x509.UnknownAuthorityError
		invalid x509.CertificateInvalidError
	)
	is := func(target any) func(error) bool { return func(err error) bool { return errors.As(err, target) } }
	for _, tt := range []struct {
		name string
		leaf *x509.Certificate
		want func(error) bool
	}{
		{"the member", leaf(present, asked, soon), func(err error) bool { return err == nil }},
		{"the member, whose certificate has ended", leaf(present, asked, before), is(&invalid)},
		{"one of the former CA", leaf(former, asked, soon), func(err error) bool { return errors.Is(err, ErrFormerCA) }},
		{"one of a CA that nobody knows", leaf(stranger, asked, soon), func(err error) bool { return errors.As(err, &unknown) && !errors.Is(err, ErrFormerCA) }},
		{"another member", leaf(present, other, soon), func(err error) bool { return errors.As(err, &name) && errors.Is(err, ErrAnother) }},
		{"another member of the former CA", leaf(former, other, soon), func(err error) bool { return errors.As(err, &name) && errors.Is(err, ErrAnother) }},
		{"another, of another CA", leaf(stranger, other, soon), func(err error) bool { return errors.As(err, &name) && !errors.Is(err, ErrAnother) }},
		{"another, whose certificate has ended", leaf(stranger, other, before), is(&name)},
	} {
		if err := c.verify(asked, false, tls.ConnectionState{PeerCertificates: []*x509.Certificate{tt.leaf}}); !tt.want(err) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
