package lab

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const (
	caCertFile = "ca.pem"
	caKeyFile  = "ca.key"
)

// makeCA makes the network's own certificate authority, once.
func makeCA(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, caCertFile)); err == nil {
		return nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "lab CA"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := writePEM(filepath.Join(dir, caKeyFile), "PRIVATE KEY", private); err != nil {
		return err
	}
	return writePEM(filepath.Join(dir, caCertFile), "CERTIFICATE", cert)
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

func readPEM(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	return block.Bytes, nil
}

// makeCertificates makes one certificate of each kind for a real server.
func makeCertificates(o serverOrder) (map[Certificate]*tls.Certificate, error) {
	caDER, err := readPEM(filepath.Join(o.CA, caCertFile))
	if err != nil {
		return nil, err
	}
	ca, err := x509.ParseCertificate(caDER)
	if err != nil {
		return nil, err
	}
	keyDER, err := readPEM(filepath.Join(o.CA, caKeyFile))
	if err != nil {
		return nil, err
	}
	caKey, err := x509.ParsePKCS8PrivateKey(keyDER)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	certs := map[Certificate]*tls.Certificate{}
	for _, kind := range []Certificate{GoodCertificate, ExpiredCertificate, OtherNameCertificate, SelfSigned} {
		template := o.certificate(kind)
		parent, signer := ca, caKey
		if kind == SelfSigned {
			parent, signer = template, crypto.PrivateKey(key)
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
		if err != nil {
			return nil, err
		}
		certs[kind] = &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	}
	return certs, nil
}

func (o serverOrder) certificate(kind Certificate) *x509.Certificate {
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: o.Name},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().AddDate(0, 1, 0),
		DNSNames: []string{o.Name, "web.lab"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, a := range o.Addrs {
		c.IPAddresses = append(c.IPAddresses, net.ParseIP(a))
	}
	switch kind {
	case ExpiredCertificate:
		c.NotAfter = time.Now().Add(-24 * time.Hour)
	case OtherNameCertificate:
		c.DNSNames, c.IPAddresses, c.Subject.CommonName = []string{"other.lab"}, nil, "other.lab"
	}
	return c
}
