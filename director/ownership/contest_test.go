package ownership

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/quorate/quorate/fsm"
)

// contested begins with this director as an owner that its log names, and d1 as another since a moment. The
// survey of it is under way.
func contested(t *testing.T) *story {
	t.Helper()
	s := newStory(t)
	s.owns()
	d1 := s.member("d1")
	d1.Part, d1.Unreached = Owner, []time.Duration{GoneAfter, GoneAfter}
	s.look()
	s.pass(contestAfter - 1)
	s.does()
	s.pass(1)
	s.does(Ask{To: "d1", Question: s.attests()}, probes("out", "in"))
	return s
}

// attests is what this director asks another of the group, but for its place.
func (s *story) attests() Question {
	return Question{Kind: Attest, Epoch: s.Log.Epoch, Named: s.Log.Owner, Owns: s.Keeper.Part == Owner}
}

// joins answers that d1 is reached on the second segment, and says a word.
func (s *story) joins(word Attestation) {
	s.t.Helper()
	s.reaches(Segment{Router: "out"}, Segment{Router: "in", Reached: []string{"d1"}})
	s.says("d1", word)
}

// stays is the word of an owner that does not give the group up.
func stays(epoch uint64, named string) Attestation {
	return Attestation{Owns: true, Stays: true, Epoch: epoch, Named: named}
}

func TestTwoOwnersAreLeftToTheWireFor300Milliseconds(t *testing.T) {
	s := newStory(t)
	s.owns()
	s.member("d1").Part = Owner
	s.look()
	s.pass(contestAfter - 1)
	s.member("d1").Part = Standby
	s.look()
	s.does(Renew{})
	s.quiesces()
}

func TestOfTwoOwnersTheOneThatTheHighestEpochNamesStays(t *testing.T) {
	for _, tt := range []struct {
		name     string
		word     Attestation
		concedes bool
	}{
		{"this one, by both logs", stays(4, "d2"), false},
		{"this one, by its own log, which is newer", stays(3, "d1"), false},
		{"the other, by its log, which is newer", stays(5, "d1"), true},
		{"neither, by the other's log, which is newer: the order decides", stays(5, "d3"), true},
		{"the other, which does not say that it stays", Attestation{Owns: true, Epoch: 5, Named: "d1"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := contested(t)
			s.joins(tt.word)
			if !tt.concedes {
				s.does()
				return
			}
			s.does(Concede{})
			s.done(Concede{}, Done{OK: true})
			s.does(Tell{Kind: "contest", Text: "d2 gives g up to d1, which "})
		})
	}
}

func TestWhoIsNamedByItsOwnLogOfALowerEpochConcedesToTheOther(t *testing.T) {
	s := contested(t)
	s.joins(stays(9, "d1"))
	s.does(Concede{})
	s.Keeper.Part = Standby
	s.done(Concede{}, Done{OK: true})
	s.does(Tell{Kind: "contest", Text: "d2 gives g up to d1, which epoch 9 names"},
		Ask{To: "d1", Question: s.attests()}, Ask{To: "d3", Question: s.attests()})
	s.quiesces()
}

func TestOfTwoOwnersThatNobodyNamesTheOrderDecidesAndThenTheName(t *testing.T) {
	for _, tt := range []struct {
		order    []string
		concedes bool
	}{
		{[]string{"d3", "d1", "d2"}, true}, {[]string{"d2", "d1"}, false}, {[]string{"d2"}, false}, {nil, true},
	} {
		s := newStory(t)
		s.owns()
		s.Log.Owner, s.Log.Order = "d3", tt.order
		s.member("d1").Part = Owner
		s.look()
		s.pass(contestAfter)
		word := stays(4, "d3")
		if word.Place = slices.Index(tt.order, "d1"); word.Place < 0 {
			word.Place = len(tt.order)
		}
		s.joins(word)
		if got := s.opened(Concede{}); got != tt.concedes {
			t.Errorf("in the order %v it concedes: %v", tt.order, got)
		}
	}
}

// The rival is reached again, and this director stays: the two are one contest still, and not apart any more.
func TestOwnersThatASegmentJoinsAgainAreNotApart(t *testing.T) {
	s := contested(t)
	apart := func(want bool) {
		t.Helper()
		if got := s.m.Apart(); got != want {
			t.Errorf("apart: %v, want %v", got, want)
		}
	}
	word := stays(3, "d1")
	for range 2 {
		s.says("d1", word)
		s.reaches(Segment{Router: "out"}, Segment{Router: "in", Reached: []string{"d3"}})
		s.does(Tell{Kind: "contest", Text: "each on a side of its own", Alarm: true})
		apart(true)
		s.pass(contestAgain)
		s.begun = nil
		s.joins(word)
		s.does()
		apart(false)
		s.pass(contestAgain)
		s.begun = nil
	}
}

