package fsm

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// level3 begins a cluster of the level that can rotate its keys.
func level3() InitCluster {
	c := history()[0].(InitCluster)
	c.Level = LevelKeys
	return c
}

// gossipKey is one of a number.
func gossipKey(n byte) []byte { return bytes.Repeat([]byte{n}, gossipKeySize) }

// rotations is one command of every kind that came with the rotation of keys, in an order in which each is accepted.
// A rotation is under way at their end.
func rotations() []Command {
	first, second := KeyID([]byte("gossip")), KeyID(gossipKey(2))
	return []Command{
		level3(),
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
	back, err := ReadSnapshot(&b)
	if err != nil || back.Hash() != s.Hash() {
		t.Fatalf("the state read is not the state written: %v", err)
	}
	if r, ok := back.Secrets().Rotation(RotatesGossip); !ok || r.Present != KeyID(gossipKey(3)) || r.Former != KeyID(gossipKey(2)) || r.Next != "" {
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
		seen[next.Hash()], s = true, next
		shown, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range append([]string{string(shown)}, texts(changes)...) {
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
