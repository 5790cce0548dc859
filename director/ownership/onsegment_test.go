package ownership

import "testing"

// A move to a director that does not hear the owner on a segment, and reaches nobody there, would have the group served by one
// that is cut off: the owner is not asked to yield.
func TestAMoveToADirectorThatIsCutOffOnASegmentChangesNothing(t *testing.T) {
	const cut = "d2 reaches neither a member nor a gateway on the segment of in"
	for _, tt := range []struct {
		name     string
		segments []Segment // what is answered
		dropped  string
	}{
		{"nobody is reached", []Segment{{Router: "in"}}, cut},
		{"a member is", []Segment{{Router: "in", Reached: []string{"d3"}}}, ""},
		{"the gateway is", []Segment{{Router: "in", Gateway: true}}, ""},
		{"it cannot be asked", nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStory(t)
			s.Keeper.Routers[1].Heard = ""
			s.wants()
			s.does(pull)
			s.done(pull, Done{})
			s.does(probes("in"))
			s.reaches(tt.segments...)
			if tt.dropped != "" {
				s.drops(tt.dropped)
				return
			}
			s.does(yield)
		})
	}
}

// Nor is it where a third director is not heard and its kernel serves there: the group would have two owners.
func TestAMoveToWhereTheKernelOfAThirdOneAnswersChangesNothing(t *testing.T) {
	third := "the kernel of d3 answers on the segment of in, and it is not heard"
	for _, tt := range []struct {
		name    string
		segment Segment
		silent  bool
		dropped string
	}{
		{"a third one answers and is not heard", Segment{Reached: []string{"d3"}, Serves: "d3"}, true, third},
		{"a third one answers and is heard", Segment{Reached: []string{"d3"}, Serves: "d3"}, false, ""},
		{"the owner answers", Segment{Reached: []string{"d1", "d3"}, Serves: "d1"}, true, ""},
		{"who was heard last may have the virtual MAC", Segment{Reached: []string{"d3"}, Virtual: true}, true, third},
		{"the owner may have it", Segment{Reached: []string{"d1", "d3"}, Virtual: true}, true, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStory(t)
			s.Keeper.Routers[1].Heard = "d3"
			s.wants()
			s.done(pull, Done{})
			s.does(pull, probes("in"))
			s.Keeper.Routers[1].Silent = tt.silent // since it was asked
			tt.segment.Router = "in"
			s.reaches(tt.segment)
			if tt.dropped != "" {
				s.does(dropped(tt.dropped), askD1, askD3, probes("in")) // and looks after its silent router
			} else if !s.opened(yield) {
				t.Error("the owner is not asked to yield")
			}
		})
	}
}

func TestAMoveThatMustBeIsNotStoppedByWhatTheSegmentAnswers(t *testing.T) {
	for name, knows := range map[string]func(*story){
		"the owner drains": func(s *story) { s.member("d1").Draining = true },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			s.Keeper.Routers[1].Heard = ""
			s.Log.Intent = s.intends()
			knows(s)
			s.look()
			s.does(pull)
			s.done(pull, Done{})
			s.does(yield)
		})
	}
}

// The others take it back once they find it cut off: who forced the move is told so, in the reason that the log has.
func TestWhoForcesAMoveIsToldWhatTheSegmentAnswers(t *testing.T) {
	for name, tt := range map[string]struct {
		segment Segment
		costs   string
	}{
		"nobody answers":          {Segment{}, "d2 reaches neither a member nor a gateway on the segment of in: it goes back as soon as the others find that"},
		"a third one's kernel":    {Segment{Reached: []string{"d3"}, Serves: "d3"}, "the kernel of d3 answers on the segment of in, and it is not heard: both may answer for a while"},
		"the owner answers there": {Segment{Reached: []string{"d1"}, Serves: "d1"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			s.Keeper.Routers[1].Heard = ""
			s.Log.Intent = s.intends()
			s.Log.Intent.Forced = true
			s.look()
			s.done(pull, Done{})
			s.does(pull, probes("in"))
			s.Keeper.Routers[1].Silent = true
			tt.segment.Router = "in"
			s.reaches(tt.segment)
			reason := "d1 drains"
			if tt.costs != "" {
				s.does(Tell{Kind: "move", Text: tt.costs, Alarm: true}, yield, askD1, askD3, probes("in"))
				reason += "; " + tt.costs
			} else {
				s.does(yield, askD1, askD3, probes("in"))
			}
			if got := s.m.taking.reason(); got != reason {
				t.Errorf("the log is told %q, want %q", got, reason)
			}
		})
	}
}
