package ownership

import "testing"

func TestARivalThatAnswersTooLateForASurveyIsOnTheSegment(t *testing.T) {
	for _, onTime := range []bool{true, false} {
		s := contested(t)
		s.member("d1").Unreached[1] = GoneAfter - 1
		s.OnTime = onTime
		s.look()
		s.begun = nil // it announces again, since d1 is back
		s.reaches(Segment{Router: "out"}, Segment{Router: "in"})
		s.does()
		s.says("d1", stays(9, "d1"))
		if onTime {
			s.does(Concede{})
		} else { // what it knows is of before
			s.does(Tell{Kind: "contest", Text: "each on a side of its own", Alarm: true})
		}
	}
}

// A segment that waits for the dead delays nothing.
func TestTheWordOfARivalThatIsOnASegmentSettlesAContestAtOnceAndOnce(t *testing.T) {
	s := contested(t)
	s.member("d1").Unreached[1] = 0
	s.look()
	s.does(Renew{}) // d1 is back there
	s.says("d1", stays(9, "d1"))
	s.does(Concede{})
	s.reaches(Segment{Router: "out"}, Segment{Router: "in", Reached: []string{"d1"}})
	s.does()
	s.done(Concede{}, Done{OK: true})
	s.does(Tell{Kind: "contest", Text: "d2 gives g up to d1, which epoch 9 names"})
}

// The report may come later than the question.
func TestWhoAsksAsAnOwnerIsARivalBeforeItsReportSaysSo(t *testing.T) {
	s := newStory(t)
	s.owns()
	s.begun = nil
	asks := Question{Kind: Attest, Epoch: 9, Named: "d1", Owns: true}
	s.asked("d1", asks)
	s.done(Verify{}, Done{OK: true})
	s.begun = nil
	s.pass(contestAfter - 1)
	s.does()
	s.pass(1)
	s.does(Ask{To: "d1", Question: s.attests()}, probes("out", "in"))
	s.joins(stays(9, "d1"))
	s.does(Concede{})
	s = newStory(t)
	s.owns()
	s.asked("d1", asks)
	s.done(Verify{}, Done{OK: true})
	s.begun = nil
	s.asked("d1", Question{Kind: Attest, Epoch: 9, Named: "d1"}) // it has let go
	s.done(Verify{}, Done{OK: true})
	s.begun = nil
	s.quiesces()
}
