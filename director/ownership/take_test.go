package ownership

import (
	"errors"
	"testing"
	"time"

	"github.com/quorate/quorate/fsm"
)

// What the log is told of the move that a story wants.
var (
	taken   = Propose{Command: fsm.SetOwner{Group: "g", Owner: "d2", Epoch: 5, Reason: "d1 drains"}}
	dropped = func(why string) Propose { return Propose{Command: fsm.DropIntent{Group: "g", Epoch: 5, Reason: why}} }
	claim   = Claim{Priority: ClaimPriority(OwnerPriority)}
	yield   = Ask{To: "d1", Question: Question{Kind: Yield, Epoch: 5}}
	told    = Ask{To: "d1", Question: Question{Kind: Claimed, Epoch: 5}}
	pull    = Pull{From: "d1"}
)

// claims plays a move until the keeper is told to claim.
func (s *story) claims() {
	s.t.Helper()
	s.wants()
	s.does(pull)
	s.done(pull, Done{})
	s.does(yield)
	s.done(yield, Done{})
	s.does(claim)
}

// confirms has the log name this director.
func (s *story) confirms() {
	s.t.Helper()
	s.Log = fsm.Ownership{Owner: "d2", Epoch: 5, Order: []string{"d3", "d1"}}
	s.done(Propose{}, Done{})
}

func TestAPlannedMoveMakesBeforeItBreaks(t *testing.T) {
	s := newStory(t)
	s.claims()
	s.takes()
	s.done(claim, Done{})
	s.does(told, pull)
	s.done(told, Done{})
	s.done(pull, Done{})
	s.pass(59 * time.Millisecond)
	s.does()
	s.pass(time.Millisecond)
	s.does(pull)
	s.done(pull, Done{})
	s.does(taken)
	s.confirms()
	s.does()
	s.quiesces()
}

// drops expects that the log is told that the move did not happen, and that nothing more comes of it.
func (s *story) drops(why string) {
	s.t.Helper()
	s.does(dropped(why))
	s.Log.Intent = nil
	s.done(Propose{}, Done{})
	s.does()
	s.quiesces()
}

func TestAMoveWhoseConnectionsAreNotReceivedChangesNothing(t *testing.T) {
	s := newStory(t)
	s.wants()
	s.does(pull)
	s.done(pull, Done{Err: errors.New("refused")})
	s.drops("connections of d1: refused")
}

func TestAMoveThatTheOwnerDoesNotYieldToChangesNothing(t *testing.T) {
	s := newStory(t)
	s.wants()
	s.does(pull)
	s.done(pull, Done{})
	s.does(yield)
	s.pass(askLimit)
	s.drops(errLate.Error())
}

func TestAClaimThatFailsIsGivenUpForItMayHaveComeHalfWay(t *testing.T) {
	s := newStory(t)
	s.claims()
	s.done(claim, Done{Err: errors.New("a better advert")})
	s.does(Resign{}, dropped("claim g: a better advert"))
	s.Log.Intent = nil
	s.done(Propose{}, Done{})
	s.quiesces()
}

// notTold has d2 claim from d1, which is not heard on one router and does not answer that it was told.
func notTold(t *testing.T) *story {
	t.Helper()
	s := newStory(t)
	s.Keeper.Routers[1].Heard = ""
	s.wants()
	s.does(pull)
	s.done(pull, Done{})
	s.does(probes("in"))
	s.reaches(Segment{Router: "in", Reached: []string{"d1"}})
	s.does(yield)
	s.done(yield, Done{})
	s.does(claim)
	s.done(claim, Done{})
	s.does(told, pull)
	s.Keeper.Part = Owner
	s.pass(askLimit)
	s.does(probes("out", "in"))
	return s
}

