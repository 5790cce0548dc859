package ownership

import (
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/fsm"
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
			if rs := s.m.Records(); !strings.HasPrefix(rs[len(rs)-1].Text, "d2 took g from d1, and lost it again to another owner: ") {
				t.Errorf("it says %q", rs[len(rs)-1].Text)
			}
			s.Log.Intent = nil
			s.done(Propose{}, Done{})
			if s.pass(10 * time.Second); s.opened(Propose{}) {
				t.Errorf("it tells the log once more: %+v", s.begun)
			}
		})
	}
}

// The leader may have told the log before the newest connections are here, and want the group moved on.
func TestAMoveThatTheLogHasAsDoneIsNotLostByTheNextOne(t *testing.T) {
	s := newStory(t)
	s.hasTaken()
	s.isNamed()
	s.Log.Intent = &fsm.Intent{To: "d3", Epoch: s.Log.Epoch + 1, Reason: "d2 drains"}
	s.look()
	s.is(Standby)
	var moves []string
	for _, r := range s.m.Records() {
		if r.Kind == "move" {
			moves = append(moves, r.Text)
		}
	}
	if len(moves) != 1 || moves[0] != "d2 took g from d1: d1 drains" {
		t.Errorf("it says %q", moves)
	}
}

// The log names this director already, and the group goes to a router that is no member: no next move has taken it.
func TestAMoveThatTheLogHasAsDoneIsLostToAForeignRouter(t *testing.T) {
	s := newStory(t)
	s.hasTaken()
	s.isNamed()
	for i := range s.Keeper.Routers {
		s.Keeper.Routers[i].Heard, s.Keeper.Routers[i].Other = "", true
	}
	s.is(Standby)
	rs := s.m.Records()
	if got := rs[len(rs)-1].Text; got != "d2 took g from d1, and lost it again to another owner: d1 drains" {
		t.Errorf("it says %q", got)
	}
}

func TestAMoveIsNotLostWhileNobodyIsHeard(t *testing.T) {
	s := newStory(t)
	s.hasTaken()
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

// Who gave it up to another owner does not hear that one where adverts do not pass.
func TestAMoveIsLostToWhomItWasConcededThoughNobodyIsHeard(t *testing.T) {
	s := newStory(t)
	s.hasTaken()
	s.begun = nil
	for i := range s.Keeper.Routers {
		s.Keeper.Routers[i].Heard = ""
	}
	s.m.quiet.conceded = s.now
	s.is(Standby)
	if !s.opened(Propose{}) || plain(s.open[s.find(Propose{})].Action) != dropped(errLost.Error()) {
		t.Fatalf("it does %+v", s.begun)
	}
}

// The log will name whoever has claimed and told the owner: between the two that is settled.
func TestAMoveCountsInAContestOnceTheOwnerIsTold(t *testing.T) {
	s := newStory(t)
	s.claims()
	s.takes()
	s.done(claim, Done{})
	says := func(want Attestation) {
		t.Helper()
		s.begun = nil
		s.asked("d1", Question{Kind: Attest, Epoch: 4, Named: "d1", Owns: true})
		s.done(Verify{}, Done{OK: true})
		r, ok := s.begun[len(s.begun)-1].(Reply)
		if !ok || r.Word.Epoch != want.Epoch || r.Word.Named != want.Named || r.Word.Stays != want.Stays {
			t.Errorf("it does %+v, want the word %+v", s.begun, want)
		}
	}
	says(Attestation{Epoch: 4, Named: "d1"})
	s.done(told, Done{})
	says(Attestation{Epoch: 5, Named: "d2", Stays: true})
	s.pass(MoveLimit) // its connections come no more: the log is told
	says(Attestation{Epoch: 5, Named: "d2", Stays: true})
	s.done(Propose{}, Done{Err: errLate})
	says(Attestation{Epoch: 4, Named: "d1"})
}
