package ownership

import (
	"slices"
	"testing"
	"time"

	"github.com/quorate/quorate/fsm"
)

func TestTheTimerHasItsWayIfTheOwnerReachesOthersOnAnotherSide(t *testing.T) {
	for _, tt := range []struct {
		name    string
		reaches [][]string // the owner, by router
		other   time.Duration
		gateway bool // is reached here
		takes   bool
	}{
		{"both reach the third", [][]string{nil, {"d3"}}, GoneAfter, false, false},
		{"it reaches this one", [][]string{nil, {"d2"}}, GoneAfter, false, false},
		{"both reach the gateway", [][]string{nil, {Gateway}}, GoneAfter, true, false},
		{"it alone reaches the gateway", [][]string{nil, {Gateway}}, GoneAfter, false, true},
		{"it reaches a fourth", [][]string{nil, {"d4"}}, GoneAfter, true, true},
		{"another segment is whole", [][]string{{"d3"}, {"d4"}}, 0, true, false},
		{"it was late", nil, GoneAfter, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStory(t)
			s.Keeper.Routers[0].Heard = ""
			s.member("d1").Unreached, s.member("d3").Unreached = []time.Duration{tt.other, GoneAfter}, []time.Duration{tt.other, 0}
			s.isSilent()
			for range 2 {
				s.pass(surveyLimit / 3)
				s.says("d1", Attestation{Owns: true})
				s.says("d3", Attestation{})
				s.reaches(Segment{Router: "in", Reached: []string{"d3"}, Gateway: tt.gateway})
			}
			s.begun = nil
			s.done(let, Done{Word: Attestation{Owns: true, Reaches: tt.reaches}})
			if !tt.takes {
				s.does(HoldTimer{holdFor})
				if want := "d1 owns it, and reaches others on each segment"; s.m.Deaf() != want {
					t.Errorf("it says %q, want %q", s.m.Deaf(), want)
				}
				return
			}
			s.does(guards("no segment joins"), HoldTimer{}) // a claim would win at the heal
		})
	}
}

func TestAnOwnerThatHasJustLostItIsNotClaimedFrom(t *testing.T) {
	s := newStory(t)
	s.isSilent()
	s.isCutOff()
	s.pass(surveyLimit / 3)
	s.isCutOff()
	s.begun = nil
	s.done(let, Done{Err: Refusal("does not own it")})
	s.does(HoldTimer{holdFor})
	s.pass(time.Second)
	s.does(askD1, askD3, probes("in"))
}

func TestASecondSurveyWaitsForAgentsThatAreFarAway(t *testing.T) {
	s := newStory(t)
	s.Keeper.Interval, s.Keeper.Lifetime = 100*time.Millisecond, 2*time.Second
	s.hushes("in")
	for i, within := range []time.Duration{50 * time.Millisecond, surveyLimit, surveyLimit} {
		s.pass(time.Second)
		first := slices.IndexFunc(s.begun, func(a Action) bool { _, ask := a.(Ask); return ask })
		if first < 0 || s.begun[first].(Ask).Within != within {
			t.Fatalf("survey %d: %+v, want answers within %v", i, s.begun, within)
		}
		s.begun = nil
	}
}

func TestAnOwnerByAnOldLogSucceedsWhoHasTakenFromIt(t *testing.T) {
	s := newStory(t)
	s.Log = fsm.Ownership{Owner: "d2", Epoch: 4, Order: []string{"d1"}}
	s.isSilent()
	s.isCutOff()
	s.pass(surveyLimit / 3)
	s.isCutOff()
	if !s.opened(let) {
		t.Errorf("d1 has taken from d2, which the log names yet, and is cut off now: %+v", s.begun)
	}
}

func TestASuccessorThatIsNotOnThisSideIsPassedOver(t *testing.T) {
	for _, tt := range []struct {
		name   string
		out    time.Duration // for how long d3 has not answered on the router that is heard
		in     time.Duration // and on the one that is silent
		relief bool
	}{
		{"it is elsewhere on the silent segment", 0, GoneAfter, true},
		{"it has answered a moment ago", 0, GoneAfter - 1, false},
		{"it has no address there", 0, -1, false},
		{"it is elsewhere on another segment", GoneAfter, 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStory(t)
			s.Log.Order = []string{"d3", "d2"}
			s.member("d3").Unreached = []time.Duration{tt.out, tt.in}
			s.isSilent()
			s.isCutOff()
			s.pass(surveyLimit / 3)
			s.isCutOff()
			if got := s.opened(let); got != tt.relief {
				t.Errorf("it has the owner let go: %v", got)
			}
		})
	}
}

