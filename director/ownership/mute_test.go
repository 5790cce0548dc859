package ownership

import (
	"errors"
	"testing"
	"time"
)

func TestAnOwnerWhoseControlDoesNotAnswerIsClaimedFromIfItIsHeardOnEveryRouter(t *testing.T) {
	s := newStory(t)
	s.member("d1").Unheard = Mute
	s.wants()
	s.does(claim)
	s.takes()
	s.done(claim, Done{})
	s.does(taken)
	s.confirms()
	s.member("d1").Unheard = 0
	s.quiesces()
}

func TestAnOwnerWhoseControlDoesNotAnswerAndThatIsNotHeardIsNotMovedFrom(t *testing.T) {
	s := newStory(t)
	s.member("d1").Unheard = Mute
	s.Keeper.Routers[0].Silent, s.Keeper.Routers[1].Silent = true, true
	s.wants()
	s.begun = s.begun[:1] // what is silent is looked after, too
	s.does(dropped("d1 does not answer, and is not heard"))
}

// falls has the agent of the owner be silent for as long as counts in the middle of a move, and its machine and its adverts be there.
func (s *story) falls() {
	s.member("d1").Unheard = RestartGrace
	s.look()
}

// Each row is what the move waits for of the owner when that falls silent. What comes of it then is too late, whatever it is.
func TestAMoveGoesOnWithoutAnOwnerThatFallsSilentBeforeItHasAnswered(t *testing.T) {
	for name, waits := range map[string]func(s *story) (like Action){
		"its connections": func(*story) Action { return pull },
		"that it yields": func(s *story) Action {
			s.done(pull, Done{})
			return yield
		},
		"its segment, where it is not heard": func(s *story) Action {
			s.Keeper.Routers[1].Heard = ""
			s.done(pull, Done{})
			return probes("in")
		},
	} {
		for outcome, late := range map[string]Done{"nothing": {}, "an error": {Err: errors.New("late")}} {
			t.Run(name+", and comes to "+outcome, func(t *testing.T) {
				s := newStory(t)
				s.wants()
				like := waits(s)
				s.member("d1").Unheard = RestartGrace - 1 // its control may be started again, and nothing is lost by the move then
				s.look()
				if s.opened(claim) {
					t.Fatal("it claims though the owner's control may be away for so long")
				}
				s.begun = nil
				s.falls()
				s.does(claim)
				s.done(like, late)
				s.does()
				s.takes()
				s.done(claim, Done{})
				s.does(taken)
				s.confirms()
				s.member("d1").Unheard = 0
				s.quiesces()
			})
		}
	}
}

func TestAMoveLooksWhetherItsOwnerIsSilentWhenItWouldBe(t *testing.T) {
	s := newStory(t)
	s.member("d1").Unheard = 600 * time.Millisecond
	s.wants()
	s.does(pull)
	if got, want := s.m.Deadline().Sub(s.now), RestartGrace-600*time.Millisecond; got != want {
		t.Fatalf("it looks again in %v, want %v", got, want)
	}
	s.member("d1").Unheard = RestartGrace - muteAgain/2 // it was heard again meanwhile
	s.pass(RestartGrace - 600*time.Millisecond)
	s.does()
	if got := s.m.Deadline().Sub(s.now); got != muteAgain {
		t.Fatalf("it looks again in %v, want %v", got, muteAgain)
	}
	s.member("d1").Unheard = RestartGrace
	s.pass(muteAgain)
	s.does(claim)
}

// The silence of the owner is not all that counts.
func TestAMoveWaitsForAnOwnerThatIsSilentWhereTheSilenceMayNotBeItsOwnOrNoClaimReachesIt(t *testing.T) {
	for name, edit := range map[string]func(s *story, on bool){
		"this director was late":              func(s *story, on bool) { s.OnTime = !on },
		"no majority speaks to this director": func(s *story, on bool) { s.member("d3").Unheard = map[bool]time.Duration{true: unheardAfter}[on] },
		"the owner is heard nowhere": func(s *story, on bool) {
			for i := range s.Keeper.Routers {
				s.Keeper.Routers[i].Silent = on
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, ends := range []bool{true, false} {
				s := newStory(t)
				s.wants()
				edit(s, true)
				s.falls()
				s.pass(MoveLimit / 2)
				if s.opened(claim) {
					t.Fatal("it claims")
				}
				if !ends {
					s.pass(MoveLimit / 2)
					if !s.opened(Propose{}) || s.opened(claim) {
						t.Fatalf("after its limit are under way: %+v", s.open)
					}
					continue
				}
				edit(s, false)
				s.pass(muteAgain)
				if !s.opened(claim) {
					t.Fatal("it does not claim when that is over")
				}
			}
		})
	}
}

func TestAMoveWhoseOwnerIsHeardAgainInTimeGoesOnWithIt(t *testing.T) {
	s := newStory(t)
	s.wants()
	s.member("d1").Unheard = RestartGrace - 1
	s.pass(time.Second)
	s.member("d1").Unheard = 0
	s.pass(time.Second)
	s.does(pull)
	s.done(pull, Done{})
	s.does(yield)
}
