package cluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quorate/quorate/cluster/pki"
	"github.com/quorate/quorate/cluster/port"
	"github.com/quorate/quorate/fsm"
)

// shortLife is how long certificates last in tests that see them end. They count whole seconds.
const shortLife = 3 * time.Second

// short makes a cluster of three whose certificates end soon.
func short(t *testing.T, unkept bool) []*testnode {
	t.Helper()
	run := func(cfg Config) *testnode { return startWith(t, cfg, func(n *Node) { n.unkept = unkept }) }
	cfg := config(t, "a")
	cfg.CertificateLife = shortLife
	if err := Init(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	ns := []*testnode{run(cfg)}
	eventually(t, "a leads", func() error { return leads(ns[0]) })
	var tokens []string
	for range 2 {
		token, err := ns[0].CreateToken(t.Context(), fsm.RoleDirector, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, token)
	}
	for i, name := range []string{"b", "c"} {
		cfg := config(t, name)
		cfg.CertificateLife = shortLife
		if err := Join(t.Context(), cfg, ns[0].cfg.Bind.String(), tokens[i], silently); err != nil {
			t.Fatal(err)
		}
		ns = append(ns, run(cfg))
	}
	return ns
}

// cutOff closes every connection, as a network does that comes and goes: what comes after it must
// prove itself anew.
func cutOff(ns []*testnode) {
	for _, n := range ns {
		n.port.Drop(func(*port.Conn) bool { return false })
		n.clients.close()
	}
}

// agrees is nil if a change can be made through this node.
func agrees(t *testing.T, n *testnode) error {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	return n.Propose(ctx, drain("a", !n.State().Members["a"].Draining))
}

// mustAgree waits until a change can be made through this node.
func mustAgree(t *testing.T, n *testnode) {
	t.Helper()
	for until := time.Now().Add(15 * time.Second); ; {
		err := agrees(t, n)
		if err == nil {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("no change can be made through %s: %v; its certificate: %+v", n.cfg.Name, err, n.Certificate())
		}
	}
}

func onDisk(t *testing.T, cfg Config) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(cfg.DataDir, liveDir, pki.CertFile))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAClusterOutlivesItsCertificates(t *testing.T) {
	t.Parallel()
	ns := short(t, false)
	began := time.Now()
	for time.Since(began) < 3*shortLife {
		cutOff(ns)
		for _, n := range ns {
			mustAgree(t, n)
		}
		pause(t.Context(), shortLife/4)
	}
	for _, n := range ns {
		if c := n.Certificate(); c.Expires.Before(time.Now()) || c.Issued.Before(began) || c.Trouble != "" {
			t.Errorf("%s has %+v", n.cfg.Name, c)
		}
	}
	ns[1].kill()
	kept, err := pki.ParseCertificate(onDisk(t, ns[1].cfg))
	if err != nil {
		t.Fatal(err)
	}
	again, err := Open(ns[1].cfg)
	if err != nil {
		t.Fatal(err)
	}
	if !again.creds.Leaf().Equal(kept) || kept.NotAfter.Before(time.Now().Add(-time.Second)) {
		t.Errorf("it starts with a certificate to %v; on disk is one to %v", again.Certificate().Expires, kept.NotAfter)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

// The control of the test above: what it does would show that nothing is renewed.
func TestAClusterWhoseCertificatesAreNotRenewedLosesItsQuorumForGood(t *testing.T) {
	t.Parallel()
	ns := short(t, true)
	pause(t.Context(), time.Until(ns[2].Certificate().Expires)+time.Second)
	cutOff(ns)
	eventually(t, "the quorum is lost", func() error {
		for _, n := range ns {
			if n.Quorum() {
				return errors.New(n.cfg.Name + " has it")
			}
		}
		return nil
	})
	if err := agrees(t, ns[0]); err == nil {
		t.Error("a change was made")
	}
	// And each heals itself, once it may: the key that signs is in its own state.
	for i, n := range ns {
		n.kill()
		ns[i] = start(t, n.cfg)
	}
	for _, n := range ns {
		mustAgree(t, n)
	}
}

// pairOf is a certificate for a node's own key, as the CA of another node's cluster would sign it.
func pairOf(t *testing.T, n, ca *testnode, p pki.Identity, from, until time.Time) ([]byte, *tls.Certificate) {
	t.Helper()
	secrets, pair := ca.State().Secrets(), n.creds.Pair()
	text, err := pki.SignMember(secrets.CACert, secrets.CAKey, pair.Leaf.PublicKey, p, from, until)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := pki.ParseCertificate(text)
	if err != nil {
		t.Fatal(err)
	}
	return text, &tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: pair.PrivateKey}
}

func TestTheLeaderRenewsForWhoHasTheCertificateAndForNobodyElse(t *testing.T) {
	t.Parallel()
	a, other := first(t, "a"), first(t, "other")
	b := join(t, a, "b")
	makeLead(t, a, []*testnode{a, b})
	now := time.Now()
	own := b.creds.Pair()
	_, ended := pairOf(t, b, a, b.id, now.Add(-time.Hour), now.Add(-time.Minute))
	stranger := b.id
	stranger.ID = strings.Repeat("0", 8) + stranger.ID[8:]
	_, gone := pairOf(t, b, a, stranger, now, now.Add(time.Hour))
	stranger.Admitted = 1 << 40
	_, early := pairOf(t, b, a, stranger, now, now.Add(time.Hour))
	clock := func(d time.Duration) string {
		b, err := json.Marshal(time.Now().UTC().Add(d))
		if err != nil {
			t.Fatal(err)
		}
		return `{"now":` + string(b) + `}`
	}
	for _, tt := range []struct {
		name   string
		to     *testnode
		cert   *tls.Certificate
		body   string
		status int // 0: no connection
		want   string
	}{
		{"nobody", a, nil, clock(0), http.StatusForbidden, "no certificate of one was shown"},
		{"another cluster's", a, other.creds.Pair(), clock(0), 0, ""},
		{"its own that has ended", a, ended, clock(0), 0, ""},
		{"no member any more", a, gone, clock(0), http.StatusGone, "no longer a member"},
		{"a member that is not known yet", a, early, clock(0), http.StatusServiceUnavailable, "does not lead"},
		{"of a follower", b, own, clock(0), http.StatusServiceUnavailable, "does not lead"},
		{"a clock that is behind", a, own, clock(-time.Hour), http.StatusConflict, ": on b it is"},
		{"a clock that is ahead", a, own, clock(time.Hour), http.StatusConflict, ": on b it is"},
		{"no clock", a, own, `{}`, http.StatusConflict, "clocks differ"},
		{"nonsense", a, own, `x`, http.StatusConflict, "request from"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			makeLead(t, a, []*testnode{a, b}) // on a busy machine it is lost now and then
			status, text, err := asked(t, tt.to, tt.cert, "POST", "/cluster/renew", tt.body)
			if err == nil && (status != tt.status || !strings.Contains(text, tt.want)) || err != nil && tt.status != 0 || strings.Contains(text, "BEGIN") {
				t.Errorf("%d %s %v", status, text, err)
			}
		})
	}
	t.Run("a member that names another", func(t *testing.T) {
		body := strings.TrimSuffix(clock(0), "}") + `,"name":"a","id":"` + a.id.ID + `","csr":"AAAA"}`
		_, text, err := asked(t, a, own, "POST", "/cluster/renew", body)
		var resp renewResponse
		if err := errors.Join(err, json.Unmarshal([]byte(text), &resp)); err != nil {
			t.Fatal(err)
		}
		cert, err := pki.ParseCertificate(resp.Certificate)
		if err != nil {
			t.Fatal(err)
		}
		if p, err := pki.IdentityOf(cert); err != nil || p != b.id || cert.DNSNames[0] != pki.Hostname(b.id.ID) {
			t.Errorf("it is signed for %+v %v, %v", p, cert.DNSNames, err)
		}
		if left := time.Until(cert.NotAfter); left < pki.MemberLifetime-time.Minute || left > pki.MemberLifetime {
			t.Errorf("it lasts %v", left)
		}
	})
	t.Run("over a connection that is older than its certificate's end", func(t *testing.T) {
		leaf, err := pki.ParseCertificate(pki.EncodePEM("CERTIFICATE", ended.Certificate[0]))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.renewal(leaf, now, now); err == nil || !strings.Contains(err.Error(), "of b that this connection was opened with ended at") {
			t.Errorf("error %v", err)
		}
	})
}