func TestOwnersThatNoSegmentJoinsBothStayAndSayItOnce(t *testing.T) {
	s := contested(t)
	for i := range 3 {
		s.says("d1", stays(9, "d1"))
		s.reaches(Segment{Router: "out"}, Segment{Router: "in", Reached: []string{"d3"}})
		if i == 0 {
			s.does(Tell{Kind: "contest", Text: "each on a side of its own", Alarm: true})
		}
		s.pass(contestAgain)
		s.does(Ask{To: "d1", Question: s.attests()}, probes("out", "in"))
	}
	s.joins(stays(9, "d1")) // the segment is healed
	s.does(Concede{})
}

// The log follows no claim while the owner that it names serves on the other side.
func TestAClaimEndsWhereNoSegmentJoinsTheOwners(t *testing.T) {
	s := contested(t)
	s.Keeper.Claims = true
	s.joins(stays(4, "d1"))
	s.does() // it stays, and the other is to let go
	s = contested(t)
	s.Keeper.Claims = true
	for i := range 2 {
		s.says("d1", stays(4, "d1"))
		s.reaches(Segment{Router: "out"}, Segment{Router: "in", Reached: []string{"d3"}})
		if i == 0 {
			s.does(Unclaim{}, Tell{Kind: "contest", Text: "and the claim of d2 ends", Alarm: true})
		} else {
			s.does(Unclaim{}) // the keeper has not done it
		}
		s.pass(contestAgain)
		s.does(Ask{To: "d1", Question: s.attests()}, probes("out", "in"))
	}
	s.Keeper.Claims = false
	s.says("d1", stays(4, "d1"))
	s.reaches(Segment{Router: "out"}, Segment{Router: "in", Reached: []string{"d3"}})
	s.does()
}

func TestAnOwnerThatDoesNotAnswerIsAskedAgain(t *testing.T) {
	s := contested(t)
	s.reaches(Segment{Router: "in", Reached: []string{"d1"}})
	s.pass(surveyLimit)
	s.does()
	s.pass(contestAgain)
	s.does(Ask{To: "d1", Question: s.attests()}, probes("out", "in"))
	s.pass(2*surveyLimit - 1) // it may be far away
	s.joins(stays(9, "d1"))
	s.does(Concede{})
}

func TestAContestBeginsAnewWhenTheLogNamesAnotherOrHasAnotherOrder(t *testing.T) {
	for _, log := range []fsm.Ownership{
		{Owner: "d1", Epoch: 5, Order: []string{"d2", "d3"}},
		{Owner: "d2", Epoch: 4, Order: []string{"d3", "d2", "d1"}},
	} {
		s := contested(t)
		s.pass(surveyLimit / 3)
		s.Log = log
		s.look()
		s.does(Ask{To: "d1", Question: s.attests()}, probes("out", "in"))
		s.pass(surveyLimit / 3)
		s.does() // once
	}
}

func TestAContestBeginsAnewWhenTheRivalKnowsOfANewerEpoch(t *testing.T) {
	for _, epoch := range []uint64{4, 5} {
		s := contested(t)
		s.asked("d1", Question{Kind: Attest, Epoch: epoch, Named: "d1", Owns: true})
		if anew := len(s.begun) == 3; anew != (epoch > s.Log.Epoch) {
			t.Errorf("asked by who knows of epoch %d: %+v", epoch, s.begun)
		}
	}
}

func TestAnOwnerThatWasSilentIsNotTakenForFarAway(t *testing.T) {
	s := contested(t)
	s.member("d1").Unreached = []time.Duration{0, 0}
	s.look()
	s.does(Renew{})                    // it answers again
	s.member("d1").Unheard = GoneAfter // what it was asked is lost on a path that is cut
	s.reaches(Segment{Router: "in", Reached: []string{"d1"}})
	s.pass(surveyLimit)
	s.member("d1").Unheard = 0
	s.pass(contestAgain)
	s.reaches(Segment{Router: "in", Reached: []string{"d1"}})
	s.begun = nil
	s.pass(surveyLimit + contestAgain)
	s.does(Ask{To: "d1", Question: s.attests()}, probes("out", "in"))
}

func TestWhoStaysAnnouncesAgainWhenTheOtherHasLetGo(t *testing.T) {
	s := contested(t)
	s.joins(stays(3, "d1"))
	s.does()
	s.member("d1").Part = Standby
	s.look()
	s.does(Renew{})
	s.quiesces()
}

