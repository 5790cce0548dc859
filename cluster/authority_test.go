package cluster

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/cluster/pki"
	"github.com/quorate/quorate/cluster/port"
	"github.com/quorate/quorate/fsm"
)

// beginsCA begins a rotation of the CA, of a test's own if one is given.
func beginsCA(t *testing.T, n *testnode, cert, key []byte) {
	t.Helper()
	eventually(t, "a rotation begins", func() error {
		_, err := n.RotateCA(t.Context(), cert, key, "test")
		if err != nil && !lostLeader(err) {
			t.Fatal(err)
		}
		return err
	})
}

// signedAnew is nil once another CA than before signs, and these nodes have its certificates.
func signedAnew(before []byte, ns ...*testnode) func() error {
	return func() error {
		for _, n := range ns {
			now := n.State().Secrets().CACert
			if own := n.ownKeys(); fsm.KeyID(now) == fsm.KeyID(before) || own.CA != fsm.KeyID(now) {
				return fmt.Errorf("%s has a certificate of %s, the CA is %s, was %s", n.cfg.Name, own.CA, fsm.KeyID(now), fsm.KeyID(before))
			}
		}
		return nil
	}
}

// overCA is nil once a rotation of the CA is over on these nodes.
func overCA(ns ...*testnode) func() error {
	return func() error {
		for _, n := range ns {
			if r, underWay := n.State().Secrets().Rotation(fsm.RotatesCA); underWay || len(n.creds.Trust().IDs()) != 1 {
				return fmt.Errorf("on %s %s; it trusts %v", n.cfg.Name, r, n.creds.Trust().IDs())
			}
		}
		return nil
	}
}

// finishesCA ends a rotation by a person's word.
func finishesCA(t *testing.T, n *testnode, force bool) {
	t.Helper()
	eventually(t, "the former CA is dropped", func() error {
		return n.FinishRotation(t.Context(), fsm.RotatesCA, force, true, "test")
	})
}

func answered(t *testing.T, n *testnode, cert *tls.Certificate) error {
	status, text, err := asked(t, n, cert, "GET", "/v1/status", "")
	if err != nil || status != http.StatusOK {
		return fmt.Errorf("%s answers %d %s: %w", n.cfg.Name, status, text, err)
	}
	return nil
}

func TestTheCAIsRotatedAndTheFormerOneIsWorthNothing(t *testing.T) {
	t.Parallel()
	ns := three(t, withAPI)
	before := ns[0].State().Secrets()
	_, old := held(t, ns[0], "ann", fsm.RoleViewer, time.Hour)
	tokens := []pki.Token{mustToken(t, ns[0], fsm.RoleDirector), mustToken(t, ns[0], fsm.RoleDirector)}

	beginsCA(t, ns[1], nil, nil)
	eventually(t, "all have new certificates", signedAnew(before.CACert, ns...))
	cutOff(ns)
	for _, n := range ns {
		mustAgree(t, n)
		eventually(t, "a certificate of before is good", func() error { return answered(t, n, old) })
	}
	d := config(t, "d")
	eventually(t, "a token of before lets in", func() error { return Join(t.Context(), d, ns[2].cfg.Bind.String(), tokens[0].String(), silently) })
	ns = append(ns, start(t, d))
	eventually(t, "d votes", func() error {
		if !ns[3].Voter() {
			return errors.New("it does not")
		}
		return signedAnew(before.CACert, ns[3])()
	})
	_, young := held(t, ns[0], "bob", fsm.RoleViewer, time.Hour)
	eventually(t, "it waits for what hangs on the former CA", func() error {
		err := ns[1].FinishRotation(t.Context(), fsm.RotatesCA, false, false, "test")
		if !errors.Is(err, ErrKeyInUse) || !strings.Contains(err.Error(), "certificates of people and programs end with it (1), and tokens (1)") {
			return fmt.Errorf("finished: %w", err)
		}
		return nil
	})

	finishesCA(t, ns[1], false)
	eventually(t, "all trust the new CA alone", overCA(ns...))
	for _, n := range ns {
		mustAgree(t, n)
	}
	for _, n := range ns[:3] { // d has no API
		eventually(t, "a certificate of now is good", func() error { return answered(t, n, young) })
		if err := answered(t, n, old); err == nil {
			t.Errorf("%s answers a certificate of the former CA", n.cfg.Name)
		}
	}
	forged := forgedBy(t, before, ns[0])
	if c, err := dialAs(t, ns[1], port.ALPNRaft, forged); err == nil && !isClosed(c) {
		t.Error("a member's certificate of the former CA opens Raft")
	}
	err := Join(t.Context(), config(t, "e"), ns[0].cfg.Bind.String(), tokens[1].String(), silently)
	if err == nil || !strings.Contains(err.Error(), "If the CA was rotated since, make another token") {
		t.Errorf("a token of the former CA: %v", err)
	}
	for i, n := range ns {
		n.end()
		eventually(t, "on disk is the new CA alone", func() error {
			text, err := os.ReadFile(filepath.Join(n.cfg.DataDir, liveDir, pki.CAFile))
			if err == nil && string(text) != string(n.State().Secrets().CACert) {
				err = fmt.Errorf("%s", text)
			}
			return err
		})
		ns[i] = start(t, n.cfg)
	}
	for _, n := range ns {
		mustAgree(t, n)
	}
}

