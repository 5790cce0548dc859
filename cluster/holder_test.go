package cluster

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/cluster/pki"
	"github.com/quorate/quorate/cluster/port"
	"github.com/quorate/quorate/fsm"
)

// withAPI has a node say who asks.
func withAPI(c *Config) {
	c.API = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, _ := CallerOf(r.Context())
		_ = json.NewEncoder(w).Encode(who)
	})
	c.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
}

// requested is a key in PEM, and a request for a certificate of it.
func requested(t *testing.T) (key, csr []byte) {
	t.Helper()
	signer, key, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	if csr, err = pki.NewRequest("holder", signer); err != nil {
		t.Fatal(err)
	}
	return key, csr
}

// held is a certificate that somebody holds.
func held(t *testing.T, n *testnode, name string, role fsm.Role, lifetime time.Duration) (Holder, *tls.Certificate) {
	t.Helper()
	key, csr := requested(t)
	var h Holder
	eventually(t, "a certificate is made", func() (err error) {
		if h, err = n.CreateCertificate(t.Context(), csr, name, role, lifetime); err != nil && !lostLeader(err) {
			t.Fatal(err)
		}
		return err
	})
	pair, err := tls.X509KeyPair(h.Certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	return h, &pair
}

func TestACertificateOpensTheAPIInItsRoleAndNothingElse(t *testing.T) {
	t.Parallel()
	a := first(t, "a", withAPI)
	b := join(t, a, "b", withAPI)
	h, cert := held(t, b, "ann", fsm.RoleViewer, time.Hour)
	for _, n := range []*testnode{a, b} {
		eventually(t, n.cfg.Name+" knows it", func() error {
			status, text, err := asked(t, n, cert, "GET", "/v1/status", "")
			if err != nil || status != http.StatusOK || strings.TrimSpace(text) != `{"Name":"ann","Role":"viewer","Member":false}` {
				return errors.New(text)
			}
			return nil
		})
		for _, path := range []string{"GET /cluster/progress", "POST /cluster/propose", "POST /cluster/lane", "POST /cluster/remove", "POST /cluster/renew", "POST " + epochPath, "GET /peer/explain/x", "GET /"} {
			method, path, _ := strings.Cut(path, " ")
			if status, text, err := asked(t, n, cert, method, path, "{}"); err == nil && (status/100 == 2 || status == http.StatusTeapot) {
				t.Errorf("%s %s is answered: %d %s", method, path, status, text)
			}
		}
		if c, err := dialAs(t, n, port.ALPNRaft, cert); err == nil && !isClosed(c) {
			t.Error("Raft is spoken with it")
		}
	}
	if status, text, err := asked(t, a, b.creds.Pair(), "GET", "/v1/status", ""); err != nil || status != http.StatusOK || !strings.Contains(text, `"Role":"admin","Member":true`) {
		t.Errorf("a member is answered %d %s %v", status, text, err)
	}
	if status, text, err := asked(t, a, nil, "GET", "/v1/status", ""); err != nil || status != http.StatusForbidden {
		t.Errorf("who shows nothing is answered %d %s %v", status, text, err)
	}
	eventually(t, "it is revoked", func() error {
		err := b.Propose(t.Context(), fsm.RevokeToken{ID: h.ID})
		if errors.Is(err, fsm.ErrAlready) {
			return nil // it was, and nobody knew
		}
		return err
	})
	for _, n := range []*testnode{a, b} {
		eventually(t, n.cfg.Name+" knows that it was revoked", func() error {
			status, text, err := asked(t, n, cert, "GET", "/v1/status", "")
			if err != nil || status != http.StatusForbidden || !strings.Contains(text, "was revoked") {
				return errors.New(text)
			}
			return nil
		})
	}
}

func TestACertificateIsNoTokenAndLetsNobodyJoin(t *testing.T) {
	t.Parallel()
	a := first(t, "a", withAPI)
	h, cert := held(t, a, "ann", fsm.RoleAdmin, time.Hour)
	parsed, err := pki.ParseCertificate(h.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	b := config(t, "b")
	m := b.member("")
	key, _, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	if m.ID, err = pki.MemberID(key.Public()); err != nil {
		t.Fatal(err)
	}
	csr, err := pki.NewRequest("b", key)
	if err != nil {
		t.Fatal(err)
	}
	for _, role := range []fsm.Role{fsm.RoleAdmin, fsm.RoleDirector} {
		for _, secret := range [][]byte{nil, parsed.Raw, h.Certificate} {
			m.Role = role
			body, err := json.Marshal(joinRequest{Member: m, CSR: csr, TokenID: h.ID, Secret: secret, Now: time.Now()})
			if err != nil {
				t.Fatal(err)
			}
			if status, text, err := asked(t, a, cert, "POST", "/cluster/join", string(body)); err != nil || status/100 == 2 {
				t.Errorf("as %s it joins: %d %s %v", role, status, text, err)
			}
		}
	}
	if len(a.State().Members) != 1 {
		t.Error("somebody joined")
	}
}

func TestACertificateThatCannotBeIsRefused(t *testing.T) {
	t.Parallel()
	a := first(t, "a", withAPI)
	_, csr := requested(t)
	for _, tt := range []struct {
		name     string
		role     fsm.Role
		lifetime time.Duration
		csr      []byte
		text     string
	}{
		{"ann", fsm.RoleDirector, time.Hour, csr, "opens nothing"},
		{"ann", "", time.Hour, csr, "opens nothing"},
		{"a/b", fsm.RoleViewer, time.Hour, csr, "holder's name"},
		{"ann", fsm.RoleViewer, 0, csr, "lifetime"},
		{"ann", fsm.RoleViewer, 2 * maxHolderLife, csr, "lifetime"},
		{"ann", fsm.RoleViewer, time.Hour, []byte("x"), "certificate request"},
	} {
		if _, err := a.CreateCertificate(t.Context(), tt.csr, tt.name, tt.role, tt.lifetime); err == nil || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s, %s, %v: %v", tt.name, tt.role, tt.lifetime, err)
		}
	}
	if len(a.State().Secrets().Tokens) != 0 {
		t.Error("something was recorded")
	}
	t.Run("one that has ended", func(t *testing.T) {
		h, cert := held(t, a, "ann", fsm.RoleViewer, time.Second)
		eventually(t, "it ends", func() error {
			if !time.Now().After(h.Expires) {
				return errors.New("not yet")
			}
			return nil
		})
		if status, text, err := asked(t, a, cert, "GET", "/v1/status", ""); err == nil && status/100 == 2 {
			t.Errorf("it is answered %d %s", status, text)
		}
	})
}