func TestARenewalWaitsForAnElection(t *testing.T) {
	t.Parallel()
	ns := three(t)
	makeLead(t, ns[0], ns)
	pause(t.Context(), 1100*time.Millisecond-time.Duration(time.Now().Nanosecond())) // certificates count seconds
	ns[0].kill()
	var wg sync.WaitGroup
	for _, n := range ns[1:] { // one of them will lead
		wg.Go(func() {
			before := n.Certificate()
			asked := time.Now()
			text, err := n.askRenewal(t.Context())
			for err != nil && time.Since(asked) >= electionTime*beat { // where processors are short elections take longer than it waits
				asked = time.Now()
				text, err = n.askRenewal(t.Context())
			}
			if err := errors.Join(err, n.creds.Adopt(text, n.id)); err != nil {
				t.Errorf("%s: %v", n.cfg.Name, err)
				return
			}
			if !bytes.Equal(text, onDisk(t, n.cfg)) || !n.Certificate().Expires.After(before.Expires) {
				t.Errorf("%s has %+v, had %+v", n.cfg.Name, n.Certificate(), before)
			}
		})
	}
	wg.Wait()
	ns[1].kill()
	eventually(t, "the quorum is lost", func() error {
		if ns[2].Quorum() || ns[2].Leader() != "" {
			return errors.New("it is not")
		}
		return nil
	})
	if _, err := ns[2].askRenewal(t.Context()); !errors.Is(err, ErrNoLeader) {
		t.Errorf("without a quorum: %v", err)
	}
}

