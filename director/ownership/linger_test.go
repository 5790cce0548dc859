package ownership

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// unheard plays an owner that was never heard here, whose processes freeze after a while, and returns when it is
// claimed from, 0 for never within 20 seconds, and when it had said last that it owns the group.
func unheard(t *testing.T, frozen time.Duration) (claimed, said time.Duration) {
	t.Helper()
	s := newStory(t)
	for i := range s.Keeper.Routers {
		s.Keeper.Routers[i].Heard = ""
	}
	s.hushes()
	for begin := s.now; claimed == 0 && s.now.Sub(begin) < 20*time.Second; {
		s.pass(time.Millisecond)
		now := s.now.Sub(begin)
		for now < frozen && s.opened(askD1) {
			s.says("d1", Attestation{Owns: true, Reaches: near})
			said = now
		}
		for s.opened(askD3) {
			s.says("d3", Attestation{})
		}
		if s.opened(Probe{}) {
			s.reaches(Segment{Router: "out", Reached: []string{"d1", "d3"}, Serves: "d1"}, Segment{Router: "in", Reached: []string{"d1", "d3"}, Serves: "d1"})
		}
		if s.opened(claim) {
			claimed = now
		}
	}
	return claimed, said
}

func TestAFrozenOwnerThatWasNeverHeardIsClaimedFromByItsLastWord(t *testing.T) {
	claimed, said := unheard(t, 5*time.Second)
	if got, want := claimed-said, 3*time.Second-750*time.Millisecond-beforeEnd; got != want {
		t.Errorf("claimed %v after its last word, want %v", got, want)
	}
}

func TestAnOwnerThatHasGivenNoSignIsBelievedAsLongAsItsKernelAnswers(t *testing.T) {
	if claimed, _ := unheard(t, 0); claimed > 0 {
		t.Errorf("it is claimed from after %v", claimed)
	}
}

// The timer is held again and again while its kernel answers, never for longer than the next look needs, and all the while.
func TestTheTimerIsHeldForTheNextLookAtAFrozenOwner(t *testing.T) {
	s := newStory(t)
	s.Keeper.Interval, s.Keeper.Lifetime = 100*time.Millisecond, 2*time.Second
	for i := range s.Keeper.Routers {
		s.Keeper.Routers[i].Heard = ""
	}
	s.hushes()
	held, looks := time.Time{}, 0
	for end := s.now.Add(10 * time.Second); s.now.Before(end); s.pass(10 * time.Millisecond) {
		for _, a := range s.begun {
			if h, ok := a.(HoldTimer); ok {
				held = s.now.Add(h.For)
				looks++
			}
		}
		s.begun = nil
		switch left := held.Sub(s.now); {
		case looks == 0:
		case left <= 0:
			t.Fatalf("the timer is not held any more, after %d looks", looks)
		case left > s.holdFor():
			t.Fatalf("it is held for %v, and the next look needs %v", left, s.holdFor())
		}
		if s.opened(Probe{}) { // neither d1 nor d3 answers
			s.reaches(Segment{Router: "out", Reached: []string{"d1", "d3"}, Serves: "d1"}, Segment{Router: "in", Reached: []string{"d1", "d3"}, Serves: "d1"})
		}
	}
	if looks < 10 {
		t.Errorf("it is held %d times", looks)
	}
}

func TestAVirtualAddressIsAnsweredByWhoOwnedTheGroupLast(t *testing.T) {
	s := newStory(t)
	s.isSilent()
	both := Segment{Router: "in", Reached: []string{"d1", "d3"}, Virtual: true}
	s.says("d1", Attestation{}) // it has lost the group, and its last advert here is of before
	s.says("d3", Attestation{Owns: true})
	s.reaches(both)
	s.does(HoldTimer{surveyLimit}, guards("d3 owns it and answers"), HoldTimer{holdFor})
	s.pass(time.Second)
	s.does(askD1, askD3, probes("in"))
	s.says("d1", Attestation{})
	s.reaches(both)
	s.pass(surveyLimit) // d3 is frozen
	if got := s.m.Deaf(); got != "the kernel of d3 answers on the segment, and its keeper does not" {
		t.Errorf("it believes that %s", got)
	}
}

// No adverts pass. d1 was heard long ago, and its kernel may answer with the virtual MAC as well.
func TestWhoToldOfItsClaimOwnsAVirtualAddressThatAnswers(t *testing.T) {
	s := newStory(t)
	s.owns()
	s.asked("d3", Question{Kind: Claimed, Epoch: 5})
	s.done(Concede{}, Done{OK: true})
	s.Keeper.Part = Standby
	for i := range s.Keeper.Routers {
		s.Keeper.Routers[i] = Router{Name: s.Keeper.Routers[i].Name, Silent: true, Heard: "d1", Age: 10 * time.Second}
	}
	s.look()
	s.begun = nil
	both := []string{"d1", "d3"}
	s.reaches(Segment{Router: "out", Reached: both, Virtual: true}, Segment{Router: "in", Reached: both, Virtual: true})
	s.pass(surveyLimit)
	s.does(guards("the kernel of d3 answers on the segment"), HoldTimer{holdFor})
}

