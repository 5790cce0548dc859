package fsm

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func saved(t *testing.T) ([]byte, State) {
	t.Helper()
	s := play(t, history())
	text, err := Saved{At: noon, Director: "d1", Version: "1.0", State: s}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return text, s
}

func TestASavedStateIsReadAsItWasWritten(t *testing.T) {
	text, s := saved(t)
	golden(t, "saved.txt", text)
	back, err := DecodeSaved(text)
	if err != nil {
		t.Fatal(err)
	}
	if back.State.Hash() != s.Hash() || !back.At.Equal(noon) || back.Director != "d1" || back.Version != "1.0" || back.Stale {
		t.Errorf("%s of %v by %s %s", back.State.Hash(), back.At, back.Director, back.Version)
	}
}

func TestASavedStateThatIsNotWholeIsRefused(t *testing.T) {
	text, _ := saved(t)
	refused := func(what string, text []byte) {
		t.Helper()
		if s, err := DecodeSaved(text); err == nil || s.State.ClusterID != "" {
			t.Fatalf("%s was read, error %v", what, err)
		}
	}
	for i := range text {
		flipped := bytes.Clone(text)
		flipped[i] ^= 1 << (i % 8)
		refused("a flipped byte", flipped)
		refused("a part", text[:i])
	}
	refused("a file with something behind it", append(bytes.Clone(text), '\n'))
	if _, err := DecodeSaved(text[:len(text)/2]); !errors.Is(err, ErrDamaged) {
		t.Errorf("half of it: %v", err)
	}
	if _, err := DecodeSaved([]byte("router \"web\" {}\n")); err == nil || !strings.Contains(err.Error(), "quorate snapshot save") {
		t.Errorf("another file: %v", err)
	}
	if _, err := DecodeSaved([]byte("quorate-saved-state/9 00\n")); err == nil || !strings.Contains(err.Error(), "the version that wrote it") {
		t.Errorf("a later format: %v", err)
	}
}

// restored applies a configuration as a restore of it would.
func restored(s State, c Config, level int) (State, []Change, error) {
	return Apply(s, s.Index+1, RestoreConfig{Base: s.Revision, Level: level, Config: c, Source: "a file", Author: "root"})
}

func TestARestoreBringsTheConfigurationBackAndKeepsThePresent(t *testing.T) {
	then := play(t, append(history()[:12], SetOwner{Group: "alone", Owner: "d1", Epoch: 1}))
	if then.Revision != 1 {
		t.Fatal(then.Revision)
	}
	other := articleConfig()
	delete(other.Routers, "alone") // and with it the group, whose epoch was 1
	other.Services = Map[Service]{}
	now := then
	for _, c := range []Command{
		PutConfig{Base: 1, Config: other},
		SetOwner{Group: "gateway", Owner: "d2", Epoch: 2, Reason: "moved"},
		AddToken{ID: "t3", Token: Token{Hash: "cc", Role: RoleDirector, Expires: noon}},
		AdmitMember{TokenID: "t3", SecretHash: "cc", Now: noon, Member: member("d3", 13)},
		RemoveMember{Name: "d1"},
		SetDraining{Name: "d2", Draining: true},
	} {
		next, _, err := Apply(now, now.Index+1, c)
		if err != nil {
			t.Fatalf("%s: %v", c.kind(), err)
		}
		now = next
	}
	before := now.Hash()
	next, changes, err := restored(now, then.WithKeys(), then.Level)
	if err != nil {
		t.Fatal(err)
	}
	if now.Hash() != before {
		t.Error("the state that it was applied to has changed")
	}
	if diff := cmp.Diff(then.Config.Services.Of("web").Name, next.Config.Services.Of("web").Name); diff != "" || next.Revision != 3 {
		t.Errorf("services %s, revision %d", diff, next.Revision)
	}
	if len(changes) != 1 || changes[0].Text != "revision 3 restored from a file by root" {
		t.Errorf("changes %v", changes)
	}
	if diff := cmp.Diff(now.Groups["gateway"], next.Groups["gateway"]); diff != "" {
		t.Errorf("the owner of a group that was there all the while: %s", diff)
	}
	if was, is := then.Groups["alone"].Epoch, next.Groups["alone"]; is.Epoch <= was || is.Epoch <= now.Index || is.Owner != "" {
		t.Errorf("a group that comes back is %+v, was in epoch %d", is, was)
	}
	next.Index, next.Revision, next.Config, next.Groups = now.Index, now.Revision, now.Config, now.Groups
	next.Verdicts = now.Verdicts
	if next.Hash() != before {
		t.Error("something else than the configuration was restored")
	}
}

func TestARestoreKeepsTheVerdictsOfToday(t *testing.T) {
	then := play(t, history()[:8])
	now, _, err := Apply(then, 20, SetVerdicts{Verdicts: map[ServerKey]Verdict{web11: {Down, "died since"}}})
	if err != nil {
		t.Fatal(err)
	}
	next, _, err := restored(now, then.WithKeys(), 1)
	if err != nil || next.Verdict(web11).Health != Down {
		t.Errorf("%v, %v", next.Verdict(web11), err)
	}
}

func TestARestoreBringsKeysBack(t *testing.T) {
	cfg := articleConfig()
	r := cfg.Routers["outside"]
	r.Auth = &Auth{Kind: AuthPassword, Key: "s3cr3t"}
	cfg.Routers["outside"] = r
	then, _, err := Apply(play(t, history()[:6]), 9, PutConfig{Config: cfg})
	if err != nil {
		t.Fatal(err)
	}
	now, _, err := Apply(then, 10, PutConfig{Base: 1, Config: articleConfig()})
	if err != nil || len(now.Secrets().VRRPKeys) > 0 {
		t.Fatal(now.Secrets().VRRPKeys, err)
	}
	next, _, err := restored(now, then.WithKeys(), 1)
	if err != nil || next.Secrets().VRRPKeys["outside"] != "s3cr3t" || next.Config.Routers["outside"].Auth.Key != "" {
		t.Errorf("keys %v, %+v, %v", next.Secrets().VRRPKeys, next.Config.Routers["outside"].Auth, err)
	}
	if then.Config.Routers["outside"].Auth.Key != "" {
		t.Error("the key is in the saved state's configuration now")
	}
}

func TestARestoreIsRefused(t *testing.T) {
	now := play(t, history()[:8])
	if _, _, err := Apply(now, 50, RestoreConfig{Base: 0, Level: 1}); !errors.Is(err, ErrStale) {
		t.Errorf("of a plan on another revision: %v", err)
	}
	if _, _, err := restored(now, articleConfig(), 2); err == nil || !strings.Contains(err.Error(), "feature level 2") {
		t.Errorf("of a level that is too new: %v", err)
	}
}

func FuzzDecodeSaved(f *testing.F) {
	s, _, _ := Apply(Empty, 2, history()[0])
	text, err := Saved{At: noon, Director: "d1", Version: "1.0", State: s}.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add(text[:len(text)/2])
	f.Add([]byte("quorate-saved-state/1 00\n{}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := DecodeSaved(text)
		if err != nil {
			return // to refuse is fine
		}
		again, err := s.Encode()
		if err != nil {
			return // a year that JSON cannot carry
		}
		if back, err := DecodeSaved(again); err != nil || back.State.Hash() != s.State.Hash() {
			t.Fatalf("%s became %s, %v", text, again, err)
		}
	})
}
