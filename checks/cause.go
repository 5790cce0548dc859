package checks

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/quorate/quorate/program"
)

// failure is a cause that needs no more wording.
type failure string

func (f failure) Error() string { return string(f) }

// awaiting is an error met while the attempt waited for something, such as "answer to HELO".
type awaiting struct {
	what string
	err  error
}

func (a *awaiting) Error() string { return "waiting for " + a.what + ": " + a.err.Error() }
func (a *awaiting) Unwrap() error { return a.err }

// await names what was being waited for when err was met; nil stays nil.
func await(what string, err error) error {
	if err == nil {
		return nil
	}
	return &awaiting{what: what, err: err}
}

// errno holds the words for what the kernel says of a connection.
var errno = map[syscall.Errno]string{
	syscall.ECONNREFUSED: "connection refused",
	syscall.ECONNRESET:   "connection reset",
	syscall.EPIPE:        "connection reset",
	syscall.ECONNABORTED: "connection reset",
	syscall.EHOSTUNREACH: "no route to host",
	syscall.ENETUNREACH:  "network unreachable",
	syscall.EACCES:       "permission denied",
	syscall.EPERM:        "not permitted by this host",
}

// localErrno are the errors that speak of this host only.
var localErrno = []error{
	syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL, syscall.EAGAIN,
	syscall.ETXTBSY, // a script that is being written
}

func isLocal(err error) bool {
	for _, e := range localErrno {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func isTimeout(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, syscall.ETIMEDOUT) {
		return true
	}
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// cause words the failure of an attempt. It holds nothing that differs between two attempts that
// failed alike: no ports of our own, no durations but the configured one.
func cause(err error, timeout time.Duration) string {
	var f failure
	if errors.As(err, &f) {
		return string(f)
	}
	what := "answer"
	var a *awaiting
	if errors.As(err, &a) {
		what = a.what
	}
	if isTimeout(err) && !isLocal(err) { // EAGAIN calls itself a timeout
		return fmt.Sprintf("no %s in %v", what, timeout)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "connection closed, no " + what
	}
	if c := certificateCause(err); c != "" {
		return c
	}
	var no syscall.Errno
	if errors.As(err, &no) {
		if words, ok := errno[no]; ok {
			return words
		}
		return no.Error()
	}
	if a != nil {
		err = a.err
	}
	return program.Printable(err.Error(), maxCause)
}

// certificateCause words what is wrong with a certificate or a TLS handshake, or returns "".
func certificateCause(err error) string {
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	var authority x509.UnknownAuthorityError
	var roots x509.SystemRootsError
	var record tls.RecordHeaderError
	var op *net.OpError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil:
		if now := time.Now(); now.Before(invalid.Cert.NotBefore) {
			return "certificate not valid before " + invalid.Cert.NotBefore.UTC().Format(time.DateOnly)
		}
		return "certificate expired " + invalid.Cert.NotAfter.UTC().Format(time.DateOnly)
	case errors.As(err, &name):
		return fmt.Sprintf("certificate is not for %q", program.Printable(name.Host, maxQuote))
	case errors.As(err, &authority):
		return "certificate signed by unknown authority"
	case errors.As(err, &roots):
		return "certificate: this host has no root authorities"
	case errors.As(err, &invalid):
		return program.Printable("certificate: "+strings.TrimPrefix(invalid.Error(), "x509: "), maxCause)
	case errors.As(err, &record):
		return "answer is not TLS"
	case errors.As(err, &op) && op.Op == "remote error": // crypto/tls: an alert
		return program.Printable("TLS refused: "+strings.TrimPrefix(op.Err.Error(), "tls: "), maxCause)
	}
	return ""
}

const (
	maxCause = 200 // bytes of a cause
	maxQuote = 60  // bytes of something quoted in a cause
	maxLine  = 120 // bytes of an SMTP server's own words
)
