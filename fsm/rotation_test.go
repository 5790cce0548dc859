package fsm

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// level3 begins a cluster of the level that can rotate its keys.
func level3() InitCluster {
	c := history()[0].(InitCluster)
	c.Level = LevelKeys
	return c
}

// gossipKey is one of a number.
func gossipKey(n byte) []byte { return bytes.Repeat([]byte{n}, gossipKeySize) }

// authority is a CA of a number.
func authority(n int) Authority {
	text := func(what string) []byte { return fmt.Append(nil, what, n) }
	return Authority{Cert: text("cert"), Key: text("secret"), Link: text("link")}
}

// rotations is one command of every kind that came with the rotation of keys, in an order in which each is accepted.
// A rotation is under way at their end.
func rotations() []Command {
	first, second, ca, ca2 := KeyID([]byte("gossip")), KeyID(gossipKey(2)), KeyID([]byte("cert")), KeyID([]byte("cert2"))
	return []Command{
		level3(),
		AddToken{ID: "t1", Token: Token{Hash: "aa", Role: RoleDirector, Expires: noon}},
		OfferCA{Of: ca, CA: authority(2), Author: "root@d1"},
		AddToken{ID: "c1", Token: Token{Hash: "bb", Role: RoleViewer, Expires: noon, UsedBy: "ann", CA: ca}},
		TurnKey{What: RotatesCA, To: ca2},
		AddToken{ID: "c2", Token: Token{Hash: "cc", Role: RoleViewer, Expires: noon, UsedBy: "ann", CA: ca2}},
		DropKey{What: RotatesCA, Of: ca},
		OfferCA{Of: ca2, CA: authority(3)},
		TurnKey{What: RotatesCA, To: KeyID([]byte("cert3"))},
		OfferGossipKey{Of: first, Key: gossipKey(2), Author: "root@d1"},
		TurnKey{What: RotatesGossip, To: second},
		DropKey{What: RotatesGossip, Of: first, Author: "root@d1"},
		OfferGossipKey{Of: second, Key: gossipKey(3), Author: "root@d1"},
		TurnKey{What: RotatesGossip, To: KeyID(gossipKey(3))},
	}
}

func TestTheGoldenLogOfRotationsLeadsToTheGoldenSnapshot(t *testing.T) {
	s := play(t, rotations())
	var b bytes.Buffer
	if err := WriteSnapshot(&b, s); err != nil {
		t.Fatal(err)
	}
	golden(t, "snapshot-rotation.txt", b.Bytes())
	first := changes()
	first[0] = level3()
	golden(t, "hash-level3.txt", fmt.Appendf(nil, "%s\n%s\n%s\n%s\n%s\n",
		s.Hash(), play(t, first).Hash(), play(t, endings()).Hash(), play(t, renaming()).Hash(), play(t, asking()).Hash()))
	back, err := ReadSnapshot(&b)
	if err != nil || back.Hash() != s.Hash() {
		t.Fatalf("the state read is not the state written: %v", err)
	}
	sec := back.Secrets()
	if r, ok := sec.Rotation(RotatesCA); !ok || r.Present != KeyID([]byte("cert3")) || r.Former != KeyID([]byte("cert2")) || string(sec.CAKey) != "secret3" {
		t.Errorf("%+v, %v, key %s", r, ok, sec.CAKey)
	}
	if diff := cmp.Diff([]Link{{[]byte("cert"), []byte("link2")}, {[]byte("cert2"), []byte("link3")}}, sec.CALinks); diff != "" {
		t.Error(diff)
	}
	if r, ok := sec.Rotation(RotatesGossip); !ok || r.Present != KeyID(gossipKey(3)) || r.Former != KeyID(gossipKey(2)) || r.Next != "" {
		t.Errorf("%+v, %v", r, ok)
	}
}

func TestEveryStepOfARotationIsInTheHashAndTellsNoKey(t *testing.T) {
	s, seen := Empty, map[string]bool{}
	for _, c := range rotations() {
		next, changes, err := Apply(s, 1, c)
		if err != nil {
			t.Fatal(err)
		}
		if seen[next.Hash()] {
			t.Errorf("%s is not in the hash", c.kind())
		}
		if err := next.Verify(); err != nil {
			t.Errorf("%s: %v", c.kind(), err)
		}
		seen[next.Hash()], s = true, next
		shown, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range append([]string{string(shown)}, texts(changes)...) {
			if strings.Contains(text, "secret") || strings.Contains(text, base64.StdEncoding.EncodeToString([]byte("secret2"))) {
				t.Errorf("%s shows a CA's key: %s", c.kind(), text)
			}
			for n := range byte(4) {
				if strings.Contains(text, base64.StdEncoding.EncodeToString(gossipKey(n))) || strings.Contains(text, string(gossipKey(n))) {
					t.Errorf("%s shows a key: %s", c.kind(), text)
				}
			}
		}
		if len(changes) == 0 {
			t.Errorf("%s tells nothing", c.kind())
		}
	}
}

func texts(changes []Change) []string {
	var out []string
	for _, c := range changes {
		out = append(out, c.Text)
	}
	return out
}

