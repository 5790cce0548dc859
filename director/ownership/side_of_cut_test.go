package ownership

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWhoAsksAnOwnerToLetGoSaysWhichDirectorsAreOnItsSide(t *testing.T) {
	s := newStory(t)
	s.member("d1").Unreached = []time.Duration{0, GoneAfter}
	s.isSilent()
	s.isCutOff()
	s.pass(surveyLimit / 3)
	s.isCutOff()
	q := s.open[s.find(let)].Action.(Ask).Question
	if diff := cmp.Diff([][]string{nil, {"d2", "d3"}}, q.Side); diff != "" {
		t.Errorf("its side (-want +got):\n%s", diff)
	}
}

func TestOfACutSegmentTheSideWithMoreDirectorsHasTheOwnerWhereOneSideIsToHaveIt(t *testing.T) {
	smaller := [][]string{nil, {"d2", "d4"}} // than that of who asks
	for _, tt := range []struct {
		name    string
		side    [][]string // of d2, which asks
		reached []string   // by the owner, on the second segment
		late    []string   // who answered there a moment ago
		one     bool
		lets    bool
	}{
		{"it has as many, of which one answers late: the owner stays", smaller, nil, []string{"d3"}, false, false},
		{"the other segment joins the sides, and the asker's has more", smaller, nil, nil, false, true},
		{"it has as many: the owner stays", smaller, []string{"d3"}, nil, false, false},
		{"it has fewer", [][]string{nil, {"d2"}}, []string{"d3"}, nil, false, false},
		{"a witness counts for nothing", smaller, []string{"w"}, nil, false, true},
		{"one is on both sides: it is no cut", smaller, []string{"d4"}, nil, false, false},
		{"no segment joins the sides: each has an owner", [][]string{{"d2", "d4"}, {"d2", "d4"}}, nil, nil, false, false},
		{"no segment joins the sides, and one is to have an owner", [][]string{{"d2", "d4"}, {"d2", "d4"}}, nil, nil, true, true},
		{"the sides of one have more, and those of the other fewer", [][]string{{"d2"}, {"d2", "d4"}}, nil, nil, true, false},
		{"only adverts are lost on the other", [][]string{{"d2", "d3"}, {"d2", "d4"}}, nil, nil, false, true},
		{"who asks does not know its side", nil, nil, nil, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStory(t)
			s.Members = append(s.Members, Member{Name: "d4"}, Member{Name: "w", Witness: true})
			s.owns()
			s.OneSide, s.Self = tt.one, "d1"
			s.Members[0].Name = "d2"
			for i := range s.Members {
				s.Members[i].Unreached = []time.Duration{GoneAfter, GoneAfter}
			}
			for _, name := range tt.late {
				s.member(name).Unreached[1] = GoneAfter - 1
			}
			s.asked("d2", Question{Kind: Let, Side: tt.side})
			s.reaches(Segment{Router: "out", Reached: []string{"d3"}}, Segment{Router: "in", Reached: tt.reached, Gateway: true})
			resigns := func(a Action) bool { return a == Action(Resign{Linger: true}) }
			if got := slices.ContainsFunc(s.begun, resigns); got != tt.lets {
				t.Errorf("it lets go: %v; it does %+v", got, s.begun)
			}
		})
	}
}

func TestWhereOneSideIsToHaveAnOwnerTheOtherHolds(t *testing.T) {
	s := newStory(t)
	s.OneSide = true
	s.Keeper.Routers[0].Heard = ""
	for _, name := range []string{"d1", "d3"} {
		s.member(name).Unreached = s.member(name).Unreached[:0]
	}
	s.isSilent()
	for range 2 {
		s.pass(surveyLimit / 3)
		s.says("d1", Attestation{Owns: true})
		s.says("d3", Attestation{})
		s.reaches(Segment{Router: "in", Gateway: true})
	}
	s.begun = nil
	s.done(let, Done{Word: Attestation{Owns: true, Reaches: [][]string{{"d4"}, {"d4"}}}})
	s.does(HoldTimer{holdFor})
	if want := "d1 owns it, and is on a side of the segment that has as many directors"; s.m.Deaf() != want {
		t.Errorf("it says %q", s.m.Deaf())
	}
}
