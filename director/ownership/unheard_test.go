package ownership

import (
	"slices"
	"testing"
	"time"
)

// deafens has this director own the group, and its port shut: nobody speaks to it.
func (s *story) deafens(members ...string) {
	s.owns()
	for _, name := range members {
		s.member(name).Unheard = unheardAfter
	}
	s.begun = nil
	s.look()
}

// asksAsOwner is what an owner asks another.
func asksAsOwner(to string) Ask {
	return Ask{To: to, Question: Question{Kind: Attest, Epoch: 4, Named: "d2", Owns: true}}
}

func TestAnOwnerToWhichNoMajoritySpeaksAsksWhoElseOwnsTheGroup(t *testing.T) {
	s := newStory(t)
	s.deafens("d1", "d3")
	s.does(asksAsOwner("d1"), asksAsOwner("d3"))
	s.says("d3", Attestation{})
	s.done(askD1, Done{Err: errLate})
	s.pass(unheardEvery)
	s.does(asksAsOwner("d1"), asksAsOwner("d3"))
	s.says("d3", Attestation{})
	s.says("d1", Attestation{Owns: true, Stays: true, Epoch: 5, Named: "d1"})
	s.does()
	s.pass(contestAfter) // a contest as any other
	s.does(asksAsOwner("d1"), probes("out", "in"))
	s.reaches(Segment{Router: "in", Reached: []string{"d1"}})
	s.says("d1", Attestation{Owns: true, Stays: true, Epoch: 5, Named: "d1"})
	s.does(Concede{})
}

// Its rival is far away: what it is asked is answered after the time that a timer could wait, and before it is asked again or later.
func TestAnOwnerToWhichNoMajoritySpeaksIsAnsweredFromFarAway(t *testing.T) {
	for _, takes := range []time.Duration{surveyLimit + 60*time.Millisecond, unheardEvery + 100*time.Millisecond} {
		s := newStory(t)
		s.deafens("d1", "d3")
		comes := map[uint64]time.Time{}
		for end := s.now.Add(3 * time.Second); s.now.Before(end) && !s.opened(Concede{}); s.pass(10 * time.Millisecond) {
			for _, o := range slices.Clone(s.open) {
				ask, ok := o.Action.(Ask)
				switch at, asked := comes[ask.ID]; {
				case !ok || ask.To != "d1":
				case !asked:
					comes[ask.ID] = s.now.Add(takes)
				case !s.now.Before(at):
					s.done(ask, Done{Word: Attestation{Owns: true, Stays: true, Epoch: 5, Named: "d1"}})
				}
			}
		}
		if !s.opened(Concede{}) {
			t.Errorf("answered after %v, it does not find that another owns the group", takes)
		}
	}
}

func TestNobodyIsAskedForOwnersWithoutNeed(t *testing.T) {
	for name, paint := range map[string]func(*story){
		"a majority speaks to it": func(s *story) { s.deafens("d1") },
		"it was late itself":      func(s *story) { s.OnTime = false; s.deafens("d1", "d3") },
		"their machines are not there": func(s *story) {
			for _, name := range []string{"d1", "d3"} {
				s.member(name).Unreached = []time.Duration{GoneAfter, GoneAfter}
			}
			s.deafens("d1", "d3")
		},
		"they are witnesses": func(s *story) {
			for _, name := range []string{"d1", "d3"} {
				s.member(name).Witness = true
			}
			s.deafens("d1", "d3")
		},
		"it does not own the group": func(s *story) {
			for _, name := range []string{"d1", "d3"} {
				s.member(name).Unheard = unheardAfter
			}
			s.look()
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			paint(s)
			if s.opened(Ask{To: "d1"}) || s.opened(Ask{To: "d3"}) {
				t.Errorf("under way: %+v", s.open)
			}
		})
	}
}

// A rival asks and cannot be asked: its port is shut to this director. What it asked says who stays, as it was answered.
func TestARivalThatCannotBeAskedIsGivenWayToByWhatItAsked(t *testing.T) {
	for _, tt := range []struct {
		name    string
		unheard time.Duration
		epoch   uint64
		want    bool
	}{
		{"a newer epoch names it", unheardAfter, 5, true},
		{"an older one does", unheardAfter, 3, false},
		{"it is heard, and late", 0, 5, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStory(t)
			s.owns()
			s.member("d1").Unheard = tt.unheard
			ask := func() {
				s.asked("d1", Question{Kind: Attest, Epoch: tt.epoch, Named: "d1", Owns: true})
				s.done(Verify{}, Done{OK: true})
			}
			ask()
			s.pass(contestAfter - 1)
			ask()
			s.pass(1)
			s.begun = nil
			s.reaches(Segment{Router: "in", Reached: []string{"d1"}})
			s.pass(surveyLimit)
			if got := s.opened(Concede{}); got != tt.want {
				t.Errorf("it concedes: %v", got)
			}
		})
	}
}

// What a rival asked a while ago says nothing of now: it may have let go since, or know of a newer epoch.
func TestARivalIsNotGivenWayToByAnOldQuestion(t *testing.T) {
	for _, tt := range []struct {
		age  time.Duration
		want bool
	}{{contenderFor - 1, true}, {contenderFor, false}} {
		s := newStory(t)
		s.owns()
		s.member("d1").Unheard = unheardAfter
		s.asked("d1", Question{Kind: Attest, Epoch: 5, Named: "d1", Owns: true})
		s.now = s.now.Add(tt.age)
		s.settlesUnanswered()
		if got := s.opened(Concede{}); got != tt.want {
			t.Errorf("%v after the question it concedes: %v", tt.age, got)
		}
	}
}

// settlesUnanswered has it look at a contest with d1, which is reached on a segment and does not answer.
func (s *story) settlesUnanswered() {
	st := &step{Machine: s.m, Facts: s.Facts, now: s.now}
	st.settleUnanswered("d1", map[string]Segment{"in": {Router: "in", Reached: []string{"d1"}}})
	for _, a := range st.actions {
		s.open = append(s.open, open{Action: a})
	}
}

// A rival that asks, and answers as well, has asked all the same.
func TestAnAnswerDoesNotHideWhatARivalHasAsked(t *testing.T) {
	s := newStory(t)
	s.deafens("d1", "d3")
	s.asked("d1", Question{Kind: Attest, Epoch: 5, Named: "d1", Owns: true})
	s.says("d1", Attestation{Owns: true, Stays: true})
	s.settlesUnanswered()
	if !s.opened(Concede{}) {
		t.Error("it does not give way to what the rival asked")
	}
}
