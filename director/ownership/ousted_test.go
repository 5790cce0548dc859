package ownership

import (
	"testing"
	"time"
)

// named has the log name this director in the next epoch, after d1.
func (s *story) named() {
	s.Keeper.Part = Owner
	s.Log.Owner, s.Log.Epoch, s.Log.Order = "d2", s.Log.Epoch+1, []string{"d3", "d1"}
}

// insists reports whether this director advertises as one whose predecessor may not know of it.
func (s *story) insists() bool { return s.m.Insists(s.Self, s.Log) }

func TestAnOwnerInsistsUntilTheOneBeforeItIsKnownToHaveBeenTold(t *testing.T) {
	s := newStory(t)
	s.member("d1").Epoch = s.Log.Epoch
	s.look()
	if s.insists() {
		t.Error("who is not named insists")
	}
	s.named()
	if !s.insists() {
		t.Error("it does not insist before the machine has looked at the log")
	}
	s.look()
	if !s.insists() {
		t.Error("it does not insist though the one before it knows of the old epoch only")
	}
	s.member("d1").Alive, s.member("d1").Epoch = false, 0 // its report counts no more
	s.look()
	if !s.insists() {
		t.Error("it does not insist though nothing was heard of the one before it")
	}
	s.Log.Epoch++ // it is confirmed
	s.look()
	if !s.insists() {
		t.Error("it does not insist in a later epoch of its own")
	}
	s.member("d1").Alive, s.member("d1").Epoch = true, s.Log.Epoch
	s.look()
	if s.insists() {
		t.Error("it insists though the one before it has been told")
	}
}

func TestAnOwnerInsistsUntilAllThatWereNamedBeforeAreKnownToHaveBeenTold(t *testing.T) {
	s := newStory(t)
	d1, d3 := s.member("d1"), s.member("d3")
	d1.Epoch, d3.Epoch = s.Log.Epoch, s.Log.Epoch
	s.Log.Owner, s.Log.Epoch, s.Log.Order = "d3", s.Log.Epoch+1, []string{"d2", "d1"} // and the control of d1 hangs
	d3.Epoch = s.Log.Epoch
	s.look()
	s.named()
	s.look()
	d3.Epoch = s.Log.Epoch
	s.look()
	if !s.insists() {
		t.Error("it does not insist though the first of them knows of no later epoch than its own")
	}
	d1.Epoch = s.Log.Epoch
	s.look()
	if s.insists() {
		t.Error("it insists though both have been told")
	}
}

func TestAnOwnerInsistsAgainstNobodyWhoIsNoRival(t *testing.T) {
	for name, play := range map[string]func(*story){
		"when it was named before, too": func(s *story) {
			s.named()
			s.member("d1").Epoch = s.Log.Epoch
			s.look()
			s.Log.Epoch++
			s.look()
		},
		"when the log named nobody before": func(s *story) {
			s.Log.Owner, s.member("d1").Epoch = "", s.Log.Epoch
			s.look()
			s.named()
			s.look()
		},
		"when the one before it is no more": func(s *story) { s.named(); s.Members = s.Members[1:]; s.look() },
		"when another is named since": func(s *story) {
			s.named()
			s.look()
			s.Log.Owner, s.Log.Epoch = "d3", s.Log.Epoch+1
			s.look()
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			play(s)
			if s.insists() {
				t.Error("it insists")
			}
		})
	}
}

func TestAMachineThatHasSeenNothingInsistsOnNothing(t *testing.T) {
	s := newStory(t)
	s.Log.Owner = "d2"
	if NewMachine().Insists("d2", s.Log) {
		t.Error("it insists")
	}
}

func TestAnOwnerAnnouncesAgainWhenTheLogNamesItAfterAnother(t *testing.T) {
	names := func(s *story, owner string, epoch uint64) {
		s.Log.Owner, s.Log.Epoch = owner, epoch
		s.look()
	}
	s := newStory(t)
	s.owns()
	names(s, "d2", 5)
	s.begun = nil
	names(s, "d1", 6)
	s.does()
	names(s, "d3", 7)
	s.does()
	names(s, "d2", 8)
	s.does(Renew{})
	names(s, "d2", 9) // confirmed
	s.does()
	names(s, "d2", 11) // another was named between
	s.does(Renew{})
	names(s, "d1", 12)
	s.is(Standby)
	s.is(Owner)
	s.begun = nil
	names(s, "d2", 13) // it has announced since
	s.does()
}

// The adverts of who was named before do not reach this director, and its control is silent: nobody says when it lets go.
func TestAnOwnerAnnouncesAgainWhileTheSilentOneThatWasNamedBeforeMayNotHaveBeenTold(t *testing.T) {
	begins := func(t *testing.T) *story {
		s := newStory(t)
		d1 := s.member("d1")
		d1.Part, d1.Epoch, d1.Unheard = Standby, s.Log.Epoch, GoneAfter
		s.Keeper.Part = Owner
		s.look()
		s.named()
		s.look()
		s.begun = nil
		s.pass(concedes - 1)
		s.does()
		return s
	}
	s := begins(t)
	s.pass(1)
	s.does(Renew{})
	for _, pause := range []time.Duration{4 * concedes, 16 * concedes, 64 * concedes} {
		s.pass(pause - 1)
		s.does()
		s.pass(1)
		s.does(Renew{})
	}
	s.quiesces() // not for ever
	for name, play := range map[string]func(*story){
		"it has been told":        func(s *story) { s.member("d1").Epoch = s.Log.Epoch },
		"its control is heard":    func(s *story) { s.member("d1").Unheard = 0 },
		"another is named":        func(s *story) { s.Log.Owner, s.Log.Epoch = "d3", s.Log.Epoch+1 },
		"this one owns no longer": func(s *story) { s.Keeper.Part, s.OnTime = Faulty, false },
	} {
		t.Run(name, func(t *testing.T) {
			s := begins(t)
			play(s)
			s.pass(1)
			s.does()
		})
	}
}
