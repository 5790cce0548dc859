package ownership

import (
	"testing"
	"time"
)

// restarts has the keeper be away for a moment, and hear nobody when it is back. Everybody is asked.
func restarts(t *testing.T) *story {
	t.Helper()
	s := newStory(t)
	s.owns()
	s.Log.Owner, s.member("d1").Part = "d1", Owner
	s.Keeper.Part = Absent
	s.look()
	s.begun = nil
	s.is(Standby)
	s.does(askD1, askD3)
	return s
}

func TestAKeeperThatIsStartedDoesNotGoOnWhereAnotherSaysThatItOwns(t *testing.T) {
	s := restarts(t)
	s.says("d3", Attestation{Reaches: near})
	s.does()
	s.says("d1", Attestation{Owns: true, Reaches: near})
	s.does(Concede{})
	s.done(Concede{}, Done{})
	s.quiesces()
}

func TestAKeeperThatIsStartedGoesOnWhereNobodySaysOtherwise(t *testing.T) {
	for name, play := range map[string]func(*story){
		"the other is on another side": func(s *story) {
			for i := range s.Members {
				s.Members[i].Unreached = []time.Duration{GoneAfter, GoneAfter}
			}
			s.says("d1", Attestation{Owns: true, Reaches: [][]string{{"d3"}, {"d3"}}})
		},
		"nobody owns it": func(s *story) { s.says("d1", Attestation{Reaches: near}) },
		"it owns it by then": func(s *story) {
			s.Keeper.Part = Owner
			s.look()
			s.begun = nil
			s.says("d1", Attestation{Owns: true, Reaches: near})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := restarts(t)
			play(s)
			s.does()
		})
	}
}

func TestAKeeperThatIsStartedDoesNotGoOnWhereAnotherReportsMeanwhileThatItOwns(t *testing.T) {
	s := restarts(t)
	s.says("d1", Attestation{Reaches: near})
	s.says("d3", Attestation{Reaches: near})
	s.member("d3").Part = Owner
	s.look()
	s.does(askD3)
	s.look()
	s.does() // once
	s.says("d3", Attestation{Owns: true, Reaches: near})
	s.does(Concede{})
	s.done(Concede{}, Done{})
	s.quiesces()
}

func TestAKeeperThatIsStartedOnAnotherSideDoesNotGoOnWhereTheSegmentIsWholeBeforeThat(t *testing.T) {
	s := restarts(t)
	s.says("d3", Attestation{Reaches: near})
	sides := func(silent time.Duration) {
		for i := range s.Members {
			s.Members[i].Unreached = []time.Duration{silent, silent}
		}
	}
	sides(GoneAfter)
	apart := Attestation{Owns: true, Reaches: [][]string{{"d3"}, {"d3"}}}
	for range 2 {
		s.says("d1", apart)
		s.pass(freshAgain - 1)
		s.does()
		s.pass(1)
		s.does(askD1)
	}
	sides(0)
	s.says("d1", Attestation{Owns: true, Reaches: near})
	s.does(Concede{})
	s.done(Concede{}, Done{})
	s.quiesces()
}

func TestAKeeperThatIsStartedOnAnotherSideDoesNotAskForEver(t *testing.T) {
	s := restarts(t)
	s.says("d3", Attestation{Reaches: near})
	for i := range s.Members {
		s.Members[i].Unreached = []time.Duration{GoneAfter, GoneAfter}
	}
	asks := 0
	for ; s.opened(askD1); asks++ {
		s.says("d1", Attestation{Owns: true, Reaches: [][]string{{"d3"}, {"d3"}}})
		s.pass(freshAgain)
	}
	if most := int(s.Keeper.Lifetime/freshAgain) + 1; asks > most || asks < most/2 {
		t.Errorf("it asked %d times", asks)
	}
}

// The others are far away, as a wire that is full has it: answers take 330 ms.
func TestAKeeperThatIsStartedDoesNotGoOnWhereTheAnswerIsSlow(t *testing.T) {
	s := restarts(t)
	s.pass(330 * time.Millisecond)
	s.says("d1", Attestation{Owns: true, Reaches: near})
	s.does(Concede{})
	s.done(Concede{}, Done{})
	s.quiesces()
}

// What was said to the one that ran before it is of then.
func TestAKeeperThatIsStartedAgainDoesNotGoByAnAnswerOfBefore(t *testing.T) {
	s := restarts(t)
	s.pass(100 * time.Millisecond)
	s.is(Absent)
	s.is(Standby)
	s.does(askD1, askD3)
	s.says("d1", Attestation{Owns: true, Reaches: near})
	s.does()
	s.says("d1", Attestation{Owns: true, Reaches: near})
	s.does(Concede{})
}