func TestAClaimIsWithdrawnWhereAnOwnerThatIsNotHeardIsNotToldAndMayServe(t *testing.T) {
	for name, segments := range map[string][]Segment{
		"it serves":                           {{Router: "in", Reached: []string{"d1"}, Serves: "d1"}, {Router: "out", Reached: []string{"d1"}}},
		"another serves":                      {{Router: "in", Reached: []string{"d1", "d3"}, Serves: "d3"}, {Router: "out", Reached: []string{"d1"}}},
		"somebody may, by a virtual MAC":      {{Router: "in", Reached: []string{"d1"}, Virtual: true}, {Router: "out", Reached: []string{"d1"}}},
		"it is not reached on one of the two": {{Router: "in", Reached: []string{"d1"}}, {Router: "out", Reached: []string{"d3"}, Gateway: true}},
		"nothing is known of one of the two":  {{Router: "in", Reached: []string{"d1"}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := notTold(t)
			s.reaches(segments...)
			s.does(Resign{}, dropped("d1 was not told of the claim, and is not heard on in: withdrawn"))
		})
	}
}

func TestAClaimIsWithdrawnAtOnceWhereTheOwnerIsThereAndDoesNotLetGo(t *testing.T) {
	s := newStory(t)
	s.claims()
	s.m.taking.deaf = "in"
	s.done(claim, Done{})
	s.does(told, pull)
	s.done(told, Done{Err: Refusal("it is stopping")})
	s.does(Resign{}, dropped("d1 was not told of the claim, and is not heard on in: withdrawn"))
}

// The owner heard the claim, let go and ended, before it had answered that it was told.
func TestAClaimHoldsWhereAnOwnerThatIsNotHeardServesNoMore(t *testing.T) {
	s := notTold(t)
	s.reaches(Segment{Router: "in", Reached: []string{"d1"}}, Segment{Router: "out", Reached: []string{"d1", "d3"}})
	s.done(pull, Done{}) // which was asked for at the claim
	s.does()
	s.pass(PushAfter)
	s.does(pull)
	s.done(pull, Done{})
	s.does(taken)
}

func TestAClaimHoldsWhereAnOwnerIsHeardAndDoesNotSayThatItWasTold(t *testing.T) {
	s := newStory(t)
	s.claims()
	s.takes()
	s.done(claim, Done{})
	s.does(told, pull)
	s.done(pull, Done{})
	s.pass(askLimit)
	s.does()
	s.pass(PushAfter)
	s.does(pull)
}

// An owner that is stopping may have no keeper any more that it could tell, and finds that out late: the clients of what
// began just before the claim do not wait for so long.
func TestTheNewestConnectionsAreAskedForBeforeTheOwnerSaysThatItWasToldOfTheClaim(t *testing.T) {
	s := newStory(t)
	s.claims()
	s.takes()
	s.done(claim, Done{})
	if !s.opened(told) || !s.opened(pull) {
		t.Errorf("under way are %+v, want %+v and %+v", s.open, told, pull)
	}
}

func TestConnectionsThatAreNotReceivedAfterAClaimAreToldOfAndTheMoveGoesOn(t *testing.T) {
	s := newStory(t)
	s.hasTaken()
	s.does(told, pull)
	s.done(pull, Done{Err: errors.New("refused")})
	s.does(Tell{Kind: "move", Text: "not received from d1: refused", Alarm: true})
	s.pass(PushAfter)
	s.does(pull)
	s.done(pull, Done{})
	s.does(taken)
}

func TestAMoveThatHasNotClaimedWithinItsLimitChangesNothing(t *testing.T) {
	s := newStory(t)
	s.wants()
	s.pass(MoveLimit - time.Millisecond)
	s.does(pull)
	s.done(pull, Done{})
	s.does(yield)
	s.pass(time.Millisecond)
	s.does(dropped("it took longer than 5s"))
	s.done(yield, Done{})
	s.does() // the owner has yielded too late, and goes on
	s.Log.Intent = nil
	s.done(Propose{}, Done{})
	s.quiesces()
}

