package ownership

import (
	"errors"
	"testing"
	"time"
)

// refuses is the Reply of a refusal.
func refuses(why string) Reply { return Reply{Refuse: why} }

// near is of who reaches others on both segments.
var near = []bool{false, false}

func TestADirectorSaysWhatItKnowsOfAGroup(t *testing.T) {
	s := newStory(t)
	s.asked("d3", Question{Kind: Attest})
	s.does(Reply{Word: Attestation{Epoch: 4, Named: "d1", Hears: []string{"d1", "d1"}, Alone: near}})

	s.Keeper.Routers[1].Silent = true
	s.member("d1").Unheard, s.member("d1").Unreached = GoneAfter, []time.Duration{GoneAfter, -1}
	s.Keeper.Routers[0].Age = 0
	s.asked("d3", Question{Kind: Attest})
	s.begun = s.begun[:1] // it looks after the silent router as well
	s.does(Reply{Word: Attestation{Epoch: 4, Named: "d1", Hears: []string{"d1", ""}, Alone: near, Gone: []string{"d1"}}})

	s = newStory(t)
	s.member("d1").Unheard, s.member("d1").Unreached, s.OnTime = GoneAfter, nil, false
	s.asked("d3", Question{Kind: Attest})
	s.does(Reply{Word: Attestation{Epoch: 4, Named: "d1", Hears: []string{"d1", "d1"}, Alone: near}}) // it was late itself
}

func TestAnOwnerSaysToWhomItWouldGiveTheGroupUp(t *testing.T) {
	s := newStory(t)
	s.owns()
	owns := Attestation{Owns: true, Epoch: 4, Named: "d2", Hears: []string{"", ""}, Alone: near}
	for _, tt := range []struct {
		epoch uint64 // what who asks knows
		named string
		stays bool
	}{
		{0, "", true}, {4, "d2", true}, {3, "d1", true}, {5, "d1", false}, {5, "d2", true}, {5, "d3", false},
	} {
		s.asked("d1", Question{Attest, tt.epoch, tt.named})
		s.does(Verify{})
		s.done(Verify{}, Done{OK: true})
		owns.Stays = tt.stays
		s.does(Reply{Word: owns})
	}
	s.asked("d1", Question{Kind: Attest})
	s.does(Verify{})
	s.done(Verify{}, Done{Err: errors.New("frozen")})
	owns.Owns, owns.Stays = false, false
	s.does(Reply{Word: owns})
}

func TestAnOwnerYieldsToTheNextEpochOnly(t *testing.T) {
	s := newStory(t)
	s.owns()
	s.asked("d1", Question{Kind: Yield, Epoch: 4})
	s.does(refuses("g is in epoch 4 already"))
	s.asked("d1", Question{Kind: Yield, Epoch: 5})
	s.does(Grant{Wait: YieldWait})
	s.done(Grant{}, Done{OK: true})
	s.does(Tell{Kind: "yield", Text: "d2 yields g to d1"}, Reply{})
}

func TestWhoDoesNotOwnTheGroupYieldsNothing(t *testing.T) {
	s := newStory(t)
	s.asked("d3", Question{Kind: Yield, Epoch: 5})
	s.does(Grant{Wait: YieldWait}) // the keeper knows best
	s.done(Grant{}, Done{})
	s.does(refuses("does not own g"))
	s.asked("d3", Question{Kind: Yield, Epoch: 5})
	s.does(Grant{Wait: YieldWait})
	s.done(Grant{}, Done{Err: errors.New("gone")})
	s.does(refuses("keeper: gone"))
}

func TestAnOwnerThatIsToldOfAClaimConcedesIfItHasNotHeard(t *testing.T) {
	s := newStory(t)
	s.owns()
	s.asked("d1", Question{Kind: Claimed, Epoch: 5})
	s.does(Concede{})
	s.done(Concede{}, Done{OK: true})
	s.does(Tell{Kind: "guard", Text: "d2 did not hear the claim of d1, and conceded g to it"}, Reply{})
	s.asked("d1", Question{Kind: Claimed, Epoch: 5}) // it has heard
	s.does(Concede{})
	s.done(Concede{}, Done{})
	s.does(Reply{})
	s.asked("d1", Question{Kind: Claimed, Epoch: 5})
	s.does(Concede{})
	s.done(Concede{}, Done{Err: errors.New("gone")})
	s.does(refuses("gone"))
	s.asked("d1", Question{Kind: Claimed, Epoch: 4}) // over already
	s.does(Reply{})
}

func TestAnOwnerLetsGoOnlyWhereItReachesNobody(t *testing.T) {
	const refusal = "does not own it, or reaches others on every segment"
	all := Segment{Router: "out", Reached: []string{"d1"}}
	for _, tt := range []struct {
		name    string
		in      []Segment
		letsGo  bool
		changed Part
	}{
		{"it reaches a member on each", []Segment{all, {Router: "in", Reached: []string{"d3"}}}, false, Owner},
		{"it reaches the gateway", []Segment{all, {Router: "in", Gateway: true}}, false, Owner},
		{"it reaches nobody on one", []Segment{all, {Router: "in"}}, true, Owner},
		{"no segment was asked", nil, false, Owner},
		{"it has let go meanwhile", []Segment{all, {Router: "in"}}, false, Standby},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStory(t)
			s.owns()
			s.asked("d1", Question{Kind: Let})
			s.does(probes("out", "in"))
			s.is(tt.changed)
			s.reaches(tt.in...)
			if !tt.letsGo {
				s.does(refuses(refusal))
				return
			}
			s.does(Tell{Kind: "guard", Text: "reaches nobody on a segment of g"}, Resign{}, Reply{})
		})
	}
	s := newStory(t)
	s.asked("d3", Question{Kind: Let})
	s.does(refuses(refusal))
	s.owns()
	s.Keeper.Routers = nil
	s.asked("d3", Question{Kind: Let})
	s.does(refuses(refusal))
}

func TestAQuestionOfANewerVersionIsRefused(t *testing.T) {
	s := newStory(t)
	s.asked("d3", Question{Kind: "dance"})
	s.does(refuses(`knows no question "dance"`))
}

func TestQuestionsAreAnsweredEachByItsOwnReply(t *testing.T) {
	s := newStory(t)
	s.owns()
	s.asked("d1", Question{Kind: Let})
	s.asked("d3", Question{Kind: Yield, Epoch: 5})
	s.asked("d1", Question{Kind: Claimed, Epoch: 5})
	s.asked("d3", Question{Kind: Attest})
	s.done(Verify{}, Done{})
	s.done(Concede{}, Done{})
	s.done(Grant{}, Done{})
	s.done(Probe{}, Done{})
	var order []uint64
	for _, a := range s.begun {
		if r, ok := a.(Reply); ok {
			order = append(order, r.ID)
		}
	}
	if len(order) != 4 || order[0] != 4 || order[1] != 3 || order[2] != 2 || order[3] != 1 {
		t.Errorf("the replies are to %v, want 4, 3, 2, 1", order)
	}
}
