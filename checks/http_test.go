package checks

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/fsm"
)

func TestHTTPJudgesTheAnswer(t *testing.T) {
	t.Parallel()
	ok := "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
	for _, tt := range []struct {
		name   string
		answer string
		check  fsm.Check
		want   string
	}{
		{"200 passes", ok, fsm.Check{}, ""},
		{"299 passes", "HTTP/1.1 299 Odd\r\n\r\n", fsm.Check{}, ""},
		{"HTTP/1.0 passes", "HTTP/1.0 200 OK\r\n\r\nhello", fsm.Check{}, ""},
		{"an interim response is passed over", "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" + ok, fsm.Check{}, ""},
		{"a redirect is not followed", "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", fsm.Check{}, "status 302, want 200-299"},
		{"503 fails", "HTTP/1.1 503 Busy\r\n\r\n", fsm.Check{}, "status 503, want 200-299"},
		{"200 fails if others are wanted", ok, fsm.Check{Status: []int{404, 204}}, "status 200, want 204, 404"},
		{"a wanted 404 passes", "HTTP/1.1 404 No\r\n\r\n", fsm.Check{Status: []int{404}}, ""},
		{"the text is there", ok, fsm.Check{Body: "ell"}, ""},
		{"the text is not there", ok, fsm.Check{Body: "ELL"}, `body lacks "ELL"`},
		{"a chunked body is read", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", fsm.Check{Body: "hello"}, ""},
		{"the text is past 64 KiB", "HTTP/1.1 200 OK\r\n\r\n" + strings.Repeat("x", 64<<10) + "hello", fsm.Check{Body: "hello"}, `first 64 KiB of body lack "hello"`},
		{"a body is cut short", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", fsm.Check{}, "connection closed, no complete response"},
		{"nothing is said", "", fsm.Check{}, "connection closed, no answer"},
		{"headers are cut short", "HTTP/1.1 200 OK\r\nA: b\r\n", fsm.Check{}, "connection closed, no answer"},
		{"SSH answers", "SSH-2.0-OpenSSH_9.9\r\n", fsm.Check{}, "answer is not HTTP"},
		{"garbage", "\x16\x03\x01\x00\xff\r\n\r\n", fsm.Check{}, "answer is not HTTP"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.check.Kind, tt.check.Timeout = fsm.CheckHTTP, 5*time.Second
			wantCause(t, tt.check, serve(t, say(tt.answer)), tt.want)
		})
	}
}

func TestHTTPEndsByItsDeadlineWhateverTheServerDoes(t *testing.T) {
	t.Parallel()
	const head = "HTTP/1.1 200 OK\r\n"
	for _, tt := range []struct {
		name   string
		server func(*net.TCPConn)
		want   string
	}{
		{"it says nothing", hold, "no answer in 1s"},
		{"it drips a status line", drip("", "H"), "no answer in 1s"},
		{"it drips headers", drip(head, "X: y\r\n"), "no answer in 1s"},
		{"it drips interim responses", drip("", "HTTP/1.1 102 Processing\r\n\r\n"), "no answer in 1s"},
		{"it drips a body", drip(head+"Content-Length: 100000\r\n\r\n", "x"), "no complete response in 1s"},
		{"it drips chunks", drip(head+"Transfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n"), "no complete response in 1s"},
		{"it floods headers", flood(head, "X: "+strings.Repeat("y", 1000)+"\r\n"), "response headers over 64 KiB"},
		{"it floods one header", flood(head+"X: ", strings.Repeat("y", 1000)), "response headers over 64 KiB"},
		{"it floods interim responses", flood("", "HTTP/1.1 102 Processing\r\n\r\n"), "response headers over 64 KiB"},
		{"it floods a body", flood(head+"\r\n", strings.Repeat("y", 1000)), ""},
		{"it floods framing", flood(head+"Transfer-Encoding: chunked\r\n\r\n", "1;xxxxxxxxxxxxxxx\r\nx\r\n"), "response body is mostly framing"},
		{"it floods trailers", flood(head+"Transfer-Encoding: chunked\r\n\r\n0\r\n", "X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n"), "http: suspiciously long trailer after chunked body"},
		{"it resets", reset, "connection reset"},
		{"it closes its half", func(c *net.TCPConn) { c.CloseWrite(); hold(c) }, "connection closed, no answer"},
		{"it closes its half after the answer", func(c *net.TCPConn) {
			say(head + "\r\nhello")(c)
			c.CloseWrite()
			hold(c)
		}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			wantCause(t, fsm.Check{Kind: fsm.CheckHTTP, Timeout: short}, serve(t, tt.server), tt.want)
		})
	}
	t.Run("it refuses", func(t *testing.T) {
		wantCause(t, fsm.Check{Kind: fsm.CheckHTTP, Timeout: short}, refusing(t), "connection refused")
	})
	t.Run("it does not accept", func(t *testing.T) {
		wantCause(t, fsm.Check{Kind: fsm.CheckHTTP, Timeout: short}, blackhole(t), "no answer in 1s")
	})
}

