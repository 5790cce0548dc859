package ownership

import (
	"testing"
	"time"
)

// A survey after the first takes longer than adverts of 100 ms leave: the timer would fire while the dead are waited for.
func TestTheTimerWaitsForASurveyOnceASegmentSaysThatSomebodyServes(t *testing.T) {
	for _, tt := range []struct {
		name  string
		every time.Duration
		first Segment // what the segment says in the first survey
		then  Segment // and in the second
		holds bool
	}{
		{"its kernel answers now", 100 * time.Millisecond, Segment{Reached: []string{"d3"}}, Segment{Reached: []string{"d1", "d3"}, Serves: "d1"}, true},
		{"the address has a MAC of its own", 100 * time.Millisecond, Segment{Reached: []string{"d3"}}, Segment{Reached: []string{"d1", "d3"}, Virtual: true}, true},
		{"nobody answers for the address", 100 * time.Millisecond, Segment{Reached: []string{"d3"}}, Segment{Reached: []string{"d1", "d3"}}, false},
		{"its adverts are rarer than that", 2 * surveyLimit, Segment{Reached: []string{"d3"}}, Segment{Reached: []string{"d1", "d3"}, Serves: "d1"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStory(t)
			s.Keeper.Interval, s.Keeper.Lifetime = tt.every, 2*time.Second
			tt.first.Router, tt.then.Router = "in", "in"
			s.Keeper.Routers[0].Heard = ""
			s.hushes("in")
			s.pass(tt.every * 3 / 2)
			s.says("d3", Attestation{})
			s.reaches(tt.first)
			for !s.opened(Probe{}) {
				s.pass(10 * time.Millisecond)
			}
			s.begun = nil
			s.reaches(tt.then) // nobody has said a word yet
			if !tt.holds {
				s.does()
				return
			}
			s.does(HoldTimer{surveyLimit})
		})
	}
}

// Who takes the group without being on the segment does not serve there.
func TestTheTimerDoesNotWaitForWhoTakesTheGroupElsewhere(t *testing.T) {
	for name, near := range map[string]bool{"on the segment": true, "elsewhere": false} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			if !near {
				s.member("d3").Unreached = []time.Duration{0, GoneAfter}
			}
			s.isSilent()
			s.member("d3").Part = Owner
			s.look()
			if !near {
				s.does()
				return
			}
			s.does(HoldTimer{surveyLimit})
		})
	}
}
