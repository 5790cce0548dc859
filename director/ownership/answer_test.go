package ownership

import (
	"errors"
	"slices"
	"testing"
	"time"
)

// refuses is the Reply of a refusal.
func refuses(why string) Reply { return Reply{Refuse: why} }

// near is of who reaches the two others on both segments.
var near = [][]string{{"d1", "d3"}, {"d1", "d3"}}

func TestADirectorSaysWhatItKnowsOfAGroup(t *testing.T) {
	s := newStory(t)
	says := func(want Attestation) {
		t.Helper()
		s.asked("d3", Question{Kind: Attest})
		s.done(Verify{}, Done{OK: true})
		s.begun = slices.DeleteFunc(s.begun, func(a Action) bool { _, is := a.(Reply); return !is }) // it looks after the silent router as well
		s.does(Reply{Word: want})
	}
	says(Attestation{Epoch: 4, Named: "d1", Hears: []string{"d1", "d1"}, Reaches: near})

	s.Keeper.Routers[1].Silent = true
	s.member("d1").Unheard, s.member("d1").Unreached = GoneAfter, []time.Duration{GoneAfter, -1}
	s.Keeper.Routers[0].Age = 0
	says(Attestation{Epoch: 4, Named: "d1", Hears: []string{"d1", ""}, Reaches: [][]string{{"d3"}, {"d3"}}, Gone: []string{"d1"}})

	s = newStory(t)
	s.member("d1").Unheard, s.member("d1").Unreached, s.OnTime = GoneAfter, nil, false
	says(Attestation{Epoch: 4, Named: "d1", Hears: []string{"d1", "d1"}}) // it was late itself
}

func TestWhatAKeeperHeardThatIsFrozenNowIsNotSaid(t *testing.T) {
	s := newStory(t)
	s.asked("d3", Question{Kind: Attest})
	s.does(Verify{})
	s.done(Verify{}, Done{Err: errors.New("frozen")})
	s.does(Reply{Word: Attestation{Epoch: 4, Named: "d1", Reaches: near}})
}

func TestAnOwnerSaysToWhomItWouldGiveTheGroupUp(t *testing.T) {
	s := newStory(t)
	s.owns()
	owns := Attestation{Owns: true, Epoch: 4, Named: "d2", Hears: []string{"", ""}, Reaches: near}
	for _, tt := range []struct {
		epoch uint64 // what who asks knows
		named string
		stays bool
	}{
		{0, "", true}, {4, "d2", true}, {3, "d1", true}, {5, "d1", false}, {5, "d2", true}, {5, "d3", false},
	} {
		s.asked("d1", Question{Kind: Attest, Epoch: tt.epoch, Named: tt.named})
		s.does(Verify{})
		s.done(Verify{}, Done{OK: true})
		owns.Stays = tt.stays
		s.does(Reply{Word: owns})
	}
	s.asked("d1", Question{Kind: Attest})
	s.does(Verify{})
	s.done(Verify{}, Done{Err: errors.New("frozen")})
	owns.Owns, owns.Stays, owns.Hears = false, false, nil
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

// Who was to take the group may have announced that it has it, and died before its claim was heard.
func TestAnOwnerThatYieldedAndOwnsTheGroupStillAnnouncesAgain(t *testing.T) {
	for _, part := range []Part{Owner, Standby} {
		s := newStory(t)
		s.owns()
		s.asked("d1", Question{Kind: Yield, Epoch: 5})
		s.done(Grant{}, Done{OK: true})
		s.pass(YieldWait - 1)
		s.Keeper.Part = part
		s.look()
		s.begun = nil
		s.pass(1)
		if part == Owner {
			s.does(Renew{})
		} else {
			s.does()
		}
	}
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
	const refusal = "does not own it"
	stays := Attestation{Owns: true, Epoch: 4, Named: "d2", Hears: []string{"", ""}, Stays: true}
	all := Segment{Router: "out", Reached: []string{"d1"}}
	for _, tt := range []struct {
		name    string
		in      []Segment
		says    [][]string
		letsGo  bool
		changed Part
	}{
		{"it reaches a member on each", []Segment{all, {Router: "in", Reached: []string{"d3"}}}, [][]string{{"d1"}, {"d3"}}, false, Owner},
		{"it reaches the gateway", []Segment{all, {Router: "in", Gateway: true}}, [][]string{{"d1"}, {Gateway}}, false, Owner},
		{"it reaches nobody on one", []Segment{all, {Router: "in"}}, nil, true, Owner},
		{"no segment was asked", nil, [][]string{nil, nil}, false, Owner},
		{"it has let go meanwhile", []Segment{all, {Router: "in"}}, nil, false, Standby},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStory(t)
			s.owns()
			for i := range s.Members {
				s.Members[i].Unreached = []time.Duration{GoneAfter, GoneAfter}
			}
			s.asked("d1", Question{Kind: Let})
			s.does(probes("out", "in"))
			s.is(tt.changed)
			s.begun = nil
			s.reaches(tt.in...)
			if tt.changed != Owner {
				s.does(refuses(refusal))
				return
			}
			if !tt.letsGo {
				stays.Reaches = tt.says
				s.does(Reply{Word: stays})
				return
			}
			s.does(Tell{Kind: "guard", Text: "reaches nobody on a segment of g"}, Resign{Linger: true}, Reply{})
		})
	}
	s := newStory(t)
	s.asked("d3", Question{Kind: Let})
	s.does(refuses(refusal))
	s.owns()
	s.Keeper.Routers = nil
	s.asked("d3", Question{Kind: Let})
	s.does(Reply{Word: Attestation{Owns: true, Epoch: 4, Named: "d2", Stays: true, Reaches: [][]string{}}})
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

func TestTheGatewayCountsAsReachedWhereItAnsweredLately(t *testing.T) {
	s := newStory(t)
	s.owns()
	for i := range s.Members {
		s.Members[i].Unreached = []time.Duration{GoneAfter, GoneAfter}
	}
	s.asked("d1", Question{Kind: Let})
	s.reaches(Segment{Router: "out", Reached: []string{"d1"}}, Segment{Router: "in", Gateway: true})
	for _, want := range [][][]string{{{"d1"}, {Gateway}}, {nil, nil}} {
		s.begun = nil
		s.asked("d1", Question{Kind: Attest})
		s.done(Verify{}, Done{OK: true})
		s.begun = s.begun[1:]
		s.does(Reply{Word: Attestation{Owns: true, Epoch: 4, Named: "d2", Stays: true, Hears: []string{"", ""}, Reaches: want}})
		s.pass(seenFor)
	}
}