func TestARenewalShowsTheCertificateOfNowWhateverConnectionsAreOpen(t *testing.T) {
	t.Parallel()
	a := first(t, "a")
	b := join(t, a, "b")
	makeLead(t, a, []*testnode{a, b})
	now := time.Now()
	brief, _ := pairOf(t, b, a, b.id, now, now.Add(5*time.Second))
	long, _ := pairOf(t, b, a, b.id, now, now.Add(time.Hour))
	if err := b.creds.Adopt(brief, b.id); err != nil {
		t.Fatal(err)
	}
	b.clients.close()
	asks := func() error { _, err := b.progressOf(t.Context(), "a"); return err }
	eventually(t, "it opens a connection, which stays open", asks)
	if err := b.creds.Adopt(long, b.id); err != nil {
		t.Fatal(err)
	}
	pause(t.Context(), time.Until(now.Add(6*time.Second)))
	eventually(t, "the connection that is open goes on", asks)
	if _, err := b.askRenewal(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestNoCertificateIsAdoptedButOnesOwn(t *testing.T) {
	t.Parallel()
	a, other := first(t, "a"), first(t, "other")
	now := time.Now()
	late := now.Add(time.Hour)
	renamed, moved := a.id, a.id
	renamed.Name, moved.ClusterID = "z", other.id.ClusterID
	sign := func(n, ca *testnode, p pki.Identity, from, until time.Time) []byte {
		text, _ := pairOf(t, n, ca, p, from, until)
		return text
	}
	before, expires := onDisk(t, a.cfg), a.Certificate().Expires
	for _, tt := range []struct {
		name string
		text []byte
		want string
	}{
		{"none", nil, "no certificate in PEM"},
		{"another name's", sign(a, a, renamed, now, late), "is z's"},
		{"another cluster's", sign(a, a, moved, now, late), "than this director's"},
		{"another key's", sign(other, a, a.id, now, late), "than this director's"},
		{"another CA's", sign(a, other, a.id, now, late), "unknown authority"},
		{"one that has ended", sign(a, a, a.id, now.Add(-time.Hour), now.Add(-time.Minute)), "is a clock wrong?"},
		{"one that is not good yet", sign(a, a, a.id, late, late.Add(time.Hour)), "is a clock wrong?"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := a.creds.Adopt(tt.text, a.id); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if !bytes.Equal(before, onDisk(t, a.cfg)) || !a.Certificate().Expires.Equal(expires) {
				t.Error("it is used")
			}
		})
	}
	text := sign(a, a, a.id, now, late)
	if err := a.creds.Adopt(text, a.id); err != nil || !bytes.Equal(text, onDisk(t, a.cfg)) || !a.Certificate().Expires.Equal(late.UTC().Truncate(time.Second)) {
		t.Errorf("its own: %v; it has %+v", err, a.Certificate())
	}
}

func TestAnExtendedCertificateIsGoodForMoreTimeAndForNoLess(t *testing.T) {
	t.Parallel()
	a := first(t, "a")
	now := time.Now().UTC().Truncate(time.Second)
	ends := a.creds.Trust().Present().NotAfter
	for _, tt := range []struct {
		name        string
		have        pki.Certificate
		from, until time.Time
	}{
		{"it ended a month ago", pki.Certificate{Issued: now.AddDate(-1, -1, 0), Expires: now.AddDate(0, -1, 0)}, now.AddDate(-1, -1, 0), now.Add(pki.MemberLifetime)},
		{"it is not good yet", pki.Certificate{Issued: now.AddDate(1, 0, 0), Expires: now.AddDate(2, 0, 0)}, now, now.AddDate(2, 0, 0)},
		{"the CA ends first", pki.Certificate{Issued: now.AddDate(0, -1, 0), Expires: ends.AddDate(1, 0, 0)}, now.AddDate(0, -1, 0), ends},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.have.CAEnds = ends
			text, err := a.extend(tt.have, now)
			if err != nil {
				t.Fatal(err)
			}
			cert, err := pki.ParseCertificate(text)
			if err != nil {
				t.Fatal(err)
			}
			if from := cert.NotBefore.Add(pki.ClockTolerance); !from.Equal(tt.from) || !cert.NotAfter.Equal(tt.until) {
				t.Errorf("it is good from %v to %v, want %v to %v", from, cert.NotAfter, tt.from, tt.until)
			}
		})
	}
	past := pki.Certificate{Issued: now.AddDate(-2, 0, 0), Expires: now.AddDate(-1, 0, 0), CAEnds: ends}
	if _, err := a.extend(past, ends.Add(time.Hour)); err == nil || !strings.Contains(err.Error(), "make a new cluster") {
		t.Errorf("after the CA: %v", err)
	}
	a.machine.state.Store(&fsm.State{})
	if _, err := a.extend(past, now); err == nil || !strings.Contains(err.Error(), "`quorate leave --force` here, `quorate remove a` on another director, then join again") {
		t.Errorf("without the CA's key: %v", err)
	}
}
