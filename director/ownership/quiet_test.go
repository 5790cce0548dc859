package ownership

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// What is asked when the owner is silent.
var (
	askD1 = Ask{To: "d1", Question: Question{Kind: Attest, Epoch: 4, Named: "d1"}}
	askD3 = Ask{To: "d3", Question: Question{Kind: Attest, Epoch: 4, Named: "d1"}}
	let   = Ask{To: "d1", Question: Question{Kind: Let}}
)

// holdFor is how long a hold is while somebody serves, with adverts each second.
const holdFor = 2*time.Second + 2*surveyLimit

func probes(routers ...string) Probe { return Probe{Routers: routers} }

// guards is a Tell of the guard.
func guards(words string) Tell { return Tell{Kind: "guard", Text: words, Alarm: true} }

// isSilent plays until the owner has missed an advert on a router, and everybody is asked.
func (s *story) isSilent() {
	s.t.Helper()
	s.Keeper.Routers[0].Heard = "" // nobody was heard there yet: who is heard lives
	s.hushes("in")
	s.pass(1500 * time.Millisecond)
	q := s.attests()
	s.does(Ask{To: "d1", Question: q}, Ask{To: "d3", Question: q}, probes("in"))
}

// Answers of the members and of the segment to a survey.
func (s *story) serves() { // only its adverts do not arrive
	s.t.Helper()
	s.says("d3", Attestation{})
	s.reaches(Segment{Router: "in", Reached: []string{"d1", "d3"}, Serves: "d1"})
	s.says("d1", Attestation{Owns: true})
}

func (s *story) isCutOff() { // nobody on the segment reaches the owner
	s.t.Helper()
	s.says("d3", Attestation{})
	s.reaches(Segment{Router: "in", Reached: []string{"d3"}})
	s.says("d1", Attestation{Owns: true})
}

func (s *story) isFrozen() { // its kernel alone answers
	s.t.Helper()
	s.says("d3", Attestation{})
	s.reaches(Segment{Router: "in", Reached: []string{"d1", "d3"}, Serves: "d1"})
}

func TestNothingIsAskedBeforeARouterIsSilentThenEverybodyAtOnce(t *testing.T) {
	s := newStory(t)
	s.hushes()
	s.pass(1500*time.Millisecond - 1)
	s.does()
	s.pass(1)
	s.does(askD1, askD3, probes("out", "in"))
	if got := s.m.Deaf(); got != "" {
		t.Errorf("before the answers it is deaf: %s", got)
	}
}

func TestOnlyTheSegmentsOfSilentRoutersAreAsked(t *testing.T) {
	newStory(t).isSilent()
}

func TestAnOwnerWhoseAdvertsDoNotArriveIsWaitedForAgainAndAgain(t *testing.T) {
	s := newStory(t)
	s.isSilent()
	s.serves()
	s.does(guards("its adverts do not arrive"), HoldTimer{holdFor})
	if got := s.m.Deaf(); !strings.Contains(got, "its adverts do not arrive") {
		t.Errorf("it is deaf: %q", got)
	}
	held, slow := s.now, surveyLimit-time.Nanosecond
	s.pass(time.Second)
	for range 5 {
		s.does(askD1, askD3, probes("in"))
		s.pass(slow)
		s.serves()
		s.does(HoldTimer{holdFor}) // people are told once
		if late := s.now.Sub(held); late >= holdFor {
			t.Fatalf("it is held for %v, and again only after %v", holdFor, late)
		}
		held = s.now
		s.pass(time.Second - slow)
	}
}

func TestAHoldEndsWhenTheOwnerIsHeardAgain(t *testing.T) {
	s := newStory(t)
	s.isSilent()
	s.serves()
	s.does(guards(""), HoldTimer{holdFor})
	s.speaks()
	s.does(HoldTimer{}, heardAgain)
	if got := s.m.Deaf(); got != "" {
		t.Errorf("it is heard, and deaf: %s", got)
	}
	s.quiesces()
}