func TestTheTimerWaitsForTheNextSurveyWhenAMemberReportsThatItOwnsTheGroup(t *testing.T) {
	s := newStory(t)
	s.isSilent()
	s.member("d3").Part = Owner
	s.look()
	s.does(HoldTimer{surveyLimit})
	s.look()
	s.does() // it is held
	s.pass(surveyLimit/2 + 1)
	s.look()
	s.does(HoldTimer{surveyLimit}) // and longer while the survey lasts
}

func TestAFrozenOwnerWhoseControlIsHeardAgainIsAskedBeforeItIsClaimedFrom(t *testing.T) {
	const due = 400 * time.Millisecond // it is claimed from then, after the survey
	for _, at := range []time.Duration{due - attestLimit, due} {
		for name, tt := range map[string]struct {
			outcome Done
			claims  bool
		}{
			"its keeper lives":         {Done{Word: Attestation{Owns: true}}, false},
			"its keeper is frozen":     {Done{}, true},
			"it does not answer, then": {Done{Err: errLate}, true},
		} {
			t.Run(fmt.Sprintf("%s, heard again after %v", name, at), func(t *testing.T) {
				s := newStory(t)
				s.isSilent()
				begun := s.now
				s.member("d1").Unheard = GoneAfter
				s.isFrozen()
				s.pass(surveyLimit)
				s.does(guards("its keeper does not"), HoldTimer{1200 * time.Millisecond})
				s.pass(at - 1)
				s.does()
				s.member("d1").Unheard = 0
				s.pass(1)
				s.does(askD1)
				s.done(askD1, tt.outcome)
				if tt.claims {
					s.does(claim)
					return
				}
				s.does(HoldTimer{holdFor}) // until the next survey has an answer
				s.pass(s.Keeper.Interval - s.now.Sub(begun))
				s.does(askD1, askD3, probes("in"))
				s.serves()
				s.does(guards("its adverts do not arrive"), HoldTimer{holdFor})
			})
		}
	}
}

func TestWhoIsAskedBeforeItIsClaimedFromIsClaimedFromInTimeWhereItDoesNotAnswer(t *testing.T) {
	s := newStory(t)
	s.isSilent()
	heard := s.now.Add(-1500 * time.Millisecond)
	s.member("d1").Unheard = GoneAfter
	s.isFrozen()
	s.pass(surveyLimit)
	s.member("d1").Unheard = 0 // its control is there again, and waits for its keeper
	for !s.opened(claim) && s.now.Sub(heard) < s.Keeper.Lifetime {
		s.pass(time.Millisecond)
	}
	if got, want := s.now.Sub(heard), s.Keeper.Lifetime-s.Keeper.Renewal-beforeEnd; got != want {
		t.Errorf("it is claimed from %v after its last advert, want %v", got, want)
	}
}

// A claim ends the whole group elsewhere.
func TestWhoReachesNobodyOnOneSegmentClaimsFromNoKernelOnAnother(t *testing.T) {
	for name, tt := range map[string]struct {
		out    Segment
		claims bool
	}{
		"nobody":    {Segment{Router: "out"}, false},
		"a gateway": {Segment{Router: "out", Gateway: true}, true},
		"a member":  {Segment{Router: "out", Reached: []string{"d3"}}, true},
	} {
		t.Run("it reaches "+name, func(t *testing.T) {
			s := newStory(t)
			s.hushes("out", "in")
			claimed := false
			for begin := s.now; !claimed && s.now.Sub(begin) < 2*s.Keeper.Lifetime; s.pass(10 * time.Millisecond) {
				for s.opened(Probe{}) {
					s.reaches(tt.out, Segment{Router: "in", Reached: []string{"d1", "d3"}, Serves: "d1"})
				}
				claimed = s.opened(claim)
			}
			if claimed != tt.claims {
				t.Errorf("it claims: %v", claimed)
			}
		})
	}
}

// No adverts pass, and d1 cannot be asked. The next one has claimed it, as its report or the log says: this director waited for
// its own turn, and the next survey for the end of an interval.
func TestWhoHasJustTakenTheGroupIsAskedBeforeTheTimerFires(t *testing.T) {
	for name, tells := range map[string]func(s *story){
		"by its report": func(s *story) { s.member("d3").Part = Owner },
		"by the log":    func(s *story) { s.Log.Owner, s.Log.Epoch = "d3", s.Log.Epoch+1 },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			s.Log.Order = []string{"d3", "d2"}
			s.hushes()
			s.member("d1").Unheard = time.Minute
			lingers := func() {
				s.says("d3", Attestation{})
				s.reaches(Segment{Router: "out", Reached: []string{"d1", "d3"}, Serves: "d1"}, Segment{Router: "in", Reached: []string{"d1", "d3"}, Serves: "d1"})
			}
			s.pass(1500 * time.Millisecond)
			lingers()
			s.pass(900 * time.Millisecond)
			s.begun = nil
			tells(s)
			s.look()
			ask := Question{Kind: Attest, Epoch: s.Log.Epoch, Named: s.Log.Owner}
			s.does(Ask{To: "d1", Question: ask}, Ask{To: "d3", Question: ask}, Probe{Routers: []string{"out", "in"}})
			s.says("d3", Attestation{Owns: true})
			s.reaches(Segment{Router: "out", Reached: []string{"d1", "d3"}, Serves: "d1"}, Segment{Router: "in", Reached: []string{"d1", "d3"}, Serves: "d1"})
			s.pass(surveyLimit)
			s.does(guards("d3 owns it and is reached"), HoldTimer{holdFor})
			s.look()
			s.does() // once
		})
	}
}

