package port

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/cluster/pki"
)

func TestOnlyACertificateThatIsNotTakenShowsThatSomebodyIsThere(t *testing.T) {
	t.Parallel()
	alert := func(text string) error { return &net.OpError{Op: "remote error", Err: errors.New(text)} }
	for _, tt := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{io.EOF, ""},
		{context.DeadlineExceeded, ""},
		{&net.OpError{Op: "dial", Err: unix.ECONNREFUSED}, ""},
		{alert("tls: no application protocol"), ""},
		{alert("tls: unknown certificate authority"), "it does not take this director's certificate (tls: unknown certificate authority)"},
		{alert("tls: expired certificate"), "(tls: expired certificate); is a clock wrong?"},
		{x509.CertificateInvalidError{Reason: x509.Expired, Detail: "now"}, "x509: certificate has expired or is not yet valid: now; is a clock wrong?"},
		{x509.CertificateInvalidError{Reason: x509.NotAuthorizedToSign}, "its certificate is not taken: "},
		{x509.HostnameError{Certificate: new(x509.Certificate), Host: "a"}, "somebody else answers there"},
		{fmt.Errorf("%w: %w", pki.ErrAnother, x509.HostnameError{Certificate: new(x509.Certificate), Host: "a"}), "another one of this cluster answers there"},
		{x509.UnknownAuthorityError{}, "of a CA that is not known here"},
		{pki.ErrFormerCA, "of a CA that is not known here"},
	} {
		err := tt.err
		if err != nil {
			err = fmt.Errorf("ask a: %w", &DialError{err: err})
		}
		if got := Unproved(err); got != tt.want && (tt.want == "" || !strings.Contains(got, tt.want)) {
			t.Errorf("%v: %q, want %q", tt.err, got, tt.want)
		}
	}
}