func TestWhoseRivalHasAFrozenKeeperAnnouncesAgain(t *testing.T) {
	s := contested(t)
	s.joins(Attestation{Epoch: 5, Named: "d1"})
	s.does(Renew{})
}

func TestAConcessionThatTheKeeperDoesNotMakeIsTriedAgainInSilence(t *testing.T) {
	s := contested(t)
	for range 3 {
		s.joins(stays(9, "d1"))
		s.does(Concede{})
		s.done(Concede{}, Done{Err: errors.New("frozen")})
		s.pass(contestAgain)
		s.does(Ask{To: "d1", Question: s.attests()}, probes("out", "in"))
	}
}

// logs are all that a director of three may believe about a group, in two epochs.
func logs(low uint64) (all []fsm.Ownership) {
	orders := [][]string{nil}
	for _, a := range []string{"d1", "d2", "d3"} {
		orders = append(orders, []string{a})
		for _, b := range []string{"d1", "d2", "d3"} {
			if a != b {
				orders = append(orders, []string{a, b})
			}
		}
	}
	for _, owner := range []string{"", "d1", "d2", "d3"} {
		for _, order := range orders {
			for epoch := low; epoch < low+2; epoch++ {
				all = append(all, fsm.Ownership{Owner: owner, Epoch: epoch, Order: order})
			}
		}
	}
	return all
}

// settles has two owners each ask the other at the same time, on one segment, and returns who concedes and who
// said that it stays.
func settles(a, b Facts) (concede, stay [2]bool) {
	var words [2]Attestation
	facts := [2]Facts{a, b}
	for i, f := range facts {
		other := facts[1-i]
		s := &step{Machine: NewMachine(), Facts: f}
		words[i] = s.attest(Asked{From: other.Self, Question: Question{Kind: Attest, Epoch: other.Log.Epoch, Named: other.Log.Owner, Owns: true, Place: other.place()}})
		stay[i] = words[i].Stays
	}
	for i, f := range facts {
		rival := facts[1-i].Self
		s := &step{Machine: NewMachine(), Facts: f}
		s.settle(rival, &contest{}, words[1-i], map[string]Segment{"r": {Router: "r", Reached: []string{rival}}})
		concede[i] = len(s.actions) > 0
	}
	return concede, stay
}

func TestOfTwoOwnersOneConcedesWhateverTheirLogsSay(t *testing.T) {
	keeper := Keeper{Part: Owner, Routers: []Router{{Name: "r"}}}
	for _, x := range logs(4) {
		for _, y := range logs(4) {
			if x.Epoch == y.Epoch && x.Owner != y.Owner {
				continue // an epoch names one owner
			}
			concede, stay := settles(Facts{Self: "d1", Log: x, Keeper: keeper}, Facts{Self: "d2", Log: y, Keeper: keeper})
			what := fmt.Sprintf("d1 with %+v and d2 with %+v: they concede %v, and said that they stay %v", x, y, concede, stay)
			if concede[0] && concede[1] {
				t.Fatalf("%s: both", what)
			}
			if concede[0] && !stay[1] || concede[1] && !stay[0] {
				t.Fatalf("%s: to one that does not stay", what)
			}
			if !concede[0] && !concede[1] {
				t.Fatalf("%s: neither", what)
			}
		}
	}
}

func TestAContestOverALoserThatMeanwhileOwnsNothingIsOver(t *testing.T) {
	s := contested(t)
	s.is(Standby)
	s.says("d1", stays(9, "d1"))
	s.begun = nil
	s.reaches(Segment{Router: "out"}, Segment{Router: "in", Reached: []string{"d1"}})
	s.does()
	s.pass(time.Minute)
	s.does()
}