func TestTheStepsOfARotationAreTakenInTheirOrderAndOnce(t *testing.T) {
	first, second, third := KeyID([]byte("gossip")), KeyID(gossipKey(2)), KeyID(gossipKey(3))
	offer := OfferGossipKey{Of: first, Key: gossipKey(2)}
	turn, drop := TurnKey{RotatesGossip, second}, DropKey{What: RotatesGossip, Of: first}
	low := play(t, changes()[:1])
	base := play(t, rotations()[:1])
	offered := playOn(t, base, []Command{offer})
	turned := playOn(t, offered, []Command{turn})
	dropped := playOn(t, turned, []Command{drop})
	for _, tt := range []struct {
		name string
		on   State
		c    Command
		is   error // nil: it is taken, and changes nothing
	}{
		{"a level that is too low", low, offer, ErrLevel},
		{"a level that is too low", low, turn, ErrLevel},
		{"a level that is too low", low, drop, ErrLevel},
		{"a second offer", offered, offer, ErrTaken},
		{"another one under way", turned, OfferGossipKey{Of: second, Key: gossipKey(3)}, ErrTaken},
		{"an offer on a key of before", dropped, offer, ErrStale},
		{"the present key again", dropped, OfferGossipKey{Of: second, Key: gossipKey(2)}, ErrTaken},
		{"a turn to nothing", base, TurnKey{What: RotatesGossip}, ErrStale},
		{"a turn to what was not offered", offered, TurnKey{RotatesGossip, third}, ErrStale},
		{"a turn of something else", offered, TurnKey{"nothing", second}, ErrStale},
		{"the turn again", turned, turn, nil},
		{"the turn again, later", dropped, turn, nil},
		{"a drop before the turn", offered, drop, ErrStale},
		{"a drop of the key that is used", turned, DropKey{What: RotatesGossip, Of: second}, ErrStale},
		{"the drop again", dropped, drop, nil},
	} {
		next, changes, err := Apply(tt.on, tt.on.Index, tt.c)
		if !errors.Is(err, tt.is) || len(changes) > 0 || next.Hash() != tt.on.Hash() {
			t.Errorf("%s: %v, changes %v, want %v and no change", tt.name, err, changes, tt.is)
		}
	}
	if _, _, err := Apply(base, 2, OfferGossipKey{Of: first, Key: []byte("short")}); err == nil {
		t.Error("a short key is taken")
	}
	if _, _, err := Apply(turned, 2, DropKey{What: "nothing", Of: first}); err == nil {
		t.Error("nothing is dropped")
	}
	if id := KeyID(gossipKey(2)); len(id) != 8 || KeyID(nil) != "" {
		t.Errorf("IDs %q and %q", id, KeyID(nil))
	}
}

func TestWhatWasMadeUnderACAEndsWithIt(t *testing.T) {
	all := rotations()
	ca, ca2 := KeyID([]byte("cert")), KeyID([]byte("cert2"))
	before := noon.Add(-time.Minute)
	hanging := func(s State, id string, at time.Time) [2]int {
		certificates, tokens := s.Secrets().Hanging(id, at)
		return [2]int{certificates, tokens}
	}
	offered, turned, dropped := play(t, all[:4]), play(t, all[:6]), play(t, all[:7])
	for _, tt := range []struct {
		name string
		got  [2]int
		want [2]int
	}{
		{"before the turn", hanging(offered, ca, before), [2]int{1, 1}},
		{"after the turn, of the former", hanging(turned, ca, before), [2]int{1, 1}},
		{"after the turn, of the present", hanging(turned, ca2, before), [2]int{1, 0}},
		{"what has expired", hanging(turned, ca, noon.Add(time.Second)), [2]int{0, 0}},
		{"after the drop", hanging(dropped, ca, before), [2]int{0, 0}},
		{"after the drop, of the present", hanging(dropped, ca2, before), [2]int{1, 0}},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, tt.got, tt.want)
		}
	}
	if n := len(dropped.Secrets().Tokens); n != 1 {
		t.Errorf("%d tokens are left", n)
	}
	late := AddToken{ID: "c3", Token: Token{Role: RoleViewer, Expires: noon, CA: ca}}
	if _, _, err := Apply(dropped, 9, late); !errors.Is(err, ErrStale) {
		t.Errorf("a token of a CA that was dropped: %v", err)
	}
	if _, _, err := Apply(play(t, changes()[:1]), 9, late); !errors.Is(err, ErrLevel) {
		t.Errorf("a token with its CA at an older level: %v", err)
	}
	for name, bad := range map[string]Authority{"none": {}, "no key": {Cert: []byte("c"), Link: []byte("l")}, "no link": {Cert: []byte("c"), Key: []byte("k")}} {
		if _, _, err := Apply(dropped, 9, OfferCA{Of: ca2, CA: bad}); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if _, _, err := Apply(dropped, 9, OfferCA{Of: ca2, CA: authority(2)}); !errors.Is(err, ErrTaken) {
		t.Errorf("the present CA again: %v", err)
	}
}

func TestTheNewestLinksAreKept(t *testing.T) {
	s := play(t, rotations()[:1])
	for i := range linksKept + 3 {
		next := authority(i + 2)
		of := KeyID(s.Secrets().CACert)
		s = playOn(t, s, []Command{OfferCA{Of: of, CA: next}, TurnKey{RotatesCA, KeyID(next.Cert)}, DropKey{What: RotatesCA, Of: of}})
	}
	if links := s.Secrets().CALinks; len(links) != linksKept || string(links[linksKept-1].Cert) != string(authority(linksKept+4).Link) {
		t.Errorf("links %s", links)
	}
}