func TestAHoldEndsWhenTheOwnerIsDead(t *testing.T) {
	s := newStory(t)
	s.isSilent()
	s.serves()
	s.does(guards(""), HoldTimer{holdFor})
	s.pass(time.Second)
	s.does(askD1, askD3, probes("in"))
	s.reaches(Segment{Router: "in", Reached: []string{"d3"}})
	s.says("d3", Attestation{})
	s.pass(surveyLimit)
	s.does(HoldTimer{})
}

func TestAnOwnerIsFoundCutOffTwiceBeforeItIsToLetGo(t *testing.T) {
	s := newStory(t)
	s.isSilent()
	s.isCutOff()
	s.does(guards("nobody reaches it"), HoldTimer{holdFor})
	s.pass(surveyLimit / 3)
	s.does(askD1, askD3, probes("in"))
	s.isCutOff()
	s.does(guards("nobody reaches it"), HoldTimer{holdFor}, let)
	s.done(let, Done{})
	s.does(claim)
	s.takes()
	s.does(HoldTimer{})
	s.done(claim, Done{})
	s.does(Tell{Kind: "claim", Text: "d1 is cut off on the segment of in"})
	s.quiesces()
}

func TestAnOwnerFoundCutOffOnceAndThenAnotherIsNotToLetGo(t *testing.T) {
	s := newStory(t)
	s.isSilent()
	s.isCutOff()
	s.does(guards(""), HoldTimer{holdFor})
	s.pass(surveyLimit / 3)
	s.does(askD1, askD3, probes("in"))
	s.says("d1", Attestation{})
	s.says("d3", Attestation{Owns: true})
	s.reaches(Segment{Router: "in", Reached: []string{"d1"}})
	s.does(HoldTimer{holdFor}) // the first time for this one
}

func TestOnlyTheFirstSuccessorClaimsFromAnOwnerThatIsCutOff(t *testing.T) {
	s := newStory(t)
	s.Log.Order = []string{"d3", "d2"}
	s.isSilent()
	s.isCutOff()
	s.does(guards(""), HoldTimer{holdFor})
	s.pass(surveyLimit / 3)
	s.does(askD1, askD3, probes("in"))
	s.isCutOff()
	s.does(guards(""), HoldTimer{holdFor}) // it waits, too
}

func TestAnOwnerThatIsCutOffAndDoesNotLetGoIsClaimedFromAnyway(t *testing.T) {
	relieves := func() *story {
		s := newStory(t)
		s.isSilent()
		s.isCutOff()
		s.pass(surveyLimit / 3)
		s.isCutOff()
		s.does(guards(""), HoldTimer{holdFor}, askD1, askD3, probes("in"), guards(""), HoldTimer{holdFor}, let)
		return s
	}
	t.Run("it is not reached", func(t *testing.T) {
		s := relieves()
		s.pass(releaseWait - 1)
		s.does()
		s.pass(1)
		s.does(guards("claimed from: no answer in time"), claim)
	})
	t.Run("the claim fails: the next look tries again", func(t *testing.T) {
		s := relieves()
		s.done(let, Done{})
		s.does(claim)
		s.done(claim, Done{Err: errors.New("refused")})
		s.does(Tell{Kind: "claim", Text: "not claimed: refused", Alarm: true})
		s.pass(time.Second)
		s.does(askD1, askD3, probes("in"))
		s.isCutOff()
		s.does(HoldTimer{holdFor}, let)
	})
	t.Run("not while the keeper is at a claim", func(t *testing.T) {
		s := relieves()
		s.done(let, Done{})
		s.does(claim)
		s.pass(time.Second)
		s.does(askD1, askD3, probes("in"))
		s.isCutOff()
		s.does(HoldTimer{holdFor}, let)
		s.done(let, Done{})
		s.does()
	})
	t.Run("not if it is heard again", func(t *testing.T) {
		s := relieves()
		s.speaks()
		s.done(let, Done{Err: errors.New("refused")})
		s.does(HoldTimer{}, heardAgain)
	})
	t.Run("not if another owns it by then", func(t *testing.T) {
		s := relieves()
		s.member("d3").Part = Owner
		s.done(let, Done{Err: errors.New("does not own it")})
		s.does()
	})
	t.Run("not if this director is not fit any more", func(t *testing.T) {
		s := relieves()
		s.Drains = true
		s.done(let, Done{})
		s.does()
	})
}