func TestAnOwnerThatReachesNobodyWhereItsRivalDoesLetsGo(t *testing.T) {
	far := func(s *story) { // nobody has answered on the second segment
		for i := range s.Members {
			s.Members[i].Unreached[1] = GoneAfter
		}
	}
	apart := Tell{Kind: "contest", Text: "each on a side of its own", Alarm: true}
	for _, tt := range []struct {
		name   string
		edit   func(*story)
		word   [][]string
		in     Segment
		letsGo bool
		apart  bool // it stays since nobody that is known is on one segment with both
	}{
		{"it does", far, near, Segment{Router: "in"}, true, false},
		{"the gateway answers", far, near, Segment{Router: "in", Gateway: true}, false, false},
		{"another answers just now", far, near, Segment{Router: "in", Reached: []string{"d3"}}, false, false},
		{"others have answered lately", func(*story) {}, near, Segment{Router: "in"}, false, false},
		{"this director was late", func(s *story) { far(s); s.OnTime = false }, near, Segment{Router: "in"}, false, true},
		{"its rival reaches the gateway alone", far, [][]string{{"d3"}, {Gateway}}, Segment{Router: "in"}, true, false},
		{"its rival reaches nobody either", far, [][]string{{"d3"}, nil}, Segment{Router: "in"}, false, false},
		{"its rival reaches nobody on the other segment", far, [][]string{nil, {"d3"}}, Segment{Router: "in"}, false, true},
		{"its rival does not say", far, nil, Segment{Router: "in"}, false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := contested(t)
			tt.edit(s)
			s.reaches(Segment{Router: "out", Reached: []string{"d3"}}, tt.in)
			word := stays(3, "d1")
			word.Reaches = tt.word
			s.says("d1", word)
			if tt.letsGo {
				s.does(Tell{Kind: "contest", Text: "it reaches nobody on a segment, and d1 does"}, Resign{})
				s.is(Standby) // of which it is known that another owns it: the timer waits for who does
				s.begun = nil
				s.Keeper.Routers[1].Silent = true
				s.look()
				s.does(HoldTimer{surveyLimit}, Ask{To: "d1", Question: s.attests()}, Ask{To: "d3", Question: s.attests()}, probes("in"))
				return
			}
			if !tt.apart {
				s.does()
				return
			}
			s.does(apart)
		})
	}
}

// Something between two owners is broken, and both are on the segment: a third one reaches them there. So clients reach them, too.
func TestOfTwoOwnersThatAThirdReachesOneStaysThoughTheyDoNotReachEachOther(t *testing.T) {
	joined := Segment{Router: "in", Reached: []string{"d3"}}
	for _, tt := range []struct {
		name    string
		reaches [][]string // by the rival
		in      Segment
		apart   bool
	}{
		{"both reach a third on a segment", [][]string{nil, {"d3"}}, joined, false},
		{"each reaches it on another segment", [][]string{{"d3"}, nil}, joined, true},
		{"the rival does not reach it", [][]string{nil, {"d4"}}, joined, true},
		{"this director does not", [][]string{nil, {"d3"}}, Segment{Router: "in", Gateway: true}, true},
		{"both reach a gateway, and each may have its own", [][]string{nil, {Gateway}}, Segment{Router: "in", Gateway: true}, true},
		{"the rival does not say", nil, joined, true},
	} {
		for _, named := range []string{"d1", "d2"} {
			t.Run(tt.name+", and the log names "+named, func(t *testing.T) {
				s := contested(t)
				s.member("d3").Unreached = []time.Duration{GoneAfter, GoneAfter}
				s.reaches(Segment{Router: "out", Gateway: true}, tt.in)
				word := stays(9, named)
				word.Stays, word.Reaches = named == "d1", tt.reaches
				s.says("d1", word)
				switch {
				case tt.apart:
					s.does(Tell{Kind: "contest", Text: "each on a side of its own", Alarm: true})
				case named == "d1":
					s.does(Concede{})
				default:
					s.does()
				}
			})
		}
	}
}

func TestWhoStaysAnnouncesAgainWhenTheOtherDies(t *testing.T) {
	s := contested(t)
	s.joins(stays(3, "d1"))
	s.does()
	d1 := s.member("d1")
	d1.Unheard, d1.Unreached = GoneAfter, []time.Duration{GoneAfter, GoneAfter}
	s.OnTime = false
	s.look()
	s.does() // this director was late, and cannot tell
	s.OnTime = true
	s.look()
	s.does(Renew{})
}

func TestWhoStaysAnnouncesAgainAfterAnOwnerThatItDidNotKnowOfHasAsked(t *testing.T) {
	asks := func(s *story, q Question) {
		s.begun = nil
		s.asked("d1", q)
		s.done(Verify{}, Done{OK: true})
		s.begun = nil
		s.pass(concedes - 1)
		s.does()
		s.pass(1)
	}
	s := newStory(t)
	s.owns()
	asks(s, Question{Kind: Attest, Epoch: 4, Named: "d2", Owns: true})
	s.does(Renew{})
	asks(s, Question{Kind: Attest, Epoch: 4, Named: "d2"}) // it owns nothing
	s.does()
	asks(s, Question{Kind: Attest, Epoch: 5, Named: "d1", Owns: true}) // to whom this director gives the group up
	s.does()
	s = contested(t)
	asks(s, Question{Kind: Attest, Epoch: 4, Named: "d2", Owns: true}) // it is known, so its end will be
	s.does()
}
