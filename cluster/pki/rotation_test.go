package pki

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/fsm"
)

func TestTheNextStepOfARotation(t *testing.T) {
	t.Parallel()
	use := func(name, uses string, takes ...string) KeyUse {
		return KeyUse{Name: name, Answers: true, Uses: uses, Takes: takes}
	}
	away := KeyUse{Name: "c"}
	halted := KeyUse{Name: "d", Answers: true, Halted: true, Uses: "f", Takes: []string{"f", "p"}}
	offered := fsm.Rotation{What: fsm.RotatesGossip, Present: "p", Next: "n"}
	former := fsm.Rotation{What: fsm.RotatesGossip, Present: "p", Former: "f"}
	for _, tt := range []struct {
		name    string
		r       fsm.Rotation
		members []KeyUse
		want    fsm.Command
	}{
		{"nothing is under way", fsm.Rotation{What: fsm.RotatesGossip, Present: "p"}, []KeyUse{use("a", "p", "p")}, nil},
		{"one does not take the next yet", offered, []KeyUse{use("a", "p", "p", "n"), use("b", "p", "p")}, nil},
		{"all take the next", offered, []KeyUse{use("a", "p", "p", "n"), use("b", "p", "p", "n")}, fsm.TurnKey{What: fsm.RotatesGossip, To: "n"}},
		{"all that answer do", offered, []KeyUse{use("a", "p", "p", "n"), away}, fsm.TurnKey{What: fsm.RotatesGossip, To: "n"}},
		{"one is halted that cannot", offered, []KeyUse{use("a", "p", "p", "n"), halted}, fsm.TurnKey{What: fsm.RotatesGossip, To: "n"}},
		{"one is halted with the former", former, []KeyUse{use("a", "p", "p", "f"), halted}, nil},
		{"one is halted with the present", former, []KeyUse{use("a", "p", "p", "f"), {Name: "d", Answers: true, Halted: true, Uses: "p"}}, fsm.DropKey{What: fsm.RotatesGossip, Of: "f"}},
		{"one uses the former", former, []KeyUse{use("a", "p", "p", "f"), use("b", "f", "p", "f")}, nil},
		{"one does not answer", former, []KeyUse{use("a", "p", "p", "f"), away}, nil},
		{"all use the present", former, []KeyUse{use("a", "p", "p", "f"), use("b", "p", "p", "f")}, fsm.DropKey{What: fsm.RotatesGossip, Of: "f"}},
	} {
		if diff := cmp.Diff(tt.want, KeyStatus{Rotation: tt.r, Members: tt.members}.Step()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestWhatARotationWaitsForIsSaid(t *testing.T) {
	t.Parallel()
	k := KeyStatus{Rotation: fsm.Rotation{What: fsm.RotatesGossip, Present: "p", Former: "f"}, Members: []KeyUse{
		{Name: "a", Answers: true, Uses: "p"}, {Name: "b"}, {Name: "c", Answers: true, Uses: "f"},
		{Name: "d", Answers: true, Halted: true, Uses: "f"}, {Name: "e", Answers: true, Halted: true, Uses: "p"},
	}}
	want := []string{"not p is used by c", "no answer comes from b", "an entry of the log cannot be applied on d"}
	if diff := cmp.Diff(want, k.Waits()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
