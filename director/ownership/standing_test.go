package ownership

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// Up to seven directors, each in any standing, with any owner and any order of successors, in which some
// may be missing and some be gone already.
func TestV78NoTwoDirectorsOfAGroupHaveOnePriority(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 78))
	for range 20_000 {
		names := make([]string, 1+random.IntN(7))
		for i := range names {
			names[i] = fmt.Sprintf("d%d", i)
		}
		owner := append(slices.Clone(names), "", "gone")[random.IntN(len(names)+2)]
		order := append(slices.Clone(names), "gone")
		random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		order = slices.DeleteFunc(order[:random.IntN(len(order)+1)], func(n string) bool { return n == owner || n == "gone" })
		others := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == owner })
		taken, all := map[uint8]string{}, random.IntN(2) == 0
		for _, name := range names {
			bits := random.IntN(8)
			st := Standing{
				Quorum: bits&1 != 0, Ready: bits&2 != 0, Draining: all || bits&4 != 0, Last: all,
				Owner: name == owner, Rank: Rank(order, others, name), Candidates: len(names),
			}
			p := Priority(st)
			if other, ok := taken[p]; ok {
				t.Fatalf("%d directors, owner %q, order %v: %s and %s have priority %d", len(names), owner, order, other, name, p)
			}
			taken[p] = name
		}
	}
}

func TestV79OnlyWhoIsInTheQuorumAndReadyTakesFromALiveRouter(t *testing.T) {
	for bits := range 16 {
		s := Standing{Quorum: bits&1 != 0, Ready: bits&2 != 0, Draining: bits&4 != 0, Owner: bits&8 != 0, Candidates: 3}
		want := s.Quorum && !s.Draining && s.Ready
		if got := Preempts(s); got != want {
			t.Errorf("Preempts(%+v) = %v, want %v", s, got, want)
		}
		if Preempts(s) && Priority(s) < ForeignLow {
			t.Errorf("%+v takes from others with priority %d, which foreign routers may have", s, Priority(s))
		}
	}
}
