package ownership

import (
	"testing"
	"time"
)

// second begins with five directors. d1, which the log names, is dead, and d3 has taken over from it, as its report or
// its adverts say; now d3 dies, too.
func second(t *testing.T, known func(*story)) *story {
	t.Helper()
	s := newStory(t)
	for _, name := range []string{"d4", "d5"} {
		s.Members = append(s.Members, Member{Name: name, Alive: true, Ready: true, Fit: true, Part: Standby, Unreached: []time.Duration{0, 0}})
	}
	s.Voters, s.Log.Order = 5, []string{"d3", "d2", "d4", "d5"}
	s.Keeper.Interval, s.Keeper.Lifetime = 10*time.Second, 30*time.Second // the timer would take half a minute
	silent := func(name string) {
		m := s.member(name)
		m.Unheard, m.Unreached = GoneAfter, []time.Duration{GoneAfter, GoneAfter}
	}
	silent("d1")
	for i := range s.Keeper.Routers {
		s.Keeper.Routers[i].Age = GoneAfter
	}
	known(s)
	s.look()
	s.does()
	silent("d3")
	s.look()
	return s
}

// reported has d3 be the owner by its report, and heard by its adverts alone.
func reported(s *story) { s.member("d3").Part = Owner }

func heard(s *story) {
	for i := range s.Keeper.Routers {
		s.Keeper.Routers[i].Heard = "d3"
	}
}

// both is the word of who finds both dead.
var both = Attestation{Gone: []string{"d1", "d3"}}

func TestWhoHasTakenOverAndDiesBeforeTheLogNamesItIsClaimedFromAsAnOwnerIs(t *testing.T) {
	for name, known := range map[string]func(*story){"it had reported that": reported, "it was heard": heard} {
		t.Run(name, func(t *testing.T) {
			s := second(t, known)
			s.does(Ask{To: "d4", Question: s.attests()}, Ask{To: "d5", Question: s.attests()})
			s.says("d4", both)
			s.says("d5", both)
			s.does(claim)
			s.is(Owner)
			s.done(claim, Done{})
			s.does(Tell{Kind: "claim", Text: "d3 is neither heard nor reached by d2 and d4 and d5"})
		})
	}
}

func TestAFirstSuccessorThatDiesWithTheOwnerIsPassedOverThoughItsReportCounts(t *testing.T) {
	s := second(t, func(*story) {})
	s.says("d4", both)
	s.says("d5", both)
	s.does(Ask{To: "d3", Question: s.attests()}, Ask{To: "d4", Question: s.attests()}, Ask{To: "d5", Question: s.attests()})
	s.pass(attestLimit) // it is dead
	s.does(claim)
}

func TestWhoHasTakenOverIsNotClaimedFromUnlessAMajorityFindsBothDead(t *testing.T) {
	for name, words := range map[string][2]Attestation{
		"one of five finds it only":    {both, {}},
		"the named one is not dead":    {both, {Gone: []string{"d3"}}},
		"it serves, by another's word": {both, {Gone: []string{"d1"}, Hears: []string{"d4", ""}}},
		"another owns it":              {both, {Owns: true}},
	} {
		t.Run(name, func(t *testing.T) {
			s := second(t, reported)
			s.says("d4", words[0])
			s.says("d5", words[1])
			if s.opened(claim) {
				t.Error("it claims")
			}
		})
	}
}

func TestWhoHasTakenOverIsNotClaimedFromWhileItIsHeard(t *testing.T) {
	s := second(t, func(s *story) {
		reported(s)
		heard(s)
		s.Keeper.Routers[1].Age = 0
	})
	s.does()
}