func TestWhoIsCutOffItselfClaimsNothing(t *testing.T) {
	s := newStory(t)
	s.isSilent()
	for range 3 {
		s.reaches(Segment{Router: "in"})
		s.says("d3", Attestation{})
		s.says("d1", Attestation{Owns: true})
		s.pass(time.Second)
	}
	again := []Action{HoldTimer{holdFor}, askD1, askD3, probes("in")}
	s.does(append([]Action{guards("neither a member nor a gateway")}, append(append(again, again...), again...)...)...)
}

func TestARouterThatIsHeardAgainIsNotJudged(t *testing.T) {
	s := newStory(t)
	s.hushes()
	s.pass(1500 * time.Millisecond)
	s.does(askD1, askD3, probes("out", "in"))
	s.says("d3", Attestation{})
	s.says("d1", Attestation{Owns: true})
	s.does(HoldTimer{surveyLimit})
	s.mute["out"], s.Keeper.Routers[0].Silent = false, false
	s.reaches(Segment{Router: "out"}, Segment{Router: "in", Reached: []string{"d1"}, Serves: "d1"})
	s.does(guards("its adverts do not arrive"), HoldTimer{holdFor}) // not: this director is cut off on out
}

func TestAnswersThatComeAfterTheSilenceChangeNothing(t *testing.T) {
	s := newStory(t)
	s.isSilent()
	s.speaks()
	s.isCutOff()
	s.does()
	s.quiesces()
}

func TestAKeeperThatIsRestartedMeanwhileIsHeldAnew(t *testing.T) {
	s := newStory(t)
	s.isSilent()
	s.serves()
	s.does(guards(""), HoldTimer{holdFor})
	s.is(Absent)
	s.does(HoldTimer{})
	s.is(Standby)
	s.pass(time.Second)
	s.does(askD1, askD3, probes("in"))
	s.serves()
	s.does(guards(""), HoldTimer{holdFor})
}

func TestWhoWasCutOffHoursAgoWaitsForTheOthersAsLongTheNextTime(t *testing.T) {
	s := newStory(t)
	for range 2 {
		s.isSilent()
		s.says("d3", Attestation{})
		s.reaches(Segment{Router: "in"})
		s.pass(surveyLimit) // d1 is dead
		s.does(guards("d3 could own it"), HoldTimer{holdFor})
		s.speaks()
		s.does(HoldTimer{}, heardAgain)
		s.pass(3 * time.Hour)
	}
}

// frozenFor plays an owner whose process is frozen, with adverts at an interval, and returns when it is claimed
// from, as a time after its last advert, and until when the timer is held at most. It takes all the time that
// there is not to answer.
func frozenFor(t *testing.T, every time.Duration, first bool) (claimed []time.Duration, held time.Duration) {
	s := newStory(t)
	k := &s.Keeper
	k.Interval, k.Lifetime = every, max(3*every, 2*time.Second)
	k.Renewal = min(k.Lifetime/4, 750*time.Millisecond)
	if !first {
		s.Log.Order = []string{"d3", "d2"}
	}
	s.hushes()
	begin := s.now
	for s.now.Sub(begin) < 2*k.Lifetime {
		s.pass(time.Millisecond)
		if s.opened(claim) {
			claimed = append(claimed, s.now.Sub(begin))
			s.takes()
			s.done(claim, Done{})
		}
		if s.opened(Probe{}) {
			s.reaches(Segment{Router: "out", Reached: []string{"d1", "d3"}, Serves: "d1"}, Segment{Router: "in", Reached: []string{"d3"}})
		}
		if s.opened(askD3) {
			s.says("d3", Attestation{})
		}
		for _, a := range s.begun {
			if h, ok := a.(HoldTimer); ok && h.For > 0 {
				held = max(held, s.now.Sub(begin)+h.For)
			}
		}
		s.begun = nil
	}
	return claimed, held
}