func TestALimitThatPassesWhileTheKeeperClaimsWaitsForWhatComesOfIt(t *testing.T) {
	claims := func() *story {
		s := newStory(t)
		s.wants()
		s.pass(MoveLimit - 10*time.Millisecond)
		s.done(pull, Done{})
		s.done(yield, Done{})
		s.does(pull, yield, claim)
		s.pass(time.Second)
		s.does()
		return s
	}
	t.Run("it holds", func(t *testing.T) {
		s := claims()
		s.takes()
		s.done(claim, Done{})
		s.does(told, pull)
		s.pass(askLimit)
		s.does(taken) // connections are not waited for any more
		s.confirms()
		s.quiesces()
	})
	t.Run("it fails", func(t *testing.T) {
		s := claims()
		s.done(claim, Done{Err: errors.New("refused")})
		s.does(Resign{}, dropped("claim g: refused"))
	})
	t.Run("it is withdrawn", func(t *testing.T) {
		s := claims()
		s.m.taking.deaf = "in"
		s.done(claim, Done{})
		s.does(told, pull)
		s.done(told, Done{Err: errLate})
		s.does(probes("out", "in"))
		s.reaches()
		s.does(Resign{}, dropped("d1 was not told of the claim, and is not heard on in: withdrawn"))
	})
}

func TestAMoveThatHasClaimedIsToldOfAtItsLimitWhateverIsUnderWay(t *testing.T) {
	s := newStory(t)
	s.hasTaken()
	s.does(told, pull)
	s.pass(MoveLimit)
	s.does(pull, Tell{Kind: "move", Text: "not received", Alarm: true}, taken)
	s.confirms()
	s.quiesces()
}

func TestAMoveToTheOwnerIsOverAtOnce(t *testing.T) {
	s := newStory(t)
	s.takes()
	s.wants()
	s.does(taken)
	s.confirms()
	s.quiesces()
}

func TestAMoveIsNotBegunByWhoLagsBehindTheLogOrIsNotMeant(t *testing.T) {
	s := newStory(t)
	s.Current = false
	s.wants()
	s.does()
	s.Log.Intent.To, s.Current = "d3", true
	s.look()
	s.does()
}

func TestWhoHasJustBeenStartedAsksAnOwnerThatHasNotReportedToItYet(t *testing.T) {
	s := newStory(t)
	s.member("d1").Alive = false // its agent was heard a moment ago
	s.wants()
	s.does(pull)
	s.done(pull, Done{})
	s.does(yield)
}

func TestAMoveWhoseRoutersCannotWorkClaimsNothing(t *testing.T) {
	for _, p := range []Part{Absent, Faulty} {
		s := newStory(t)
		s.wants()
		s.done(pull, Done{})
		s.Keeper.Part = p
		s.done(yield, Done{})
		s.does(pull, yield, dropped("g is in state "+p.String()+" on d2"))
	}
}

func TestAnOutcomeThatTheLogDoesNotTakeIsToldAgainAfterASecond(t *testing.T) {
	s := newStory(t)
	s.takes()
	s.wants()
	s.does(taken)
	for range 3 {
		s.done(Propose{}, Done{Err: errors.New("no leader")})
		s.pass(takeAgain - time.Millisecond)
		s.does()
		s.pass(time.Millisecond)
		s.does(taken)
	}
	s.confirms()
	s.quiesces()
}

// The log may answer before what it has taken is applied here: without a wait, a move that was dropped would
// be carried out after all, over and over.
func TestAMoveThatTheLogHasEndedIsNotBegunAgainThoughTheLogHereLagsBehind(t *testing.T) {
	s := newStory(t)
	s.wants()
	s.done(pull, Done{Err: errors.New("refused")})
	s.done(Propose{}, Done{})
	s.does(pull, dropped("connections of d1: refused"))
	s.pass(takeAgain / 2)
	s.does()
	s.Log.Intent = nil
	s.look()
	s.quiesces()
}

func TestASecondMoveBeginsAsSoonAsTheLogShowsItAfterTheFirst(t *testing.T) {
	s := newStory(t)
	s.wants()
	s.does(pull)
	s.done(pull, Done{Err: errors.New("refused")})
	s.does(dropped("connections of d1: refused"))
	s.Log.Intent = nil
	s.done(Propose{}, Done{})
	s.wants() // the epoch is the same: a move that is dropped raises none
	s.does(pull)
	s.Log.Intent = &fsm.Intent{To: "d2", Epoch: 5, Reason: "an operator"}
	s.look() // the first of two was dropped by another, and set anew
	s.does(pull)
	s.done(pull, Done{}) // of the first
	s.does()
	s.done(pull, Done{})
	s.does(yield)
}

