package ownership

import (
	"slices"
	"testing"
	"time"
)

// halfDark has d1 say nothing: its kernel answers for the address of "in", and on the segment of "out" there is who is
// given. It returns how long it takes until the timer of this director is let go; nothing is done about what is under way.
func halfDark(t *testing.T, out Segment) (waits time.Duration) {
	t.Helper()
	return darkIn(t, []Segment{out, {Router: "in", Reached: []string{"d1", "d3"}, Serves: "d1"}})
}

// darkIn is halfDark where each survey in turn has the segments that are given for it.
func darkIn(t *testing.T, turns ...[]Segment) (waits time.Duration) {
	t.Helper()
	s := newStory(t)
	for i := range s.Keeper.Routers {
		s.Keeper.Routers[i].Heard = "" // it never was
	}
	s.hushes()
	s.pass(1500 * time.Millisecond)
	begin, turn := s.now, 0
	for s.now.Sub(begin) < 20*time.Second {
		for s.opened(Ask{To: "d3"}) {
			s.says("d3", Attestation{})
		}
		for s.opened(Probe{}) {
			s.reaches(turns[turn%len(turns)]...)
			turn++
		}
		s.pass(100 * time.Millisecond)
		for _, a := range s.begun {
			if a == (HoldTimer{}) {
				return s.now.Sub(begin)
			}
		}
		s.begun = nil
	}
	return 0
}

func TestTheTimerWaitsNoLongerThanALifetimeForWhoServesOneSegmentOfTwo(t *testing.T) {
	waits := halfDark(t, Segment{Router: "out", Reached: []string{"d3"}})
	if least := 3 * time.Second; waits < least || waits > least+2*time.Second {
		t.Errorf("the timer waits for %v, want about %v", waits, least)
	}
}

func TestTheTimerWaitsForWhoIsOnBothSegments(t *testing.T) {
	for name, out := range map[string]Segment{
		"it is reached on the other":          {Router: "out", Reached: []string{"d1", "d3"}},
		"it serves on the other":              {Router: "out", Reached: []string{"d1", "d3"}, Serves: "d1"},
		"another answers for the address too": {Router: "out", Reached: []string{"d3"}, Serves: "d3"},
	} {
		t.Run(name, func(t *testing.T) {
			if waits := halfDark(t, out); waits != 0 {
				t.Errorf("the timer is let go after %v", waits)
			}
		})
	}
}

// This director is cut off on "out", and d3 could own the group: it waits for d1's kernel, and this director for it.
func TestWhoIsCutOffWaitsForWhoWaitsForAKernel(t *testing.T) {
	waits := halfDark(t, Segment{Router: "out"})
	if least := 3*time.Second + holdFor; waits < least || waits > least+2*time.Second {
		t.Errorf("the timer waits for %v, want about %v", waits, least)
	}
}

// Of every two answers one is lost: no limit begins anew for that.
func TestAnAnswerThatIsLostBeginsNoWaitForAKernelAnew(t *testing.T) {
	in := Segment{Router: "in", Reached: []string{"d1", "d3"}, Serves: "d1"}
	for name, tt := range map[string]struct {
		lost  []Segment
		every []Segment
		least time.Duration
	}{
		"its own, where this director is cut off on the other segment": {
			[]Segment{{Router: "out"}, {Router: "in", Reached: []string{"d3"}}}, []Segment{{Router: "out"}, in}, 3 * time.Second,
		},
		"those on the other segment": {[]Segment{{Router: "out"}, in}, []Segment{{Router: "out", Reached: []string{"d3"}}, in}, 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			waits := darkIn(t, tt.every, tt.lost)
			if most := tt.least + holdFor + 2*time.Second; waits < tt.least || waits > most {
				t.Errorf("the timer waits for %v, want %v to %v", waits, tt.least, most)
			}
		})
	}
}

func TestWhoIsCutOffWaitsForTheKernelOfAnotherAsLongAsForThatOfTheFirst(t *testing.T) {
	in := func(serves string) []Segment {
		return []Segment{{Router: "out"}, {Router: "in", Reached: []string{"d1", "d3"}, Serves: serves}}
	}
	turns := slices.Concat(slices.Repeat([][]Segment{in("d1")}, 3), slices.Repeat([][]Segment{in("d3")}, 20))
	waits := darkIn(t, turns...)
	if least := 2*time.Second + 3*time.Second + holdFor; waits < least || waits > least+3*time.Second {
		t.Errorf("the timer waits for %v, want about %v", waits, least)
	}
}

// The kernel of d1 answers on one segment of two, and then that of d3: each has a lifetime of its own.
func TestTheKernelOfAnotherOnOneSegmentOfTwoHasALifetimeOfItsOwn(t *testing.T) {
	in := func(serves string) []Segment {
		return []Segment{{Router: "out", Gateway: true}, {Router: "in", Reached: []string{"d1", "d3"}, Serves: serves}}
	}
	turns := slices.Concat(slices.Repeat([][]Segment{in("d1")}, 3), slices.Repeat([][]Segment{in("d3")}, 20))
	if waits, least := darkIn(t, turns...), 2*time.Second+3*time.Second; waits < least || waits > least+3*time.Second {
		t.Errorf("the timer waits for %v, want about %v", waits, least)
	}
}