func TestWhoStoodStillMeanwhileDoesNotClaimAtOnce(t *testing.T) {
	t.Run("from a frozen owner", func(t *testing.T) {
		s := newStory(t)
		s.isSilent()
		s.isFrozen()
		s.pass(surveyLimit)
		s.begun, s.OnTime = nil, false
		s.pass(400 * time.Millisecond) // it is due, and what came meanwhile was not read yet
		if s.opened(claim) {
			t.Error("it claims by what it knew before it stood still")
		}
		s.OnTime = true
		s.pass(300 * time.Millisecond)
		s.isFrozen()
		s.pass(surveyLimit)
		if !s.opened(claim) {
			t.Error("the next look claims")
		}
	})
	t.Run("from one that is cut off", func(t *testing.T) {
		s := newStory(t)
		s.isSilent()
		s.isCutOff()
		s.pass(surveyLimit / 3)
		s.isCutOff()
		s.OnTime = false
		s.done(let, Done{})
		if s.opened(claim) {
			t.Error("it claims by what it knew before it stood still")
		}
	})
}

func TestWhoReportsThatItOwnsAfterItWasAskedHasJustTakenIt(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before Part // of d3, when the survey is begun, and after its answer
		after  Part
		holds  bool
	}{
		{"it has claimed after its answer", Standby, Owner, true},
		{"it owned before, and says that it does not any more", Owner, Owner, false},
		{"it owns nothing", Standby, Standby, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStory(t)
			s.member("d3").Part = tt.before
			s.isSilent()
			s.says("d3", Attestation{})
			s.reaches(Segment{Router: "in", Reached: []string{"d3"}})
			s.member("d3").Part = tt.after
			s.pass(surveyLimit)
			if !tt.holds {
				s.does()
				return
			}
			s.does(guards("d3 has just taken it"), HoldTimer{holdFor})
		})
	}
}

func TestTheTimerWaitsForASurveyOnceAMemberSaysThatItOwns(t *testing.T) {
	s := newStory(t)
	s.member("d1").Part = Standby
	s.isSilent()
	s.says("d3", Attestation{Owns: true})
	s.does(HoldTimer{surveyLimit}) // d1 is dead, and so does not answer on the segment
	s.pass(surveyLimit - 1)
	s.does()
	s.reaches(Segment{Router: "in", Reached: []string{"d3"}, Serves: "d3"})
	s.pass(1)
	s.does(guards("its adverts do not arrive"), HoldTimer{holdFor})
	s.pass(time.Second - surveyLimit)
	s.does(askD1, askD3, probes("in"))
	s.says("d3", Attestation{Owns: true})
	s.does() // it is held for longer
	s.speaks()
	s.does(HoldTimer{}, heardAgain)
}

func TestAHoldForASurveyEndsWithIt(t *testing.T) {
	s := newStory(t)
	s.isSilent()
	s.says("d1", Attestation{Owns: true})
	s.does(HoldTimer{surveyLimit})
	s.speaks()
	s.does(HoldTimer{})
	s.quiesces()
}

func TestATimerThatIsToHaveItsWayIsNotHeldAgainBeforeItCanFire(t *testing.T) {
	s := newStory(t)
	s.Keeper.Interval = 100 * time.Millisecond
	s.member("d1").Unreached = []time.Duration{GoneAfter, GoneAfter}
	s.Keeper.Routers[0].Heard = ""
	s.hushes("in")
	s.pass(150 * time.Millisecond)
	s.isCutOff()
	s.pass(surveyLimit / 3)
	s.isCutOff()
	s.pass(releaseWait - 1)
	s.begun = nil
	s.done(let, Done{Word: Attestation{Owns: true, Reaches: [][]string{nil, {Gateway}}}})
	s.does(guards("no segment joins"), HoldTimer{})
	s.pass(1)
	s.begun = nil
	s.says("d1", Attestation{Owns: true})
	s.does() // the next survey, which goes on
	s.pass(s.Keeper.Interval)
	s.says("d3", Attestation{Owns: true})
	s.does(HoldTimer{surveyLimit})
}

func TestTheLastWordOfAnOwnerThatIsNotHeardTellsHowLongItsKernelServes(t *testing.T) {
	s := newStory(t)
	s.Keeper.Routers[0].Heard = ""
	s.hushes("in")
	begin := s.now
	s.pass(1500 * time.Millisecond)
	for range 20 { // its adverts are lost, and it says that it owns the group
		s.serves()
		s.pass(time.Second)
	}
	said := s.now.Add(-time.Second)
	s.begun = nil
	for !s.opened(claim) {
		if s.now.Sub(said) > time.Minute {
			t.Fatal("it is never claimed from")
		}
		if s.opened(Probe{}) {
			s.isFrozen()
		}
		s.pass(10 * time.Millisecond)
	}
	// It advertised each second from the begin on, and said its last word half a second after an advert.
	last := said.Sub(begin).Truncate(time.Second)
	want := last + s.Keeper.Lifetime - s.Keeper.Renewal - beforeEnd
	if got := s.now.Sub(begin); got < want || got > want+20*time.Millisecond {
		t.Errorf("claimed after %v, want %v: its last advert was after %v", got, want, last)
	}
}