// It was asked before that, and d1's kernel serves still.
func TestWhoTakesTheGroupWhileASurveyWaitsForADeadAgentIsNotTakenFrom(t *testing.T) {
	s := newStory(t)
	s.Log.Order = []string{"d3", "d2"}
	s.hushes()
	s.member("d1").Unheard = time.Minute
	s.pass(1500 * time.Millisecond)
	s.says("d3", Attestation{})
	s.reaches(Segment{Router: "out", Reached: []string{"d1", "d3"}, Serves: "d1"}, Segment{Router: "in", Reached: []string{"d1", "d3"}, Serves: "d1"})
	s.member("d3").Part = Owner
	s.look()
	s.begun = nil
	s.pass(surveyLimit)
	s.does(guards("d3 has just taken it"), HoldTimer{holdFor})
	s.look()
	s.does()
}

// noSign plays an owner of which no sign was ever had here, and whose agent is silent, or heard by this director alone; the
// only other member is a witness. It returns when the owner is claimed from and when the timer is let go, whichever comes first; 0 for never.
func noSign(t *testing.T, witness func(now time.Duration) (word Attestation, answers bool), heard bool, out Segment) (claimed, freed time.Duration) {
	t.Helper()
	s := newStory(t)
	for i := range s.Keeper.Routers {
		s.Keeper.Routers[i].Heard = ""
	}
	s.member("d3").Witness = true
	s.hushes()
	for begin := s.now; claimed == 0 && freed == 0 && s.now.Sub(begin) < 20*time.Second; {
		now := s.now.Sub(begin)
		if !heard {
			s.member("d1").Unheard = now
		}
		s.pass(time.Millisecond)
		for s.opened(askD3) {
			word, answers := witness(now)
			if !answers {
				break
			}
			s.says("d3", word)
		}
		for s.opened(Probe{}) {
			s.reaches(out, Segment{Router: "in", Reached: []string{"d1", "d3"}, Serves: "d1"})
		}
		if s.opened(claim) {
			claimed = now
		}
		if slices.Contains(s.begun, Action(HoldTimer{})) {
			freed = now
		}
		s.begun = nil
	}
	return claimed, freed
}

func TestAnOwnerOfWhomNobodyHearsAnythingIsSucceededALifetimeAfterThatWasFound(t *testing.T) {
	mute := func(time.Duration) (Attestation, bool) { return Attestation{Mute: []string{"d1"}}, true }
	both := Segment{Router: "out", Reached: []string{"d1", "d3"}, Serves: "d1"}
	const found, lifetime = 1500 * time.Millisecond, 3 * time.Second // the first survey, and of [newStory]
	if claimed, _ := noSign(t, mute, false, both); claimed < found+lifetime-750*time.Millisecond-beforeEnd || claimed > found+lifetime {
		t.Errorf("claimed after %v", claimed)
	}
	// A claim would end what may serve on a segment where this director reaches nobody: that is left to the timer.
	if claimed, freed := noSign(t, mute, false, Segment{Router: "out"}); claimed > 0 || freed < found+lifetime || freed > found+lifetime+2*time.Second {
		t.Errorf("where it reaches nobody on a segment, it is claimed from after %v, and the timer let go after %v", claimed, freed)
	}
}

func TestAnOwnerThatHasGivenNoSignIsBelievedWhereAnybodyHearsItsAgent(t *testing.T) {
	mute := Attestation{Mute: []string{"d1"}}
	for name, tt := range map[string]struct {
		witness func(now time.Duration) (Attestation, bool)
		heard   bool
	}{
		"this director does": {func(time.Duration) (Attestation, bool) { return mute, true }, true},
		"another does":       {func(time.Duration) (Attestation, bool) { return Attestation{}, true }, false},
		"another does now and then": {func(now time.Duration) (Attestation, bool) {
			return Attestation{Mute: mute.Mute[:now/(2*time.Second)%2]}, true
		}, false},
		"nobody does, nor answers here": {func(time.Duration) (Attestation, bool) { return mute, false }, false},
	} {
		t.Run(name, func(t *testing.T) {
			claimed, freed := noSign(t, tt.witness, tt.heard, Segment{Router: "out", Reached: []string{"d1", "d3"}, Serves: "d1"})
			if claimed > 0 || freed > 0 {
				t.Errorf("it is claimed from after %v, and the timer let go after %v", claimed, freed)
			}
		})
	}
}
