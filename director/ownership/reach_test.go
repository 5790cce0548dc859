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
