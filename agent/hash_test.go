package agent

import (
	"fmt"
	"slices"
	"testing"
)

func TestWhoHasAnotherStateThanMostIsOutvoted(t *testing.T) {
	mine := func(index uint64) (string, bool) { // entries 5 to 9 are remembered
		return fmt.Sprint("hash", index), index >= 5 && index <= 9
	}
	says := func(index uint64, hash string) received {
		return received{report: report{HashIndex: index, Hash: hash}}
	}
	for _, tt := range []struct {
		name string
		live map[string]received
		want []string
	}{
		{"all have the same, at entries of their own", map[string]received{"d2": says(5, "hash5"), "d3": says(9, "hash9")}, nil},
		{"both others have another", map[string]received{"d3": says(5, "x5"), "d2": says(7, "x7")}, []string{"d2", "d3"}},
		{"one of two has another: no majority", map[string]received{"d2": says(9, "x9")}, nil},
		{"one of three has another", map[string]received{"d2": says(9, "x9"), "d3": says(9, "hash9")}, nil},
		{"two against two", map[string]received{"d2": says(9, "x9"), "d3": says(9, "x9"), "d4": says(8, "hash8")}, nil},
		{"three against two", map[string]received{"d2": says(9, "x9"), "d3": says(9, "x9"), "d4": says(8, "hash8"), "d5": says(8, "x8")}, []string{"d2", "d3", "d5"}},
		{"at entries that are not remembered", map[string]received{"d2": says(4, "x4"), "d3": says(10, "x10")}, nil},
		{"without a hash", map[string]received{"d2": says(9, ""), "d3": says(9, "")}, nil},
		{"its own report", map[string]received{"d1": says(9, "x9"), "d2": says(9, "x9")}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := outvoted("d1", tt.live, mine); !slices.Equal(got, tt.want) {
				t.Errorf("outvoted by %v, want %v", got, tt.want)
			}
		})
	}
}
