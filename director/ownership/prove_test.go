package ownership

import (
	"testing"
	"time"
)

// watched is a story in which somebody asks whether the owner answers.
func watched(t *testing.T) *story {
	s := newStory(t)
	s.Groups = 1
	s.look()
	s.asksForProof()
	return s
}

// asksForProof lets time pass until the segments are asked.
func (s *story) asksForProof() {
	s.t.Helper()
	for range 2 * proveEvery / (10 * time.Millisecond) { // wherever the group's name puts it
		if s.pass(10 * time.Millisecond); len(s.begun) > 0 {
			break
		}
	}
	s.does(probes("out", "in"))
}

func (s *story) answers(owner ...string) {
	serves := ""
	if len(owner) > 0 {
		serves = owner[0]
	}
	s.reaches(Segment{Router: "out", Reached: []string{"d1", "d3"}, Serves: "d1"}, Segment{Router: "in", Reached: []string{"d1", "d3"}, Serves: serves})
}

func TestAnOwnerThatIsHeardAndDoesNotAnswerIsNamedTheSecondTime(t *testing.T) {
	s := watched(t)
	s.answers()
	s.does()
	s.asksForProof()
	s.answers()
	s.does(Tell{Kind: "guard", Text: "does not answer for the address of in", Alarm: true})
	if got := s.m.Unproven(); got != "in" {
		t.Errorf("it names %q", got)
	}
	s.asksForProof()
	s.answers()
	s.does() // people were told
	s.asksForProof()
	s.answers("d1")
	if got := s.m.Unproven(); got != "" {
		t.Errorf("it answers, and %q is named", got)
	}
}

func TestWhoReachesNobodyDoubtsNobody(t *testing.T) {
	s := watched(t)
	for range 3 {
		s.reaches(Segment{Router: "out", Serves: "d1", Reached: []string{"d1"}}, Segment{Router: "in"})
		s.asksForProof()
	}
	if got := s.m.Unproven(); got != "" {
		t.Errorf("it reaches nobody on in, and names %q", got)
	}
}

func TestManyGroupsAreAskedForRarely(t *testing.T) {
	s := newStory(t)
	s.Groups = 1000
	s.look()
	s.pass(proveEvery - 1)
	s.does()
	asked := 0
	for range 400 {
		s.pass(time.Second)
		for _, a := range s.begun {
			if _, ok := a.(Probe); ok {
				asked++
			}
		}
		s.begun = nil
	}
	if asked < 1 || asked > 3 {
		t.Errorf("asked %d times in 400 s", asked)
	}
}

const twoAnswer = "d1 and d3 both answer for 192.0.2.1 (02:00:00:00:00:01, 02:00:00:00:00:03)"

// Two that do not hear each other both serve, and no path is left on which that could be settled: people are told, the second time.
func TestTwoThatAnswerForAnAddressAreNamed(t *testing.T) {
	s := watched(t)
	doubled := func() {
		s.reaches(Segment{Router: "out", Reached: []string{"d1", "d3"}, Serves: "d1", Doubled: twoAnswer}, Segment{Router: "in", Reached: []string{"d1", "d3"}, Serves: "d1"})
	}
	doubled()
	s.does()
	if got := s.m.Doubled(); got != "" {
		t.Errorf("in a takeover it is so for a moment: %q", got)
	}
	s.asksForProof()
	doubled()
	s.does(Tell{Kind: "guard", Text: twoAnswer, Alarm: true})
	if got := s.m.Doubled(); got != twoAnswer || s.m.Unproven() != "" {
		t.Errorf("it says %q, and that %q is not answered for", got, s.m.Unproven())
	}
	s.asksForProof()
	s.answers("d1")
	if got := s.m.Doubled(); got != "" {
		t.Errorf("it is over: %q", got)
	}
}

// An owner asks only beside a member whose machine is there and whose agent says nothing, and soon.
func TestAnOwnerBesideAMuteMemberLooksForASecondOne(t *testing.T) {
	for _, mute := range []bool{false, true} {
		s := newStory(t)
		s.Groups = 1
		s.owns()
		if mute {
			m := s.member("d3")
			m.Unheard, m.Unreached = time.Hour, []time.Duration{0, 0}
		}
		s.look()
		s.begun = nil
		asked := 0
		for range 6 * time.Second / (10 * time.Millisecond) {
			s.pass(10 * time.Millisecond)
			for _, a := range s.begun {
				if p, ok := a.(Probe); ok {
					asked++
					s.done(p, Done{Segments: []Segment{{Router: "out", Reached: []string{"d3"}, Serves: "d3", Doubled: twoAnswer}}})
				}
			}
			s.begun = nil
		}
		if got := s.m.Doubled() == twoAnswer; got != mute || asked > 0 != mute {
			t.Errorf("beside a mute member %v: it asked %d times, and says %q", mute, asked, s.m.Doubled())
		}
	}
}

// Nothing but the segment tells that the other one has let go, and that one may have told its neighbours last.
func TestAnOwnerAnnouncesAgainWhenAMuteMemberAnswersNoMoreForItsAddress(t *testing.T) {
	s := newStory(t)
	s.Groups = 1
	s.owns()
	m := s.member("d3")
	m.Unheard, m.Unreached = time.Hour, []time.Duration{0, 0}
	s.look()
	renews := 0
	answered := func(doubled string) {
		s.pass(2 * s.Keeper.Interval)
		s.done(Probe{}, Done{Segments: []Segment{{Router: "out", Reached: []string{"d3"}, Doubled: doubled}}})
		for _, a := range s.begun {
			if _, ok := a.(Renew); ok {
				renews++
			}
		}
		s.begun = nil
	}
	s.pass(phase(s.Group, 2*s.Keeper.Interval)) // the first look
	s.begun = nil
	for i, tt := range []struct {
		doubled string
		renews  int
	}{{"", 0}, {twoAnswer, 0}, {twoAnswer, 0}, {"", 1}, {"", 1}, {twoAnswer, 1}, {"", 2}} {
		if answered(tt.doubled); renews != tt.renews {
			t.Fatalf("after look %d, in which %q: it has announced %d times, want %d", i+1, tt.doubled, renews, tt.renews)
		}
	}
}
