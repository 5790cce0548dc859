package agent

import (
	"testing"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/fsm"
)

func TestHowManyMoreMayFail(t *testing.T) {
	for _, tt := range []struct {
		voters, able int
		quorum       bool
		want         int
	}{
		{1, 1, true, 0}, {2, 2, true, 0}, {3, 3, true, 1}, {3, 2, true, 0}, {3, 1, false, 0}, {4, 4, true, 1},
		{5, 5, true, 2}, {5, 4, true, 1}, {5, 3, true, 0}, {7, 7, true, 3}, {7, 6, true, 2},
		{3, 1, true, 0}, // the reports are late: the quorum is there all the same
		{3, 3, false, 0},
	} {
		if got := mayFail(tt.voters, tt.able, tt.quorum); got != tt.want {
			t.Errorf("%d of %d voters answer and can write, quorum %v: %d more may fail, want %d", tt.able, tt.voters, tt.quorum, got, tt.want)
		}
	}
}

func TestWhoseDiskIsFullIsNotCountedOn(t *testing.T) {
	live := map[string]received{"d1": {}, "d2": {report: report{NoWrite: "full"}}, "d3": {}, "d4": {report: report{Stopped: true, NoWrite: "full"}}}
	var st api.Status
	countVoters(&st, []string{"d1", "d2", "d3", "d4", "d5"}, live)
	if st.Voters != 5 || st.Answering != 3 || st.CannotWrite != 1 {
		t.Errorf("%d voters, %d answer, %d cannot write", st.Voters, st.Answering, st.CannotWrite)
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
