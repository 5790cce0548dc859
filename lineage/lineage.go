// Package lineage tells which CAs follow one that is trusted, when the CA of a cluster was rotated.
//
// It promises that [Following] returns nothing that no CA vouches for which is trusted, or which follows one that is: each
// by the word of the one before. A CA is its key: two certificates of one key are of the same CA.
package lineage

import (
	"bytes"
	"crypto/x509"
	"slices"
	"strings"
)

// maxShown bounds how many certificates are looked at that another has shown.
const maxShown = 12

// Has reports whether a CA is among others.
func Has(all []*x509.Certificate, ca *x509.Certificate) bool {
	return slices.ContainsFunc(all, func(c *x509.Certificate) bool {
		return bytes.Equal(c.RawSubjectPublicKeyInfo, ca.RawSubjectPublicKeyInfo)
	})
}

// Signer returns the one of the CAs that has signed a certificate, or nil.
func Signer(all []*x509.Certificate, cert *x509.Certificate) *x509.Certificate {
	for _, ca := range all {
		if cert.CheckSignatureFrom(ca) == nil {
			return ca
		}
	}
	return nil
}

// Following returns those of the certificates, which another has shown, that are of CAs which follow those that count.
func Following(all, shown []*x509.Certificate) []*x509.Certificate {
	shown = shown[:min(len(shown), maxShown)]
	var found []*x509.Certificate
	for again := true; again; {
		again = false
		for _, cert := range shown {
			known := slices.Concat(all, found)
			if cert.IsCA && !Has(known, cert) && Signer(known, cert) != nil {
				found, again = append(found, cert), true
			}
		}
	}
	return found
}

// Refused reports whether a call has failed since the other side does not trust the CA of the own certificate.
func Refused(err error) bool {
	return err != nil && strings.Contains(err.Error(), "unknown certificate authority") // the alert has no type of its own
}
