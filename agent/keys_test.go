package agent

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/cluster"
	"github.com/quorate/quorate/cluster/pki"
	"github.com/quorate/quorate/fsm"
)

func TestARotationIsToldUntilItIsOver(t *testing.T) {
	a, _ := alone(t, nodeConfig(t, "d1", fsm.LevelKeys))
	before, err := a.Keys(t.Context())
	if err != nil || len(before) != 2 || before[0].UnderWay || before[0].Present == "" {
		t.Fatalf("before: %+v, %v", before, err)
	}
	var said []string
	say := func(step string) { said = append(said, step) }
	if err := a.RotateKey(t.Context(), api.RotateRequest{What: fsm.RotatesGossip}, say); err != nil {
		t.Fatal(err)
	}
	after, err := a.Keys(t.Context())
	if err != nil || after[0].UnderWay || after[0].Present == before[0].Present {
		t.Fatalf("after: %+v, was %+v, %v", after, before, err)
	}
	if want := "every director uses " + after[0].Present + " alone"; !slices.Contains(said, want) {
		t.Errorf("it says %q, want %q", said, want)
	}
	if k, err := a.FinishRotation(t.Context(), api.FinishRotationRequest{What: fsm.RotatesGossip}); err != nil || k.Present != after[0].Present {
		t.Errorf("the end of what is over: %+v, %v", k, err)
	}
	for _, err := range []error{
		a.RotateKey(t.Context(), api.RotateRequest{What: "all"}, say),
		func() error {
			_, err := a.FinishRotation(t.Context(), api.FinishRotationRequest{What: "all"})
			return err
		}(),
	} {
		if err == nil || !strings.Contains(err.Error(), fsm.RotatesGossip) {
			t.Errorf("something else: %v", err)
		}
	}
}

func TestAnOwnCAThatIsEmptyIsNotOneThatTheClusterMakes(t *testing.T) {
	a, s := alone(t, nodeConfig(t, "d1", fsm.LevelKeys))
	before := s.node.State().Secrets().CACert
	for _, r := range []api.RotateRequest{{Cert: []byte{}, Key: []byte{}}, {Cert: []byte{}}, {Key: []byte{}}, {Cert: []byte("x"), Key: []byte{}}} {
		r.What = fsm.RotatesCA
		if err := a.RotateKey(t.Context(), r, func(string) {}); err == nil || !strings.Contains(err.Error(), "is empty") {
			t.Errorf("%+v: %v", r, err)
		}
	}
	if !bytes.Equal(before, s.node.State().Secrets().CACert) {
		t.Error("the CA was rotated")
	}
}

// ownCA is a CA as a person brings it, that is good for so long.
func ownCA(t *testing.T, life time.Duration) (cert, key []byte) {
	t.Helper()
	priv, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Example CA"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(life),
		KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, priv.Public(), priv)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(priv)
	if err != nil {
		t.Fatal(err)
	}
	return pki.EncodePEM("CERTIFICATE", der), pki.EncodePEM("EC PRIVATE KEY", keyDER)
}

func TestAnOwnCAOfWhichStatusWarnsAtOnceIsTakenWithAWord(t *testing.T) {
	t.Parallel()
	a, _ := alone(t, nodeConfig(t, "d1", fsm.LevelKeys))
	for _, tt := range []struct {
		life time.Duration
		want bool
	}{
		{200 * 24 * time.Hour, true},
		{400 * 24 * time.Hour, false},
	} {
		cert, key := ownCA(t, tt.life)
		said := ""
		if err := a.RotateKey(t.Context(), api.RotateRequest{What: fsm.RotatesCA, Cert: cert, Key: key}, func(step string) { said += step + "\n" }); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(said, "status` warns from now on: the cluster's CA ends on "); got != tt.want {
			t.Errorf("one that is good for %v: %s", tt.life, said)
		}
	}
}

func TestADrainThatWaitsSaysWhy(t *testing.T) {
	_, s := alone(t, nodeConfig(t, "d1", fsm.LevelKeys))
	if got := s.draining("d1", []string{"mail", "web"}); got != "d1 still owns mail, web" {
		t.Errorf("%q", got)
	}
}

func TestOfWhoIsAwayAKeyIsFinishedByForce(t *testing.T) {
	if got := []string{finishes("ca", false), finishes("gossip", true)}; got[0] != "quorate key finish ca" || got[1] != "quorate key finish gossip --force" {
		t.Errorf("%q", got)
	}
}

func TestARotationNeedsItsLevel(t *testing.T) {
	a, _ := alone(t, nodeConfig(t, "d1", fsm.LevelKeys-1))
	if err := a.RotateKey(t.Context(), api.RotateRequest{What: fsm.RotatesGossip}, func(string) {}); !errors.Is(err, fsm.ErrLevel) {
		t.Errorf("error %v", err)
	}
}

func TestARotationOfTheCAWaitsForWhatEndsWithIt(t *testing.T) {
	a, s := alone(t, nodeConfig(t, "d1", fsm.LevelKeys))
	_, csr, err := api.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.CreateCertificate(t.Context(), api.CertificateRequest{Name: "ann", Role: "viewer", Lifetime: time.Hour, CSR: csr}); err != nil {
		t.Fatal(err)
	}
	before, err := a.Tokens(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	if err := a.RotateKey(t.Context(), api.RotateRequest{What: fsm.RotatesCA}, func(step string) { said = append(said, step) }); err != nil {
		t.Fatal(err)
	}
	if last := said[len(said)-1]; !strings.Contains(last, before[0].CA+" is taken as long as certificates of people and programs end with it (1), and tokens (0)") {
		t.Errorf("it says %q", said)
	}
	if all := rotations(s.node.State()); len(all) != 1 || !strings.HasSuffix(all[0], before[0].CA+" is still taken") {
		t.Errorf("status: %q", all)
	}
	ks, err := a.Keys(t.Context())
	if err != nil || ks[1].Former != before[0].CA || ks[1].Certificates != 1 || ks[1].Tokens != 0 || len(ks[1].WaitsFor) != 1 {
		t.Errorf("%+v, %v", ks, err)
	}
	if _, err := a.FinishRotation(t.Context(), api.FinishRotationRequest{What: fsm.RotatesCA}); !errors.Is(err, cluster.ErrKeyInUse) {
		t.Errorf("finished without a word: %v", err)
	}
	k, err := a.FinishRotation(t.Context(), api.FinishRotationRequest{What: fsm.RotatesCA, Ending: true})
	if err != nil || k.UnderWay || k.Present == before[0].CA {
		t.Errorf("finished: %+v, %v", k, err)
	}
	if left, err := a.Tokens(t.Context()); err != nil || len(left) != 0 {
		t.Errorf("left: %+v, %v", left, err)
	}
	secrets := s.node.State().Secrets()
	shown, err := json.Marshal([]any{ks, k, before, said})
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range [][]byte{secrets.CAKey, secrets.GossipKey} {
		if len(secret) == 0 || bytes.Contains(shown, secret) || strings.Contains(string(shown), base64.StdEncoding.EncodeToString(secret)) || strings.Contains(string(shown), hex.EncodeToString(secret)) {
			t.Errorf("a key is shown, or there is none: %s", shown)
		}
	}
}
