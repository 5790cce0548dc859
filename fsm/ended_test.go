package fsm

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
)

// endings ends a membership and two tokens, and one of them by another name again.
func endings() []Command {
	return []Command{
		level3(),
		AddToken{ID: "t1", Token: Token{Hash: "aa", Role: RoleDirector, Expires: noon}},
		AddToken{ID: "c1", Token: Token{Hash: "bb", Role: RoleViewer, Expires: noon, UsedBy: "ann"}},
		AdmitMember{TokenID: "t1", SecretHash: "aa", Now: noon, Member: member("d2", 2)},
		RevokeToken{ID: "c1"},
		RemoveMember{Name: "d2"},
		RevokeToken{ID: "t1"},
	}
}

func TestWhatWasEndedIsNotTakenForWhatNeverWas(t *testing.T) {
	s := play(t, endings())
	for _, tt := range []struct {
		c    Command
		want error
		text string
	}{
		{RemoveMember{Name: "d2"}, ErrAlready, "member d2 was removed, or has left, already"},
		{RemoveMember{Name: "d3"}, ErrNotFound, "member d3: not found"},
		{RevokeToken{ID: "t1"}, ErrAlready, "token or certificate t1 was revoked already"},
		{RevokeToken{ID: "c1"}, ErrAlready, "token or certificate c1 was revoked already"},
		{RevokeToken{ID: "d2"}, ErrNotFound, "no token and no certificate has the ID d2: not found"},
		{Once{Request: "r", Command: RevokeToken{ID: "t1"}}, ErrAlready, "token or certificate t1 was revoked already"},
	} {
		if _, _, err := Apply(s, s.Index+1, tt.c); !errors.Is(err, tt.want) || err.Error() != tt.text {
			t.Errorf("%+v: %v, want %s", tt.c, err, tt.text)
		}
	}
	again := playOn(t, s, []Command{
		AddToken{ID: "t2", Token: Token{Hash: "cc", Role: RoleDirector, Expires: noon}},
		AdmitMember{TokenID: "t2", SecretHash: "cc", Now: noon, Member: member("d2", 2)},
		RemoveMember{Name: "d2"}, // who came back is removed indeed
	})
	if _, there := again.Members["d2"]; there || len(again.Ended) != 3 {
		t.Errorf("members %v, ended %v", again.Members, again.Ended)
	}
}

func TestBelowItsLevelNothingThatWasEndedIsKept(t *testing.T) {
	old := endings()
	old[0] = level2()
	s := play(t, old)
	if _, _, err := Apply(s, s.Index+1, RemoveMember{Name: "d2"}); !errors.Is(err, ErrNotFound) || s.Ended != nil {
		t.Errorf("%v, ended %v", err, s.Ended)
	}
}

func TestAHundredThatWereEndedAreKnown(t *testing.T) {
	s := play(t, []Command{level3()})
	for i := range maxEnded + 10 {
		id := fmt.Sprint("t", i)
		before := s
		s = playOn(t, s, []Command{AddToken{ID: id, Token: Token{Hash: "aa", Role: RoleDirector, Expires: noon}}, RevokeToken{ID: id}})
		if err := errors.Join(before.Verify(), s.Verify()); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.Ended) != maxEnded || s.Ended[0].Name != "t10" || s.Ended[maxEnded-1].Index != s.Index {
		t.Errorf("%d are known, from %v on, of entry %d", len(s.Ended), s.Ended[0], s.Index)
	}
}

func TestWhatWasEndedIsInTheGoldenSnapshot(t *testing.T) {
	s := play(t, endings())
	var b bytes.Buffer
	if err := WriteSnapshot(&b, s); err != nil {
		t.Fatal(err)
	}
	golden(t, "snapshot-ended.txt", b.Bytes())
	if back, err := ReadSnapshot(&b); err != nil || back.Hash() != s.Hash() {
		t.Errorf("the state read is not the state written: %v", err)
	}
}
