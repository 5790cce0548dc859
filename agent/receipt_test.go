package agent

import (
	"testing"

	"github.com/quorate/quorate/fsm"
)

func TestAMoveIsUnderWayUntilTheLogNamesTheSuccessor(t *testing.T) {
	for _, tt := range []struct {
		name  string
		group fsm.Ownership
		want  bool
	}{
		{"nothing moves", fsm.Ownership{Owner: "d1", Epoch: 1}, false},
		{"it moves away", fsm.Ownership{Owner: "d1", Epoch: 1, Intent: &fsm.Intent{To: "d2", Epoch: 2}}, true},
		{"it came out", fsm.Ownership{Owner: "d2", Epoch: 2}, false},
		{"it moves on from another", fsm.Ownership{Owner: "d2", Epoch: 2, Intent: &fsm.Intent{To: "d3", Epoch: 3}}, false},
	} {
		state := &fsm.State{Groups: map[string]fsm.Ownership{"g": tt.group}}
		if got := movesFrom(state, "d1"); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