// flood says text, then more as fast as it is taken.
func flood(text, more string) func(*net.TCPConn) {
	return func(c *net.TCPConn) {
		_, err := io.WriteString(c, text)
		for err == nil {
			_, err = io.WriteString(c, more)
		}
	}
}

func TestHTTPAsksForPathAndHostOverAConnectionOfItsOwn(t *testing.T) {
	t.Parallel()
	got := make(chan *http.Request, 1)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r }))
	t.Cleanup(s.Close)
	target := netip.MustParseAddrPort(s.Listener.Addr().String())
	wantCause(t, fsm.Check{Kind: fsm.CheckHTTP, Host: "www.example", Path: "/a b?x=%20y"}, target, "")
	r := <-got
	if r.Host != "www.example" || r.URL.Path != "/a b" || r.URL.RawQuery != "x=%20y" || r.Proto != "HTTP/1.1" || !r.Close {
		t.Errorf("request %s %q host %q close %v", r.Proto, r.URL, r.Host, r.Close)
	}
	wantCause(t, fsm.Check{Kind: fsm.CheckHTTP}, target, "")
	if r := <-got; r.Host != target.String() || r.URL.Path != "/" {
		t.Errorf("request %q host %q, want / at the server's own address", r.URL, r.Host)
	}
}

// authority signs certificates for tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  string
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{cert, key, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))}
}

// serve answers HTTPS with a certificate for name or addr.
func (a authority) serve(t *testing.T, from, until time.Time, names []string, addrs ...net.IP) netip.AddrPort {
	t.Helper()
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: from, NotAfter: until, DNSNames: names, IPAddresses: addrs}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	cfg := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: a.key}}}
	return serve(t, func(c *net.TCPConn) {
		tc := tls.Server(c, cfg)
		tc.Read(make([]byte, 4096))
		io.WriteString(tc, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
		tc.CloseWrite()
		hold(c)
	})
}

func TestHTTPSVerifiesTheCertificate(t *testing.T) {
	t.Parallel()
	ca, other := newAuthority(t), newAuthority(t)
	past, future := time.Date(2020, 1, 2, 0, 0, 0, 0, time.UTC), time.Now().Add(time.Hour)
	loop := net.IPv4(127, 0, 0, 1)
	good := ca.serve(t, past, future, []string{"www.example"}, loop)
	old := ca.serve(t, past, time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC), []string{"www.example"})
	early := ca.serve(t, time.Date(2100, 5, 6, 0, 0, 0, 0, time.UTC), time.Date(2101, 1, 1, 0, 0, 0, 0, time.UTC), []string{"www.example"})
	nameOnly := ca.serve(t, past, future, []string{"www.example"})
	for _, tt := range []struct {
		name     string
		target   netip.AddrPort
		host, ca string
		insecure bool
		want     string
	}{
		{"a good one", good, "www.example", ca.pem, false, ""},
		{"a host with a port", good, "www.example:8443", ca.pem, false, ""},
		{"no host, and the address is in it", good, "", ca.pem, false, ""},
		{"no host, and the address is not in it", nameOnly, "", ca.pem, false, `certificate is not for "127.0.0.1"`},
		{"another name", good, "mail.example", ca.pem, false, `certificate is not for "mail.example"`},
		{"another authority", good, "www.example", other.pem, false, "certificate signed by unknown authority"},
		{"expired", old, "www.example", ca.pem, false, "certificate expired 2026-01-02"},
		{"not valid yet", early, "www.example", ca.pem, false, "certificate not valid before 2100-05-06"},
		{"insecure takes any", old, "mail.example", other.pem, true, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := fsm.Check{Kind: fsm.CheckHTTPS, Host: tt.host, CA: tt.ca, Insecure: tt.insecure, Body: "hello", Timeout: 5 * time.Second}
			wantCause(t, c, tt.target, tt.want)
		})
	}
}

func TestHTTPSNamesTheStepThatFailed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		server func(*net.TCPConn)
		want   string
	}{
		{"plain HTTP", say("HTTP/1.1 400 Bad\r\n\r\n"), "answer is not TLS"},
		{"silence", hold, "no TLS handshake in 1s"},
		{"drip", drip("\x16\x03\x03\x40\x00", "\x00"), "no TLS handshake in 1s"},
		{"hang up", say(""), "connection closed, no TLS handshake"},
		{"reset", reset, "connection reset"},
		{"alert", say("\x15\x03\x03\x00\x02\x02\x28"), "TLS refused: handshake failure"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			wantCause(t, fsm.Check{Kind: fsm.CheckHTTPS, Timeout: short}, serve(t, tt.server), tt.want)
		})
	}
}
