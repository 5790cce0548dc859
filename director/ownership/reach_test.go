package ownership

import (
	"testing"
	"time"
)

// reachedAgain plays a member that does not answer on the second segment for a while, and then does again.
func reachedAgain(t *testing.T, meanwhile func(*story)) *story {
	t.Helper()
	s := newStory(t)
	s.owns()
	s.member("d3").Unreached = []time.Duration{0, GoneAfter}
	s.look()
	s.does()
	meanwhile(s)
	s.member("d3").Unreached = []time.Duration{0, 0}
	s.look()
	return s
}

func TestAnOwnerAnnouncesAgainWhenAMemberIsReachedAgain(t *testing.T) {
	s := reachedAgain(t, func(*story) {})
	s.does(Renew{})
	s.quiesces() // once
}

func TestNothingIsAnnouncedAgainWhereNobodyHadBeenCutOff(t *testing.T) {
	for name, meanwhile := range map[string]func(*story){
		"it owns the group no more": func(s *story) { s.is(Standby); s.begun = nil },
		"the member was removed":    func(s *story) { s.Members = s.Members[:1]; s.look(); s.Members = s.Members[:2] },
		"this director is late now": func(s *story) { s.OnTime = false },
	} {
		t.Run(name, func(t *testing.T) { reachedAgain(t, meanwhile).does() })
	}
	s := newStory(t)
	s.owns()
	for _, d := range []time.Duration{GoneAfter - 1, 0, -1, 0} {
		s.member("d3").Unreached = []time.Duration{0, d}
		s.look()
	}
	s.does()
}

func TestWhoHasTakenMeanwhileAnnouncesAgainToo(t *testing.T) {
	s := newStory(t)
	s.member("d1").Unreached = []time.Duration{GoneAfter, GoneAfter}
	s.look()
	s.takes()
	s.does()
	s.member("d1").Unreached = []time.Duration{0, GoneAfter}
	s.look()
	s.does(Renew{})
	s.member("d1").Unreached = []time.Duration{0, 0}
	s.look()
	s.does(Renew{})
}

func TestAMemberWithoutAnAddressOnTheSegmentsTellsByItsClusterPortThatACutHasEnded(t *testing.T) {
	s := newStory(t)
	s.owns()
	w := s.member("d3")
	w.Witness, w.Unreached = true, []time.Duration{-1, -1}
	for _, silent := range []time.Duration{GoneAfter - 1, 0} {
		w.Unheard = silent
		s.look()
	}
	s.does()
	w.Unheard = GoneAfter
	s.look()
	s.does()
	w.Unheard = 0
	s.look()
	s.does(Renew{})
	s.quiesces() // once
}

func TestAMemberThatAnswersOnASegmentTellsNothingByItsClusterPort(t *testing.T) {
	s := newStory(t)
	s.owns()
	for _, silent := range []time.Duration{GoneAfter, 0} {
		s.member("d3").Unheard = silent
		s.look()
	}
	s.does()
}

// dies plays the death of a director of which nothing was heard of the group for longer than a report counts.
func dies(t *testing.T, but func(*story)) *story {
	t.Helper()
	s := newStory(t)
	s.owns()
	m := s.member("d3")
	m.Alive, m.Unheard, m.Unreached = false, time.Minute, []time.Duration{0, 0}
	but(s)
	s.look()
	s.does()
	s.member("d3").Unreached = []time.Duration{GoneAfter, GoneAfter}
	s.look()
	return s
}

func TestAnOwnerAnnouncesAgainWhenADirectorDiesThatMayHaveOwnedTheGroupUnknown(t *testing.T) {
	s := dies(t, func(*story) {})
	s.does(Renew{})
	s.quiesces() // once
	s.member("d3").Unreached = []time.Duration{0, 0}
	s.look()
	s.does(Renew{}) // it is back on both segments
	s.member("d3").Unreached = []time.Duration{GoneAfter, GoneAfter}
	s.look()
	s.does(Renew{}) // and dies once more
}

func TestTheDeathOfAMemberThatIsKnownToOwnNothingIsNotAnnounced(t *testing.T) {
	for name, known := range map[string]func(*story){
		"it has reported":           func(s *story) { s.member("d3").Alive, s.member("d3").Unheard = true, GoneAfter },
		"it is a witness":           func(s *story) { s.member("d3").Witness = true },
		"this director was late":    func(s *story) { s.OnTime = false },
		"this one owns nothing":     func(s *story) { s.is(Standby); s.begun = nil },
		"it is heard by its agent":  func(s *story) { s.member("d3").Unheard = 0 },
		"it was never on a segment": func(s *story) { s.member("d3").Unheard = 0; s.look() },
	} {
		t.Run(name, func(t *testing.T) { dies(t, known).does() })
	}
}

func TestAnOwnerAnnouncesAgainWhenADirectorReportsThatNobodyHadHeardOf(t *testing.T) {
	s := newStory(t)
	s.owns()
	s.member("d3").Alive = false
	s.look()
	s.does()
	s.member("d3").Alive = true
	s.look()
	s.does(Renew{})
	s.member("d3").Alive, s.member("d3").Witness = false, true
	s.look()
	s.member("d3").Alive = true
	s.look()
	s.does() // a witness owns nothing
}

func TestAnOwnerAnnouncesAgainWhenADirectorDiesWhoseAgentHadNotBeenHeardForAWhile(t *testing.T) {
	dies(t, func(s *story) {
		m := s.member("d3")
		m.Alive, m.Unheard = true, 2*GoneAfter // its report counts still
	}).does(Renew{})
}

func TestTheOwnerAnnouncesAgainWhenAnotherHadTheAddressesUntilNow(t *testing.T) {
	s := newStory(t)
	s.Keeper.Part = Absent
	s.look()
	s.begun = nil
	s.step(Fenced{})
	s.does(Ask{To: "d1", Question: Question{Kind: Announce}})
	s.done(Ask{To: "d1"}, Done{})
	s.does()
	s = newStory(t)
	s.asked("d1", Question{Kind: Announce})
	s.does(Reply{}) // it owns nothing
	s.owns()
	s.begun = nil
	s.asked("d1", Question{Kind: Announce})
	s.does(Renew{}, Reply{})
}

// Who was on the other side of a cut that ended while there was no control, or before it knew who does not answer, believes the
// one that owned the group there.
func TestAControlThatFindsAtItsStartThatItsKeeperOwnsTheGroupAnnouncesOnce(t *testing.T) {
	starts := func(t *testing.T, part Part) *story {
		s := newStory(t)
		s.owns()
		s.m, s.begun = NewMachine(), nil // another control
		s.Keeper.Part = Absent
		s.pass(GoneAfter)
		s.is(part)
		return s
	}
	s := starts(t, Owner)
	s.pass(begunAfter - 1)
	s.does()
	s.pass(1)
	s.does(Renew{})
	s.is(Absent)
	s.is(Owner)
	s.quiesces() // once
	s = starts(t, Faulty)
	s.is(Owner) // it has announced itself
	s.begun = nil
	s.quiesces()
}
