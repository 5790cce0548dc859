package ownership

import (
	"testing"
	"time"
)

// again begins with a survey that waits for the dead. Meanwhile d3 takes over, is heard for a moment, and is silent as well.
func again(t *testing.T, heardAfter time.Duration) *story {
	t.Helper()
	s := newStory(t)
	s.Keeper.Interval = 40 * time.Millisecond
	s.hushes()
	s.pass(60 * time.Millisecond)
	s.pass(surveyLimit/3 + s.Keeper.Interval/2)
	all := []Action{askD1, askD3, probes("out", "in")}
	s.does(append(all, all...)...) // the second one waits for longer than the timer
	s.pass(heardAfter)
	s.Keeper.Routers[0].Heard, s.Keeper.Routers[1].Heard = "d3", "d3"
	s.speaks()
	s.hushes()
	s.does()
	s.pass(60 * time.Millisecond)
	return s
}

func TestWhoWasHeardWhileASurveyWaitedForTheDeadAndIsSilentIsAskedAtOnce(t *testing.T) {
	s := again(t, surveyLimit/3)
	s.does(askD1, askD3, probes("out", "in"))
	dead := Segment{Router: "out", Reached: []string{"d3"}}
	s.says("d3", Attestation{}) // to the first question
	s.reaches(dead)
	s.done(askD1, Done{Err: errLate})
	s.does() // it is over, and of before
	s.says("d3", Attestation{})
	s.reaches(Segment{Router: "out", Reached: []string{"d3"}, Serves: "d3"}, Segment{Router: "in", Reached: []string{"d3"}, Serves: "d3"})
	s.done(askD1, Done{Err: errLate})
	s.does(guards("the kernel of d3 answers on the segment, and its keeper does not"), HoldTimer{s.holdFor()})
}

func TestWhatIsAnsweredToASurveyThatWasOvertakenHoldsNoTimer(t *testing.T) {
	s := again(t, surveyLimit/3)
	s.does(askD1, askD3, probes("out", "in"))
	s.m.quiet.choice = &Guarding{Choice: Take}
	s.says("d3", Attestation{Owns: true})
	s.reaches(Segment{Router: "out", Reached: []string{"d3"}, Serves: "d3"})
	s.does()
	if s.m.quiet.lives != "" {
		t.Errorf("%s counts as who said last that it owns the group", s.m.quiet.lives)
	}
}

// Adverts that come late again and again have nobody asked more often than ten times a second.
func TestNoSurveyIsBegunAnewSoonerThanAThirdOfItsTime(t *testing.T) {
	s := again(t, surveyLimit/3-60*time.Millisecond-1)
	s.does()
	s.pass(1)
	s.does(askD1, askD3, probes("out", "in"))
}