func TestAFrozenOwnerIsClaimedFromOnceAndJustBeforeItsKernelMayEnd(t *testing.T) {
	for _, every := range []time.Duration{100 * time.Millisecond, 250 * time.Millisecond, time.Second, 1500 * time.Millisecond, 3 * time.Second, 10 * time.Second} {
		life := max(3*every, 2*time.Second)
		end := life - min(life/4, 750*time.Millisecond)
		at, held := frozenFor(t, every, true)
		if len(at) != 1 || at[0] != end-beforeEnd {
			t.Errorf("adverts each %v: claimed %v after the last one, want once, %v before %v", every, at, beforeEnd, end)
		}
		if held < end {
			t.Errorf("adverts each %v: its timer is held for %v after the last one", every, held)
		}
	}
}

func TestWhoDoesNotComeFirstWaitsARenewalLongerForAFrozenOwner(t *testing.T) {
	for _, every := range []time.Duration{100 * time.Millisecond, time.Second, 3 * time.Second} {
		life := max(3*every, 2*time.Second)
		at, held := frozenFor(t, every, false)
		if len(at) > 0 || held != life {
			t.Errorf("adverts each %v: claimed %v after the last one, and held for %v, want never and %v", every, at, held, life)
		}
	}
}

func TestWhoHasClaimedFromAFrozenOwnerRenewsWhenThatAnswersNoMore(t *testing.T) {
	s := newStory(t)
	s.isSilent()
	s.isFrozen()
	s.pass(surveyLimit)
	s.does(guards("its keeper does not"), HoldTimer{3*time.Second - 1800*time.Millisecond})
	s.pass(400 * time.Millisecond)
	s.does(claim)
	s.takes()
	s.does(HoldTimer{})
	s.done(claim, Done{})
	s.does(Tell{Kind: "claim", Text: "d2 claims g: the keeper of d1 gives no sign"})
	s.pass(s.Keeper.Renewal + 2*beforeEnd - 1)
	s.does()
	s.pass(1)
	s.does(Renew{})
	s.quiesces()
}

func TestAFrozenOwnerThatSpeaksAgainIsNotClaimedFrom(t *testing.T) {
	s := newStory(t)
	s.isSilent()
	s.isFrozen()
	s.pass(surveyLimit)
	s.does(guards("its keeper does not"), HoldTimer{1200 * time.Millisecond})
	s.pass(400*time.Millisecond - 1)
	s.speaks()
	s.does(HoldTimer{}, heardAgain)
	s.quiesces()
}

// It was not silent, and cannot be heard again.
func TestWhoOwnsTheGroupInPlaceOfASilentOwnerIsNotSaidToBeHeardAgain(t *testing.T) {
	s := newStory(t)
	s.isSilent()
	s.isFrozen()
	s.pass(surveyLimit)
	s.does(guards("its keeper does not"), HoldTimer{1200 * time.Millisecond})
	s.pass(400*time.Millisecond - 1)
	s.Keeper.Routers[0].Heard, s.Keeper.Routers[1].Heard = "d3", "d3"
	s.speaks()
	s.does(HoldTimer{}, Tell{Kind: "guard", Text: "g on d2: d3 owns it now, and is heard"})
	s.quiesces()
}

func TestAFrozenOwnerThatIsDeadByThenIsNotWaitedFor(t *testing.T) {
	s := newStory(t)
	s.Keeper.Routers[0].Heard = ""
	s.Keeper.Interval, s.Keeper.Lifetime = 100*time.Millisecond, 2*time.Second
	s.hushes("in")
	s.pass(150 * time.Millisecond)
	s.does(askD1, askD3, probes("in"))
	s.isFrozen()
	s.pass(50 * time.Millisecond)
	s.does(guards("its keeper does not"), HoldTimer{s.holdFor()}) // and not for the lifetime: this control may die as well
	s.pass(100 * time.Millisecond)
	s.does(askD1, askD3, probes("in"))
	s.says("d3", Attestation{})
	s.reaches(Segment{Router: "in", Reached: []string{"d3"}})
	s.pass(surveyLimit)
	s.does(HoldTimer{}) // the timer has it
}

// heardAgain ends the alarm of an owner that was not heard.
var heardAgain = Tell{Kind: "guard", Text: "g on d2: d1 is heard again"}