func TestWhereNobodyIsFitToSucceedWhoIsCutOffTheTimerDecides(t *testing.T) {
	for _, tt := range []struct {
		name string
		edit func(*story)
		free bool
	}{
		{"this one drains, and the other is not ready", func(s *story) { s.Drains, s.member("d3").Ready = true, false }, true},
		{"the other is ready", func(s *story) { s.Drains = true }, false},
		{"another owns it already", func(s *story) { s.Drains, s.member("d3").Part = true, Owner }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStory(t)
			tt.edit(s)
			s.isSilent()
			s.isCutOff()
			s.pass(surveyLimit / 3)
			s.begun = nil
			s.isCutOff()
			if !tt.free {
				s.does(guards("nobody reaches it"), HoldTimer{holdFor})
				return
			}
			s.does(guards("nobody reaches it"), HoldTimer{holdFor}, guards("no director is fit to succeed it"), HoldTimer{})
		})
	}
}

func TestWhoHasJustConcededHoldsItsTimerForTheFirstSurvey(t *testing.T) {
	for _, after := range []time.Duration{0, justConceded} {
		s := newStory(t)
		s.owns()
		s.Keeper.Interval = 100 * time.Millisecond
		s.asked("d1", Question{Kind: Claimed, Epoch: 5})
		s.done(Concede{}, Done{OK: true})
		s.Log.Owner, s.Log.Epoch, s.Log.Order = "d1", 5, []string{"d2", "d3"}
		s.member("d1").Part = Owner
		s.is(Standby)
		s.pass(after)
		s.begun = nil
		for i := range s.Keeper.Routers {
			s.Keeper.Routers[i].Silent = true
		}
		s.look()
		first, within := s.begun[0], surveyLimit
		if after > 0 {
			within = 50 * time.Millisecond
		} else if first != (HoldTimer{surveyLimit}) {
			t.Errorf("it begins with %+v", first)
		}
		i := slices.IndexFunc(s.begun, func(a Action) bool { _, ok := a.(Ask); return ok })
		if ask := s.begun[i].(Ask); ask.Within != within {
			t.Errorf("%v after it has conceded it waits for answers for %v, want %v", after, ask.Within, within)
		}
	}
}

func TestWhoIsCutOffLeavesAGroupThatNobodyOwnsToAnotherForAWhile(t *testing.T) {
	s := newStory(t)
	s.isSilent()
	alone := func() {
		s.says("d3", Attestation{})
		s.reaches(Segment{Router: "in"})
		s.pass(surveyLimit) // d1 is dead
	}
	alone()
	s.does(guards("d3 could own it"), HoldTimer{holdFor})
	begin := s.now
	for range 2 {
		s.pass(time.Second - surveyLimit)
		s.does(askD1, askD3, probes("in"))
		alone()
		s.does(HoldTimer{holdFor})
	}
	s.pass(begin.Add(holdFor).Sub(s.now) - 1)
	s.does()
	s.pass(1)
	s.does(HoldTimer{}) // d3 may be cut off, too
}

func TestWhoIsCutOffClaimsNothingFromTheDead(t *testing.T) {
	for name, tt := range map[string]struct {
		play   func(*story)
		claims bool
	}{
		"it reaches nobody, and another could claim":     {func(s *story) { s.member("d3").Unreached = []time.Duration{0, GoneAfter} }, false},
		"it reaches nobody, and nobody else could claim": {func(s *story) { *s.member("d3") = Member{Name: "d3", Unreached: []time.Duration{0, GoneAfter}} }, true},
		"it reaches the other, which is on all segments": {func(*story) {}, true},
		"the other has no address there":                 {func(s *story) { s.member("d3").Unreached = []time.Duration{0, -1} }, true},
		"the first is cut off, and others are reached": {func(s *story) {
			s.fourth()
			s.Log.Order = []string{"d3", "d2"}
			s.member("d3").Unreached = []time.Duration{0, GoneAfter}
		}, true},
		"the first is reached, as the others are, and fit": {func(s *story) { s.fourth(); s.Log.Order = []string{"d3", "d2"} }, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			tt.play(s)
			s.silentFor(GoneAfter)
			if got := s.opened(askD3); got != tt.claims {
				t.Errorf("it asks whether the owner is dead: %v", got)
			}
		})
	}
}

// fourth adds a director that is reached on all segments.
func (s *story) fourth() {
	s.Members = append(s.Members, Member{Name: "d4", Alive: true, Ready: true, Fit: true, Part: Standby, Unreached: []time.Duration{0, 0}})
}
