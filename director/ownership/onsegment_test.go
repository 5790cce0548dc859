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
	for name, knows := range map[string]func(*story){
		"it is forced":     func(s *story) { s.Log.Intent.Forced = true },
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
