package ownership

import "testing"

func TestPriorityFollowsTheBands(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   Standing
		want uint8
	}{
		{"the owner that the log names", Standing{Quorum: true, Ready: true, Owner: true, Candidates: 3}, 224},
		{"an owner that is not ready serves on", Standing{Quorum: true, Owner: true, Candidates: 3}, 224},
		{"a draining owner serves until it is taken from", Standing{Quorum: true, Ready: true, Owner: true, Draining: true, Candidates: 3}, 224},
		{"but for a foreign router, where all others drain, too", Standing{Quorum: true, Ready: true, Owner: true, Draining: true, Last: true, Insists: true, Candidates: 3}, 9},
		{"who does not drain is not the last that does", Standing{Quorum: true, Ready: true, Owner: true, Last: true, Candidates: 3}, 224},
		{"an owner that insists is above one that does not", Standing{Quorum: true, Ready: true, Owner: true, Insists: true, Epoch: 23, Candidates: 3}, 225},
		{"and above one of the epoch before that insists, too", Standing{Quorum: true, Ready: true, Owner: true, Insists: true, Epoch: 24, Candidates: 3}, 226},
		{"but below a claim", Standing{Quorum: true, Ready: true, Owner: true, Insists: true, Epoch: 45, Candidates: 3}, 247},
		{"an owner that insists without quorum", Standing{Ready: true, Owner: true, Insists: true, Epoch: 5, Candidates: 3}, 41},
		{"the next owner", Standing{Quorum: true, Ready: true, Candidates: 3}, 183},
		{"the one after it", Standing{Quorum: true, Ready: true, Rank: 1, Candidates: 3}, 162},
		{"not ready stays below foreign routers", Standing{Quorum: true, Rank: 1, Candidates: 3}, 76},
		{"without quorum the last owner comes first", Standing{Owner: true, Ready: true, Candidates: 3}, 41},
		{"without quorum the others keep their order", Standing{Ready: true, Candidates: 3}, 31},
		{"draining", Standing{Quorum: true, Ready: true, Draining: true, Candidates: 3}, 5},
		{"nothing is known", Standing{}, 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Priority(tt.in); got != tt.want {
				t.Errorf("Priority(%+v) = %d, want %d", tt.in, got, tt.want)
			}
		})
	}
}

// Where all drain, the priorities of two that were elected on both sides of a cut decide who stays when that heals.
func TestWhereAllDrainTheNamedOwnerIsFirstAndTheLastOneNext(t *testing.T) {
	for n := 2; n <= 7; n++ {
		is := func(owner, quorum bool, rank int) uint8 {
			return Priority(Standing{Draining: true, Last: true, Ready: true, Owner: owner, Quorum: quorum, Rank: rank, Candidates: n})
		}
		order := []uint8{is(true, true, n-1), is(true, false, n-1)}
		for rank := range n - 1 {
			if with, without := is(false, true, rank), is(false, false, rank); with != without {
				t.Errorf("of %d, the successor %d has %d, and without quorum %d", n, rank, with, without)
			}
			order = append(order, is(false, true, rank))
		}
		for i, p := range order[1:] {
			if order[i] <= p {
				t.Errorf("of %d, the named owner, one of before without quorum, and the successors have %v", n, order)
			}
		}
	}
}

// It goes through every standing that up to seven directors can have.
func TestV77BandsNeverOverlapAndAreWithin1And254(t *testing.T) {
	class := func(s Standing) int { // better is higher
		switch {
		case s.Draining && (!s.Owner || s.Last):
			return 0
		case !s.Quorum:
			return 1
		case s.Owner:
			return 4
		case s.Ready:
			return 3
		}
		return 2
	}
	var all []Standing
	for n := 1; n <= 7; n++ {
		for rank := range n {
			for bits := range 64 {
				all = append(all, Standing{
					Quorum: bits&1 != 0, Ready: bits&2 != 0, Draining: bits&4 != 0, Owner: bits&8 != 0,
					Insists: bits&16 != 0, Last: bits&32 != 0, Epoch: uint64(rank), Rank: rank, Candidates: n,
				})
			}
		}
	}
	for _, a := range all {
		if p := Priority(a); p < 1 || p > 254 {
			t.Fatalf("Priority(%+v) = %d", a, p)
		}
		if p := ClaimPriority(OwnerPriority); p <= Priority(a) || p < ClaimLow {
			t.Fatalf("a claim on %+v is %d", a, p)
		}
		for _, b := range all {
			pa, pb := Priority(a), Priority(b)
			if class(a) > class(b) && pa <= pb {
				t.Fatalf("%+v has %d, %+v has %d", a, pa, b, pb)
			}
			if class(a) == class(b) && class(a) > 0 && a.Owner == b.Owner && !a.Owner && a.Candidates == b.Candidates && a.Rank < b.Rank && pa <= pb {
				t.Fatalf("%+v has %d, %+v has %d", a, pa, b, pb)
			}
		}
	}
}

func TestRankPutsStrangersToTheOrderLast(t *testing.T) {
	candidates := []string{"a", "b", "c", "d"}
	for name, want := range map[string]int{"c": 0, "a": 1, "b": 2, "d": 3} {
		if got := Rank([]string{"c", "a"}, candidates, name); got != want {
			t.Errorf("Rank(%s) = %d, want %d", name, got, want)
		}
	}
}
