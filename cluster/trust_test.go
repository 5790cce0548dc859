package cluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/cluster/pki"
	"github.com/quorate/quorate/cluster/port"
	"github.com/quorate/quorate/fsm"
)

// madeCA is a CA, and its certificate.
func madeCA(t *testing.T) (fsm.Secrets, *x509.Certificate) {
	t.Helper()
	cert, key, err := pki.NewCA("c1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := pki.ParseCertificate(cert)
	if err != nil {
		t.Fatal(err)
	}
	return fsm.Secrets{CACert: cert, CAKey: key}, parsed
}

// trusting is a node that does nothing but keep CAs, until the test ends.
func trusting(t *testing.T, dir string, cas ...*x509.Certificate) *Node {
	t.Helper()
	creds := pki.Trusting(dir, cas...)
	n := &Node{creds: creds, dialer: port.NewDialer(creds), port: &port.Port{}, log: hclog.NewNullLogger()}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- n.keepsTrust(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return n
}

func TestTheCAsAreKeptOnDiskWhenThatWorksAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "later")
	synctest.Test(t, func(t *testing.T) {
		_, ca := madeCA(t)
		n := trusting(t, dir, ca)
		time.Sleep(10 * time.Minute) // nothing can be written, and no news come
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		text, err := os.ReadFile(filepath.Join(dir, pki.CAFile))
		if err != nil || !bytes.Equal(text, n.creds.Trust().Text()) {
			t.Errorf("a minute after it can be written: %v", err)
		}
	})
}

// listening returns the listener of a member by a CA, until the test ends.
func listening(t *testing.T, s fsm.Secrets, id, alpn string) net.Listener {
	t.Helper()
	key, keyText, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	text, err := pki.SignMember(s.CACert, s.CAKey, key.Public(), pki.Identity{ClusterID: "c1", Name: "a", ID: id}, time.Now(), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(text, keyText)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{MinVersion: tls.VersionTLS13, NextProtos: []string{alpn}, Certificates: []tls.Certificate{pair}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// echoing returns where a member by a CA is that sends back what it reads, until the test ends.
func echoing(t *testing.T, s fsm.Secrets, id string) netip.AddrPort {
	t.Helper()
	l := listening(t, s, id, port.ALPNRaft)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(c, c)
				_ = c.Close()
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).AddrPort()
}

func TestAConnectionToWhomAFormerCAVouchesForEndsWithIt(t *testing.T) {
	t.Parallel()
	former, formerCA := madeCA(t)
	present, presentCA := madeCA(t)
	id := strings.Repeat("0", 36)
	n := trusting(t, t.TempDir(), presentCA, formerCA)
	calls := func(s fsm.Secrets) net.Conn {
		c, err := n.dialer.Dial(t.Context(), echoing(t, s, id), id, port.ALPNRaft)
		if err != nil {
			t.Fatalf("while it is trusted: %v", err)
		}
		return c
	}
	old, young, closed := calls(former), calls(present), calls(present)
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	link, err := pki.SignLink(former, present.CACert)
	if err != nil {
		t.Fatal(err)
	}
	present.CALinks = []fsm.Link{{Of: former.CACert, Cert: link}}
	if err := n.creds.Follow(present); err != nil {
		t.Fatal(err)
	}
	n.keyNews.ring()
	_ = old.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := old.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("whom it was opened to by the former CA is still there: %v", err)
	}
	if _, err := young.Write([]byte("x")); err != nil {
		t.Error(err)
	}
	if _, err := young.Read(make([]byte, 1)); err != nil {
		t.Errorf("another is closed too: %v", err)
	}
	if _, err := n.dialer.Dial(t.Context(), echoing(t, former, id), id, port.ALPNRaft); err == nil {
		t.Error("it is dialed again")
	}
	if err := young.Close(); err != nil {
		t.Error(err)
	}
}

// Who holds no more than a certificate of a former CA is heard of what is signed, and of nothing else.
func TestWhereMembersAreIsNotTakenFromWhomAFormerCAVouchesFor(t *testing.T) {
	t.Parallel()
	former, formerCA := madeCA(t)
	present, presentCA := madeCA(t)
	id, other := strings.Repeat("0", 36), strings.Repeat("1", 36)
	n := trusting(t, t.TempDir(), presentCA, formerCA)
	n.id, n.process, n.machine = pki.Identity{Name: "a", ID: id}, "another", newMachine(n.log)
	link, err := pki.SignLink(former, present.CACert)
	if err != nil {
		t.Fatal(err)
	}
	present.CALinks = []fsm.Link{{Of: former.CACert, Cert: link}}
	if err := n.creds.Follow(present); err != nil {
		t.Fatal(err)
	}
	says := func(s fsm.Secrets) netip.AddrPort {
		l := listening(t, s, id, port.ALPNHTTP)
		at := l.Addr().(*net.TCPAddr).AddrPort()
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			writeJSON(w, epochAnswer{Fenced: true, At: at, From: at, Known: map[string]netip.AddrPort{other: at}})
		})}
		go func() { _ = server.Serve(l) }() // ends with its listener
		t.Cleanup(func() { _ = server.Close() })
		return at
	}
	for _, c := range []struct {
		by     string
		s      fsm.Secrets
		counts bool
	}{{"the present CA", present, true}, {"a former CA", former, false}} {
		at := says(c.s)
		a, err := n.tellEpochAt(t.Context(), fsm.Member{Name: "a", ID: id}, at, netip.AddrPort{})
		if err != nil || !a.Fenced || (a.At == at) != c.counts || (a.From == at) != c.counts || (a.Known[other] == at) != c.counts {
			t.Errorf("by %s: %+v, %v", c.by, a, err)
		}
		if err := n.twinAt(t.Context(), at); errors.Is(err, errTwin) != c.counts {
			t.Errorf("another one of this member by %s: %v", c.by, err)
		}
	}
}
