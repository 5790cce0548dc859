package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/lineage"
)

// AnotherKey refuses a CA that has the key of one which is trusted already, under whatever name. Who signed what is told
// by keys: what the one has signed would seem to be the other's, so that no director got a new certificate, and none of
// the certificates would be good when the former CA is dropped.
func AnotherKey(s fsm.Secrets, cert []byte) error {
	trusted, err := ParseCertificates(TrustedIn(s))
	if err != nil {
		return fmt.Errorf("the cluster's CA: %w", err)
	}
	ca, err := ParseCertificate(cert)
	if err != nil {
		return fmt.Errorf("the certificate that was brought: %w", err)
	}
	if lineage.Has(trusted, ca) {
		return fmt.Errorf("the CA %q that was brought has the same key as one that the cluster trusts already: a rotation is to another key", ca.Subject.CommonName)
	}
	return nil
}

// SignLink has the present CA say that another one follows it.
func SignLink(s fsm.Secrets, next []byte) ([]byte, error) {
	ca, key, err := readCA(s.CACert, s.CAKey)
	if err != nil {
		return nil, err
	}
	to, err := ParseCertificate(next)
	if err != nil {
		return nil, fmt.Errorf("the CA that follows: %w", err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: serial(), RawSubject: to.RawSubject, SubjectKeyId: to.SubjectKeyId, NotBefore: to.NotBefore, NotAfter: to.NotAfter,
		KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true,
	}, ca, to.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("sign the link to the CA that follows: %w", err)
	}
	return EncodePEM("CERTIFICATE", der), nil
}

// MinOwnLife is how long an own CA is to be good when it is brought: all that it signs ends with it, and a person needs
// time to bring the one after it.
const MinOwnLife = 30 * 24 * time.Hour

// OwnCA checks a CA that a person brings: it must be able to do what the cluster's own can. It is returned as the state
// has it: nothing but the certificate and the key.
func OwnCA(cert, key []byte, clusterID string, now time.Time) (certText, keyText []byte, err error) {
	cas, err := ParseCertificates(cert)
	if err != nil {
		return nil, nil, fmt.Errorf("the certificate that was brought: %w", err)
	}
	if len(cas) > 1 {
		return nil, nil, fmt.Errorf("the file with the certificate has %d: it is to hold the CA's own alone, which is what the directors trust", len(cas))
	}
	ca := cas[0]
	priv, err := ownKey(key)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case !ca.IsCA || ca.KeyUsage != 0 && ca.KeyUsage&x509.KeyUsageCertSign == 0:
		return nil, nil, fmt.Errorf("the certificate of %q that was brought is no CA's: it may not sign others", ca.Subject.CommonName)
	case !priv.PublicKey.Equal(ca.PublicKey):
		return nil, nil, errors.New("the key that was brought is not the certificate's")
	case now.After(ca.NotAfter) || now.Before(ca.NotBefore):
		return nil, nil, fmt.Errorf("the certificate of %q that was brought is good from %s to %s, and not now", ca.Subject.CommonName, ca.NotBefore.UTC().Format(time.RFC3339), ca.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(ca.NotBefore.Add(ClockTolerance)):
		return nil, nil, fmt.Errorf("the certificate of %q that was brought is good from %s on, and a director's clock may be %.0f minutes behind, to which what it signs is not good yet: it can be taken from %s on",
			ca.Subject.CommonName, ca.NotBefore.UTC().Format(time.RFC3339), ClockTolerance.Minutes(), ca.NotBefore.Add(ClockTolerance).UTC().Format(time.RFC3339))
	case ca.NotAfter.Before(now.Add(MinOwnLife)):
		return nil, nil, fmt.Errorf("the certificate of %q that was brought ends on %s, and with it all that it signs: it is to be good for %.0f days at least", ca.Subject.CommonName, ca.NotAfter.UTC().Format(time.RFC3339), MinOwnLife.Hours()/24)
	}
	der, err := x509.MarshalPKCS8PrivateKey(priv)
	if err != nil {
		return nil, nil, fmt.Errorf("the key that was brought: %w", err)
	}
	certText, keyText = EncodePEM("CERTIFICATE", ca.Raw), EncodePEM("PRIVATE KEY", der)
	return certText, keyText, tryCA(ca, certText, keyText, clusterID, now)
}

// ownKey reads an ECDSA key in PEM, as openssl and others write it.
func ownKey(text []byte) (*ecdsa.PrivateKey, error) {
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			return nil, errors.New("the key that was brought: no private key in PEM")
		}
		text = rest
		var key any
		var err error
		switch block.Type {
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		case "EC PARAMETERS": // openssl writes them before the key
			continue
		default:
			return nil, fmt.Errorf("the key that was brought: %q in PEM is no private key that can be read; is it encrypted?", block.Type)
		}
		if err != nil {
			return nil, fmt.Errorf("the key that was brought: %w", err)
		}
		ec, ok := key.(*ecdsa.PrivateKey)
		if !ok || ec.Curve == elliptic.P224() {
			return nil, errors.New("the key that was brought is not ECDSA of P-256, P-384 or P-521")
		}
		return ec, nil
	}
}

// tryCA has a CA sign as it will have to, and looks whether that is good: what it may sign can be limited in many ways.
func tryCA(ca *x509.Certificate, cert, key []byte, clusterID string, now time.Time) error {
	priv, _, err := NewKey()
	if err != nil {
		return err
	}
	id, err := MemberID(priv.Public())
	if err != nil {
		return err
	}
	text, err := SignMember(cert, key, priv.Public(), Identity{ClusterID: clusterID, Name: "a", ID: id}, now, now.Add(time.Hour))
	if err != nil {
		return err
	}
	leaf, err := ParseCertificate(text)
	if err != nil {
		return err
	}
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: poolOf(ca), DNSName: Hostname(id), KeyUsages: []x509.ExtKeyUsage{usage}}); err != nil {
			return fmt.Errorf("what the CA of %q signs for a director is not good by its certificate: %w", ca.Subject.CommonName, err)
		}
	}
	return nil
}
