package agent

import (
	"testing"

	"github.com/quorate/quorate/fsm"
)

func TestHowManyMoreMayFail(t *testing.T) {
	for _, tt := range []struct {
		voters, answering int
		quorum            bool
		want              int
	}{
		{1, 1, true, 0}, {2, 2, true, 0}, {3, 3, true, 1}, {3, 2, true, 0}, {3, 1, false, 0}, {4, 4, true, 1},
		{5, 5, true, 2}, {5, 4, true, 1}, {5, 3, true, 0}, {7, 7, true, 3}, {7, 6, true, 2},
		{3, 1, true, 0}, // the reports are late: the quorum is there all the same
		{3, 3, false, 0},
	} {
		if got := mayFail(tt.voters, tt.answering, tt.quorum); got != tt.want {
			t.Errorf("%d of %d voters answer, quorum %v: %d more may fail, want %d", tt.answering, tt.voters, tt.quorum, got, tt.want)
		}
	}
}

func TestWhoIsBehindIsHeldAgainstTheFurthest(t *testing.T) {
	live := map[string]received{"d1": {report: report{Index: 7}}, "d2": {report: report{Index: 9}}}
	highest := highestIndex(&fsm.State{Index: 8}, live)
	for name, want := range map[string]uint64{"d1": 2, "d2": 0, "d3": 0} {
		if got := directorStatus(fsm.Member{Name: name}, live, highest).Behind; got != want {
			t.Errorf("%s is %d behind, want %d", name, got, want)
		}
	}
}

// Below fsm.LevelSum a director's hash is that of an entry before: held against the state of now it would be another one.
func TestAHashIsSaidOnlyOfTheStateThatItIsOf(t *testing.T) {
	live := map[string]received{"d1": {report: report{Index: 7, HashIndex: 7, Hash: "aa"}}, "d2": {report: report{Index: 7, HashIndex: 6, Hash: "bb"}}}
	for name, want := range map[string]string{"d1": "aa", "d2": "", "d3": ""} {
		if got := directorStatus(fsm.Member{Name: name}, live, 7).StateHash; got != want {
			t.Errorf("%s has the hash %q, want %q", name, got, want)
		}
	}
}
