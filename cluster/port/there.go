package port

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/quorate/quorate/cluster/pki"
)

// Unproved says why the two sides of a connection could not prove themselves to each other, by the error of a call: a process
// is there then, whoever it is. It is empty of any other error, as of one that says that nobody answers.
func Unproved(err error) string {
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	var authority x509.UnknownAuthorityError
	var verification *tls.CertificateVerificationError
	var alert *net.OpError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return invalid.Error() + "; is a clock wrong?"
	case errors.Is(err, pki.ErrAnother):
		return pki.ErrAnother.Error()
	case errors.As(err, &name):
		return "somebody else answers there: " + name.Error()
	case errors.As(err, &authority), errors.Is(err, pki.ErrFormerCA):
		return "its certificate is of a CA that is not known here"
	case errors.As(err, &invalid), errors.As(err, &verification):
		return "its certificate is not taken: " + err.Error()
	case errors.As(err, &alert) && alert.Op == "remote error" && strings.Contains(alert.Err.Error(), "certificate"): // alerts have no types
		return refusedBy(alert.Err)
	}
	return ""
}

// SomebodyElse reports whether the error of a call proves that it is none of this cluster that answers: the certificate there is of a
// CA that neither counts here, nor did, nor follows one that does.
func SomebodyElse(err error) bool {
	var name x509.HostnameError
	var authority x509.UnknownAuthorityError
	return errors.As(err, &name) && !errors.Is(err, pki.ErrAnother) || errors.As(err, &authority) && !errors.Is(err, pki.ErrFormerCA)
}

// refusedBy says what the alert means that the other side has sent.
func refusedBy(alert error) string {
	text := fmt.Sprintf("it does not take this director's certificate (%v)", alert)
	if alert.Error() == "tls: expired certificate" {
		text += "; is a clock wrong?"
	}
	return text
}
