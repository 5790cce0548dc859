package ownership

import (
	"testing"
	"time"
)

// One router is silent, and the other one becomes so while the next survey of the first waits: its timer waits no longer
// than that of the first did, so all are asked about both at once, and for no longer than an answer is of use.
func TestARouterThatIsSilentLaterIsAskedAboutAtOnce(t *testing.T) {
	const interval = 200 * time.Millisecond
	for _, held := range []bool{false, true} {
		s := newStory(t)
		s.Keeper.Interval = interval
		s.hushes("in")
		s.pass(150 * time.Millisecond)
		s.hushes()
		s.pass(150 * time.Millisecond)
		s.does(askD1, askD3, probes("in"))
		s.says("d3", Attestation{})
		s.says("d1", Attestation{Owns: held})
		s.begun = nil
		s.reaches(Segment{Router: "in", Reached: []string{"d1", "d3"}})
		s.begun = nil
		s.pass(150*time.Millisecond - 1)
		s.does()
		s.pass(1)
		s.does(askD1, askD3, probes("out", "in"))
		s.pass(interval / 2)
		if got := s.opened(Ask{To: "d1"}); got != held {
			t.Errorf("held %v: d1 is waited for after half an interval: %v", held, got)
		}
	}
}

// The kernel of an owner answers on a segment on which its adverts do not arrive, and its agent says nothing. They arrive on
// another one: its keeper lives, and renews all the addresses of the group.
func TestAnOwnerThatIsHeardOnOneSegmentIsNotClaimedFromForTheOther(t *testing.T) {
	s := newStory(t)
	s.hushes("in")
	s.pass(1500 * time.Millisecond)
	for range 10 {
		s.says("d3", Attestation{})
		s.reaches(Segment{Router: "in", Reached: []string{"d1", "d3"}, Serves: "d1"})
		s.pass(surveyLimit)
		if s.opened(claim) {
			t.Fatal("it is claimed from")
		}
		s.pass(time.Second - surveyLimit)
	}
}

// The owner is not reached on a segment, and heard on another one; its agent cannot be asked. It owns the group for all that,
// and is cut off where nobody reaches it: the first successor claims.
func TestAnOwnerThatIsHeardOnOneSegmentAndNotReachedOnTheOtherIsTakenOverFrom(t *testing.T) {
	s := newStory(t)
	s.hushes("in")
	s.pass(1500 * time.Millisecond)
	for range 2 { // the second look makes sure
		s.says("d3", Attestation{})
		s.reaches(Segment{Router: "in", Reached: []string{"d3"}})
		s.pass(surveyLimit + surveyLimit/3)
	}
	if s.pass(releaseWait); !s.opened(claim) {
		t.Errorf("it is not claimed from: %s", s.m.Deaf())
	}
}

// The owner has resigned where it was heard, and was not heard on the other segment: it owns the group no more, though nobody
// can ask it, and the timer is not held for it.
func TestWhoResignedWhereItWasHeardOwnsNothing(t *testing.T) {
	for _, resigns := range []bool{false, true} {
		s := newStory(t)
		s.Keeper.Routers[0].Resigns = resigns
		s.hushes("in")
		s.pass(1500 * time.Millisecond)
		s.says("d3", Attestation{})
		s.reaches(Segment{Router: "in", Reached: []string{"d1", "d3"}})
		s.pass(surveyLimit) // nobody else answers
		if held := s.m.Deaf() != ""; held == resigns {
			t.Errorf("it resigned: %v, and the timer is held: %q", resigns, s.m.Deaf())
		}
	}
}

// Who advertises more often than the configuration says by now is heard while the next survey waits, and falls silent: the timer fires
// before that one is due, so all are asked at once.
func TestWhoFallsSilentAgainIsAskedAboutThoughTheNextSurveyWaits(t *testing.T) {
	s := newStory(t)
	s.isSilent()
	s.serves()
	s.pass(surveyLimit) // the next one is due after a second
	s.speaks()
	s.pass(100 * time.Millisecond)
	s.begun = nil
	s.Keeper.Routers[1].Silent = true // after one and a half of its own intervals
	s.look()
	s.does(askD1, askD3, probes("in"))
}
