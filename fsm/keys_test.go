package fsm

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
)

func TestTheKeysOfRoutersAreSecretsAndStayWhereNoneIsGiven(t *testing.T) {
	put := func(s State, auth *Auth) (State, error) {
		cfg := articleConfig()
		r := cfg.Routers["outside"]
		r.Auth = auth
		cfg.Routers["outside"] = r
		next, _, err := Apply(s, s.Index+1, PutConfig{Base: s.Revision, Config: cfg})
		return next, err
	}
	base := play(t, history()[:8])
	if _, err := put(base, &Auth{Kind: AuthPassword}); !errors.Is(err, ErrNotFound) {
		t.Errorf("no key at all: %v", err)
	}
	first, err := put(base, &Auth{Kind: AuthPassword, Key: "s3cr3t"})
	if err != nil {
		t.Fatal(err)
	}
	again, err := put(first, &Auth{Kind: AuthPassword})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []State{first, again} {
		shown, err := json.Marshal(s)
		if err != nil || bytes.Contains(shown, []byte("s3cr3t")) || s.Secrets().VRRPKeys["outside"] != "s3cr3t" {
			t.Errorf("shown %s, secrets %v, %v", shown, s.Secrets().VRRPKeys, err)
		}
	}
	if _, err := put(first, &Auth{Kind: AuthHMAC, KeyID: 1}); !errors.Is(err, ErrNotFound) {
		t.Errorf("the key of another kind: %v", err)
	}
	if gone, err := put(first, nil); err != nil || gone.Secrets().VRRPKeys != nil {
		t.Errorf("no authentication any more: %v, %v", gone.Secrets().VRRPKeys, err)
	}
}

func TestAChangeOfKeysKeepsEachByItsNumber(t *testing.T) {
	put := func(s State, auth Auth) (State, error) {
		cfg := articleConfig()
		r := cfg.Routers["outside"]
		auth.Kind = AuthHMAC
		r.Auth = &auth
		cfg.Routers["outside"] = r
		next, _, err := Apply(s, s.Index+1, PutConfig{Base: s.Revision, Config: cfg})
		return next, err
	}
	s, err := put(play(t, history()[:8]), Auth{KeyID: 1, Key: "s3cr3t-1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		auth Auth
		want AuthKeys
	}{
		{Auth{KeyID: 1, OtherID: 2, OtherKey: "s3cr3t-2"}, AuthKeys{"s3cr3t-1", "s3cr3t-2"}},
		{Auth{KeyID: 2, OtherID: 1}, AuthKeys{"s3cr3t-2", "s3cr3t-1"}},
		{Auth{KeyID: 2}, AuthKeys{"s3cr3t-2", ""}},
		{Auth{KeyID: 7}, AuthKeys{"s3cr3t-2", ""}}, // one alone may get another number
		{Auth{KeyID: 8, Key: "s3cr3t-8", OtherID: 7}, AuthKeys{"s3cr3t-8", "s3cr3t-2"}},
	} {
		if s, err = put(s, tt.auth); err != nil {
			t.Fatalf("%+v: %v", tt.auth, err)
		}
		if got := s.Secrets().RouterKeys("outside"); got != tt.want {
			t.Errorf("%+v: keys %+v, want %+v", tt.auth, got, tt.want)
		}
		shown, err := json.Marshal(s)
		if err != nil || bytes.Contains(shown, []byte("s3cr3t")) {
			t.Errorf("%+v: shown %s, %v", tt.auth, shown, err)
		}
	}
	for _, auth := range []Auth{{KeyID: 9}, {KeyID: 8, OtherID: 9}, {KeyID: 9, OtherID: 8}} {
		if _, err := put(s, auth); !errors.Is(err, ErrNotFound) {
			t.Errorf("%+v: %v, want that a key is missing", auth, err)
		}
	}
}
