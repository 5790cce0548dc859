package ownership

import (
	"testing"
	"time"
)

func TestAMoveThatIsLostAgainToAnotherOwnerIsNotToldToTheLogAsDone(t *testing.T) {
	for name, after := range map[string]func(s *story){
		"while the newest connections are pulled": func(s *story) { s.done(told, Done{}) },
		"while the owner is told":                 func(*story) {},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			s.claims()
			s.takes()
			s.done(claim, Done{})
			after(s)
			s.begun = nil
			s.is(Standby) // a contest, which another won
			if s.opened(told) {
				s.does()
				s.done(told, Done{})
			}
			if !s.opened(Propose{}) || plain(s.open[s.find(Propose{})].Action) != dropped(errLost.Error()) {
				t.Fatalf("it does %+v", s.begun)
			}
			s.Log.Intent = nil
			s.done(Propose{}, Done{})
			if s.pass(10 * time.Second); s.opened(Propose{}) {
				t.Errorf("it tells the log once more: %+v", s.begun)
			}
		})
	}
}

func TestAMoveIsNotLostWhileNobodyIsHeard(t *testing.T) {
	s := newStory(t)
	s.claims()
	s.takes()
	s.done(claim, Done{})
	s.done(told, Done{})
	s.begun = nil
	for i := range s.Keeper.Routers {
		s.Keeper.Routers[i].Heard = ""
	}
	s.is(Standby) // for a moment, after a stall
	if s.opened(Propose{}) {
		t.Errorf("it tells the log: %+v", s.begun)
	}
}

// The keeper may be restarted meanwhile, and may tell of the claim a moment later.
func TestAMoveIsNotLostWhileTheKeeperSaysNothing(t *testing.T) {
	for name, parts := range map[string][]Part{"it is restarted": {Owner, Absent}, "it has not told yet": {Standby}} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			s.claims()
			s.member("d1").Part = Standby
			for _, p := range parts {
				s.is(p)
			}
			s.done(claim, Done{})
			s.begun = nil
			s.look()
			s.does()
		})
	}
}
