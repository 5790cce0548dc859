package agent

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/quorate/quorate/fsm"
)

func TestWhoHasAnotherStateThanAMajorityIsOutvoted(t *testing.T) {
	known := uint64(5) // and the four entries after it
	mine := func(index uint64) (string, bool) {
		return fmt.Sprint("hash", index), index >= known && index <= known+4
	}
	says := func(index uint64, hash string) received {
		return received{report: report{HashIndex: index, Hash: hash}}
	}
	for _, tt := range []struct {
		name    string
		members int
		live    map[string]received
		want    []string
	}{
		{"all have the same, at entries of their own", 3, map[string]received{"d2": says(5, "hash5"), "d3": says(9, "hash9")}, nil},
		{"both others have another", 3, map[string]received{"d3": says(7, "x7"), "d2": says(7, "x7")}, []string{"d2", "d3"}},
		{"both others have others", 3, map[string]received{"d3": says(7, "x7"), "d2": says(7, "y7")}, nil},
		{"at entries of their own: nobody knows", 3, map[string]received{"d3": says(5, "x5"), "d2": says(7, "x7")}, nil},
		{"one of two has another: no majority", 2, map[string]received{"d2": says(9, "x9")}, nil},
		{"one of three has another", 3, map[string]received{"d2": says(9, "x9"), "d3": says(9, "hash9")}, nil},
		{"two of five, and two are silent", 5, map[string]received{"d2": says(9, "x9"), "d3": says(9, "x9")}, nil},
		{"three of five", 5, map[string]received{"d2": says(9, "x9"), "d3": says(9, "x9"), "d4": says(8, "hash8"), "d5": says(9, "x9")}, []string{"d2", "d3", "d5"}},
		{"at entries that are not remembered", 3, map[string]received{"d2": says(4, "x4"), "d3": says(4, "x4")}, nil},
		{"without a hash", 3, map[string]received{"d2": says(9, ""), "d3": says(9, "")}, nil},
		{"its own report", 3, map[string]received{"d1": says(9, "x9"), "d2": says(9, "x9")}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var v votes
			if _, got := v.against("d1", tt.members, tt.live, mine); !slices.Equal(got, tt.want) {
				t.Errorf("outvoted by %v, want %v", got, tt.want)
			}
		})
	}

	var v votes
	for _, tt := range []struct {
		name   string
		d2, d3 received
		want   uint64
	}{
		{"each its own", says(5, "x5"), says(6, "x6"), 0},
		{"one comes to where the other was", says(6, "x6"), says(7, "x7"), 6},
		{"one agrees", says(8, "hash8"), says(7, "x7"), 0},
		{"one is further than this director", says(10, "x10"), says(7, "x7"), 6},
	} {
		if at, others := v.against("d1", 3, map[string]received{"d2": tt.d2, "d3": tt.d3}, mine); at.index != tt.want || (len(others) == 2) != (tt.want > 0) {
			t.Errorf("%s: outvoted at %d by %v, want %d", tt.name, at.index, others, tt.want)
		}
	}
	known = 8
	if at, others := v.against("d1", 3, map[string]received{"d2": says(12, "x12"), "d3": says(11, "x11")}, mine); others != nil || len(v.by) != 2 {
		t.Errorf("what is not remembered counts: %v %v, %d votes", at, others, len(v.by))
	}
}

// TestWhatCostsMuchIsHashedOnceASecond: below the level of the sum a hash reads the whole state, and one of a moment ago
// is as good.
func TestWhatCostsMuchIsHashedOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // so that no time passes
		for _, level := range []int{1, 2, fsm.LevelSum} {
			var s session
			one, two := &fsm.State{Level: level, Index: 1}, &fsm.State{Level: level, Index: 2}
			if index, hash := s.hash(one); index != 1 || hash != one.Hash() {
				t.Errorf("level %d: %d %s", level, index, hash)
			}
			want := two
			if level < fsm.LevelSum {
				want = one
			}
			if index, hash := s.hash(two); index != want.Index || hash != want.Hash() {
				t.Errorf("level %d, at once again: %d %s", level, index, hash)
			}
		}
	})
}