func TestAMoveThatVanishesFromTheLogBeforeTheClaimIsForgotten(t *testing.T) {
	for name, vanish := range map[string]func(*story){
		"dropped":       func(s *story) { s.Log.Intent = nil },
		"decided":       func(s *story) { s.Log = fsm.Ownership{Owner: "d3", Epoch: 5, Order: []string{"d2", "d1"}} },
		"to another":    func(s *story) { s.Log.Intent = &fsm.Intent{To: "d3", Epoch: 5} },
		"another epoch": func(s *story) { s.Log.Epoch, s.Log.Intent = 5, &fsm.Intent{To: "d3", Epoch: 6} },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			s.wants()
			s.does(pull)
			s.done(pull, Done{})
			s.does(yield)
			vanish(s)
			s.look()
			s.does()
			s.done(yield, Done{})
			s.does() // nothing is claimed, and the log is told nothing
			s.quiesces()
		})
	}
}

func TestAMoveThatVanishesFromTheLogAfterTheClaimIsFinished(t *testing.T) {
	s := newStory(t)
	s.claims()
	s.Log.Intent = nil
	s.look()
	s.does()
	s.takes()
	s.done(claim, Done{})
	s.does(told, pull)
	s.done(told, Done{})
	s.done(pull, Done{})
	s.pass(PushAfter)
	s.does(pull)
	s.done(pull, Done{})
	s.does(taken)
	s.confirms()
	s.quiesces()
}

func TestWhoIsElectedWhileItMovesClaimsAllTheSame(t *testing.T) {
	s := newStory(t)
	s.wants()
	s.done(pull, Done{})
	s.Keeper.Part = Owner
	s.done(yield, Done{})
	s.does(pull, yield, claim) // where they hear each other again, the old owner would win
	s.done(claim, Done{})
	s.does(told, pull)
}

func TestAnOutcomeThatComesTwiceCountsOnce(t *testing.T) {
	s := newStory(t)
	s.wants()
	first := s.open[0]
	s.done(pull, Done{})
	s.does(pull, yield)
	id, _ := outcome(first.Action)
	s.step(Done{ID: id, Err: errLate})
	s.step(Done{ID: 999})
	s.does()
}

// By force too it asks for all connections: those that it can have are not lost.
func TestASuccessorThatLacksConnectionsOfTheOwnerTakesOverOnlyWhereThatIsForced(t *testing.T) {
	for forced, want := range map[bool]float64{false: Coverage, true: 0} {
		s := newStory(t)
		s.Log.Intent = &fsm.Intent{To: s.Self, Epoch: s.Log.Epoch + 1, Reason: "asked for", Forced: forced}
		s.look()
		if p, ok := s.begun[0].(Pull); !ok || p.Share != want || !p.Whole {
			t.Errorf("forced %v: %+v, want all, and a share of %v", forced, s.begun[0], want)
		}
	}
}

// What keeps connections from coming is why a move may be forced.
func TestAMoveThatIsForcedGoesOnWithoutConnectionsThatCannotBeBrought(t *testing.T) {
	for name, fails := range map[string]func(s *story) (why string){
		"they are refused": func(s *story) string {
			s.done(pull, Done{Err: errors.New("no backup daemon runs")})
			return "no backup daemon runs"
		},
		"they take too long": func(s *story) string {
			s.pass(forcedPull)
			return errLate.Error()
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			s.Log.Intent = s.intends()
			s.Log.Intent.Forced = true
			s.look()
			s.does(pull)
			why := fails(s)
			s.does(Tell{Kind: "move", Text: "the connections of d1 had not all come when it was taken", Alarm: true}, yield)
			s.done(yield, Done{})
			s.does(claim)
			s.takes()
			s.done(claim, Done{})
			s.does(told, pull)
			s.done(told, Done{})
			s.done(pull, Done{})
			s.pass(PushAfter)
			s.does(pull)
			s.done(pull, Done{})
			s.does(Propose{Command: fsm.SetOwner{Group: "g", Owner: "d2", Epoch: 5, Reason: "d1 drains; the connections of d1 had not all come when it was taken: " + why}})
			s.confirms()
			s.quiesces()
		})
	}
}