// forgedBy is a certificate of a member as who has stolen a CA's key would make it.
func forgedBy(t *testing.T, secrets fsm.Secrets, of *testnode) *tls.Certificate {
	t.Helper()
	key, keyText, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	text, err := pki.SignMember(secrets.CACert, secrets.CAKey, key.Public(), of.id, time.Now(), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(text, keyText)
	if err != nil {
		t.Fatal(err)
	}
	return &pair
}

func TestAConnectionOfAFormerCAEndsWithIt(t *testing.T) {
	t.Parallel()
	ns := three(t)
	before := ns[0].State().Secrets()
	c, err := dialAs(t, ns[1], port.ALPNRaft, forgedBy(t, before, ns[0]))
	if err != nil {
		t.Fatalf("while it is trusted: %v", err)
	}
	beginsCA(t, ns[0], nil, nil)
	eventually(t, "the former CA is dropped", overCA(ns...))
	if !isClosed(c) {
		t.Error("who was let in by it is still there")
	}
	for _, n := range ns {
		mustAgree(t, n)
	}
}

func TestWhoWasAwayWhileTheCAWasRotatedGetsACertificateOfIt(t *testing.T) {
	t.Parallel()
	ns := three(t)
	before := ns[0].State().Secrets().CACert
	ns[2].kill()
	beginsCA(t, ns[0], nil, nil)
	beginsCA(t, ns[1], nil, nil) // twice is once
	eventually(t, "a transfer in the midst of it", func() error { return ns[0].LeadershipTransfer(t.Context()) })
	eventually(t, "two have new certificates", signedAnew(before, ns[:2]...))
	cutOff(ns[:2])
	mustAgree(t, ns[0])
	eventually(t, "who is away holds it up", func() error {
		err := ns[1].FinishRotation(t.Context(), fsm.RotatesCA, false, true, "test")
		if !errors.Is(err, ErrKeyInUse) || !strings.Contains(err.Error(), "no answer comes from c") {
			return fmt.Errorf("finished: %w", err)
		}
		return nil
	})
	ns[2] = start(t, ns[2].cfg)
	if own := ns[2].ownKeys(); own.CA != fsm.KeyID(before) {
		t.Errorf("c comes back with a certificate of %s", own.CA)
	}
	eventually(t, "c has a new certificate", signedAnew(before, ns...))
	eventually(t, "it is over", overCA(ns...))
	for _, n := range ns {
		mustAgree(t, n)
	}
}

func TestWhoWasAwayWhenItsCAWasDroppedSaysSoAndJoinsAgain(t *testing.T) {
	t.Parallel()
	ns := three(t)
	before := ns[0].State().Secrets().CACert
	c := ns[2]
	c.kill()
	beginsCA(t, ns[0], nil, nil)
	eventually(t, "two have new certificates", signedAnew(before, ns[:2]...))
	finishesCA(t, ns[0], true)
	eventually(t, "two trust the new CA alone", overCA(ns[:2]...))
	back := start(t, c.cfg)
	eventually(t, "c says that it is refused", func() error {
		if text := back.Certificate().Refused; !strings.Contains(text, "of CA "+fsm.KeyID(before)) || !strings.Contains(text, "`quorate leave --force` here, `quorate remove c` on another director") {
			return fmt.Errorf("refused: %q", text)
		}
		return nil
	})
	if back.Quorum() || back.Leader() != "" {
		t.Errorf("c is in the quorum, led by %q", back.Leader())
	}
	eventually(t, "it is removed", func() error {
		err := ns[0].Remove(t.Context(), "c", true)
		if isNoMember(err) {
			return nil // it was, and nobody knew
		}
		return err
	})
	if err := back.Leave(t.Context(), true, silently); err != nil {
		t.Fatal(err)
	}
	again := join(t, ns[1], "c")
	mustAgree(t, again)
}

func TestWhoWasLeftBehindIsToldThoughTheCAIsAnother(t *testing.T) {
	t.Parallel()
	ns := lost(t)
	before := ns[2].State().Secrets().CACert
	c := saved(t, ns[2])
	beginsCA(t, c, nil, nil)
	eventually(t, "c has a new certificate", signedAnew(before, c))
	eventually(t, "the former CA is dropped", overCA(c))
	for _, n := range ns[:2] {
		back := start(t, n.cfg)
		eventually(t, n.cfg.Name+" is fenced", func() error { return fenced(back) })
	}
}

func TestAnOwnCAIsBrought(t *testing.T) {
	t.Parallel()
	a := first(t, "a")
	b := join(t, a, "b")
	before := a.State().Secrets().CACert
	cert, key, err := pki.NewCA("Example", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	beginsCA(t, b, append([]byte("Example CA, for quorate\n"), cert...), key)
	eventually(t, "both have certificates of it", signedAnew(before, a, b))
	if now := a.State().Secrets().CACert; string(now) != string(cert) {
		t.Errorf("the CA is %s", now)
	}
	beginsCA(t, b, cert, key) // again
	eventually(t, "it is over", overCA(a, b))
	eventually(t, "again, when it is over, there is nothing to do", func() error {
		begun, err := b.RotateCA(t.Context(), cert, key, "test")
		if begun {
			t.Fatal("it begins again")
		}
		return err
	})
	mustAgree(t, b)
	join(t, b, "c")
}

func TestAnOwnCAWithAKeyThatIsTrustedAlreadyIsRefused(t *testing.T) {
	t.Parallel()
	a := first(t, "a")
	present := a.State().Secrets()
	priv, err := pki.ParseKey(present.CAKey)
	if err != nil {
		t.Fatal(err)
	}
	another := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Another name"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(pki.MinOwnLife + time.Hour), KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, another, another, priv.Public(), priv)
	if err != nil {
		t.Fatal(err)
	}
	cert, key := pki.EncodePEM("CERTIFICATE", der), present.CAKey
	eventually(t, "it is refused", func() error {
		_, err := a.RotateCA(t.Context(), cert, key, "test")
		switch {
		case err == nil:
			t.Fatal("it is taken")
		case !strings.Contains(err.Error(), `"Another name" that was brought has the same key`):
			return err
		}
		return nil
	})
	beginsCA(t, a, present.CACert, present.CAKey) // the present one itself is no other: there is nothing to do
	if r, underWay := a.State().Secrets().Rotation(fsm.RotatesCA); underWay {
		t.Errorf("%s is under way", r)
	}
}
