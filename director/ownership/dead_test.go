package ownership

import (
	"errors"
	"slices"
	"testing"
	"time"
)

// silentFor has d1 silent for a while on every path, as far as this director can tell.
func (s *story) silentFor(d time.Duration) {
	m := s.member("d1")
	m.Unheard = d
	m.Unreached = []time.Duration{d, d}
	for i := range s.Keeper.Routers {
		s.Keeper.Routers[i].Age = d
	}
	s.look()
}

// gone is the word of who finds d1 dead.
var gone = Attestation{Gone: []string{"d1"}}

func TestADeadOwnerIsClaimedFromAfter300MillisecondsByAMajority(t *testing.T) {
	s := newStory(t)
	s.silentFor(GoneAfter - 1)
	s.does()
	s.silentFor(GoneAfter)
	s.does(askD3)
	s.says("d3", gone)
	s.does(claim)
	s.pass(10 * time.Second) // the keeper takes its time
	s.does()
	s.takes()
	s.done(claim, Done{})
	s.does(Tell{Kind: "claim", Text: "d1 is neither heard nor reached by d2 and d3"})
	s.quiesces()
}

func TestAnOwnerIsNotTakenForDead(t *testing.T) {
	for name, alive := range map[string]func(*story){
		"by a director that was late itself":          func(s *story) { s.OnTime = false },
		"when an advert came within 300 ms":           func(s *story) { s.Keeper.Routers[1].Age = GoneAfter - 1 },
		"when its agent speaks on the cluster port":   func(s *story) { s.member("d1").Unheard = 0 },
		"when its kernel answers on one segment":      func(s *story) { s.member("d1").Unreached[1] = GoneAfter - 1 },
		"where no segment is shared with it":          func(s *story) { s.member("d1").Unreached = []time.Duration{-1, -1} },
		"by who does not come first":                  func(s *story) { s.Log.Order = []string{"d3", "d2"} },
		"by who is not ready":                         func(s *story) { s.Ready = false },
		"by who drains":                               func(s *story) { s.Drains = true },
		"by who owns the group":                       func(s *story) { s.Keeper.Part = Owner; s.member("d1").Part = Absent },
		"by who cannot work":                          func(s *story) { s.Keeper.Part = Faulty },
		"when the log names nobody":                   func(s *story) { s.Log.Owner = "" },
		"when the log names one that is no member":    func(s *story) { s.Log.Owner = "d9" },
		"when the log names this director":            func(s *story) { s.Log.Owner = "d2" },
		"when the log names another that is in touch": func(s *story) { s.Log.Owner = "d3" },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			s.now = s.now.Add(time.Second)
			m := s.member("d1")
			m.Unheard, m.Unreached = time.Second, []time.Duration{time.Second, -1}
			s.Keeper.Routers[0].Age, s.Keeper.Routers[1].Age = time.Second, time.Second
			alive(s)
			s.look()
			s.does()
		})
	}
}

func TestWhoWasHeardLongAgoIsNotTakenForTheOwnerThatIsDead(t *testing.T) {
	const weeks = 21 * 24 * time.Hour
	for name, tt := range map[string]struct {
		in     string // who was heard since on the other router, until a moment ago
		report Part   // of d3
		claims bool
	}{
		"the owner": {"d1", Standby, true},
		"the owner, and the other reports nothing": {"d1", Absent, true},
		"the other, which is a standby again":      {"d3", Standby, true},
		"the other, which reports nothing":         {"d3", Absent, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			s.now = s.now.Add(time.Second)
			m := s.member("d1")
			m.Unheard, m.Unreached = GoneAfter, []time.Duration{GoneAfter, GoneAfter}
			s.member("d3").Part = tt.report
			s.Keeper.Routers[0].Heard, s.Keeper.Routers[0].Age = "d3", weeks
			s.Keeper.Routers[1].Heard, s.Keeper.Routers[1].Age = tt.in, GoneAfter
			for i := range s.Keeper.Routers {
				s.Keeper.Routers[i].Silent = true
			}
			s.look()
			asks := slices.ContainsFunc(s.open, func(o open) bool {
				a, ok := o.Action.(Ask)
				return ok && a.To == "d3" && a.Within == attestLimit
			})
			if asks != tt.claims {
				t.Errorf("it asks whether the owner is dead: %v", asks)
			}
		})
	}
}

func TestTwoThatDieTogetherCutNobodyOff(t *testing.T) {
	s := newStory(t)
	s.Voters = 5
	for _, name := range []string{"w1", "w2"} { // which have no address on the segments
		s.Members = append(s.Members, Member{Name: name, Alive: true, Witness: true, Unreached: []time.Duration{-1, -1}})
	}
	d3 := s.member("d3") // its last report, that it could own the group, counts yet
	d3.Unheard, d3.Unreached = GoneAfter, []time.Duration{GoneAfter, GoneAfter}
	s.silentFor(GoneAfter)
	if !s.opened(Ask{To: "w1"}) {
		t.Fatalf("it does not ask whether the owner is dead: %+v", s.begun)
	}
	for _, name := range []string{"w1", "w2"} {
		s.says(name, Attestation{Gone: []string{"d1", "d3"}})
	}
	s.pass(attestLimit)
	if !s.opened(claim) {
		t.Errorf("it does not claim: %+v", s.begun)
	}
}

func TestOneSharedSegmentIsEnoughToTakeAnOwnerForDead(t *testing.T) {
	s := newStory(t)
	s.member("d1").Unreached = []time.Duration{GoneAfter, -1}
	s.member("d1").Unheard = GoneAfter
	s.Keeper.Routers[0].Age, s.Keeper.Routers[1].Age = GoneAfter, GoneAfter
	s.look()
	s.does(askD3)
}

func TestTheNextReadySuccessorClaimsFromTheDeadWhereTheFirstIsNotReady(t *testing.T) {
	for name, unfit := range map[string]func(*Member){
		"not alive": func(m *Member) { m.Alive = false },
		"not ready": func(m *Member) { m.Ready = false },
		"drains":    func(m *Member) { m.Draining = true },
		"not fit":   func(m *Member) { m.Fit = false },
		"a witness": func(m *Member) { m.Witness = true },
		"faulty":    func(m *Member) { m.Part = Faulty },
		"no keeper": func(m *Member) { m.Part = Absent },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			s.Log.Order = []string{"d3", "d2"}
			s.silentFor(GoneAfter)
			s.does()
			unfit(s.member("d3"))
			s.look()
			s.does(askD3) // its word counts all the same
			s.says("d3", gone)
			s.does(claim)
		})
	}
}

func TestAMajorityOfTheVotersMustFindTheOwnerDead(t *testing.T) {
	for _, tt := range []struct {
		voters, agree int // this director included
		claims        bool
	}{
		{2, 1, false}, {3, 1, false}, {3, 2, true}, {4, 2, false}, {4, 3, true}, {5, 2, false}, {5, 3, true}, {5, 4, true},
	} {
		s := newStory(t)
		s.Voters, s.Members = tt.voters, s.Members[:1]
		for i := 3; i <= tt.voters; i++ { // the last of them a witness
			s.Members = append(s.Members, Member{Name: "d" + string(rune('0'+i)), Alive: true, Witness: i == tt.voters})
		}
		s.silentFor(GoneAfter)
		for i, m := range s.Members[1:] {
			word := Attestation{Gone: []string{"d0"}}
			if i > tt.voters-2-tt.agree { // the witness first
				word = gone
			}
			s.says(m.Name, word)
		}
		if got := s.opened(claim); got != tt.claims {
			t.Errorf("%d of %d find it dead: claimed %v", tt.agree, tt.voters, got)
		}
	}
}

func TestOthersAreAskedAgainEach100MillisecondsWhileTheOwnerIsSilent(t *testing.T) {
	s := newStory(t)
	s.silentFor(GoneAfter)
	s.does(askD3)
	for range 3 {
		s.says("d3", Attestation{})
		s.pass(deadAgain - 1)
		s.does()
		s.pass(1)
		s.does(askD3)
	}
	s.pass(attestLimit + deadAgain) // no answer
	s.does(askD3)
	s.says("d3", Attestation{})
	s.silentFor(0)
	s.pass(time.Second)
	s.does()
}

func TestADeadOwnerIsNotClaimedFromIfThatIsNotSoWhenTheOthersHaveAnswered(t *testing.T) {
	for name, change := range map[string]func(*story){
		"it speaks":                 func(s *story) { s.silentFor(0) },
		"it is heard":               func(s *story) { s.Keeper.Routers[0].Age = 0 },
		"this director was late":    func(s *story) { s.OnTime = false },
		"the log names another":     func(s *story) { s.Log.Owner = "d3" },
		"this director is taken in": func(s *story) { s.Keeper.Part = Owner; s.member("d1").Part = Absent },
		"the guard claims already":  func(s *story) { s.m.claiming = true },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			s.silentFor(GoneAfter)
			s.does(askD3)
			change(s)
			s.says("d3", gone)
			s.does()
		})
	}
}

func TestAClaimFromTheDeadThatFailsIsToldOfAndTriedAgain(t *testing.T) {
	s := newStory(t)
	s.silentFor(GoneAfter)
	s.says("d3", gone)
	s.does(askD3, claim)
	s.pass(time.Second)
	s.done(claim, Done{Err: errors.New("refused")})
	s.does(Tell{Kind: "claim", Text: "g not claimed: refused", Alarm: true}, askD3)
	s.says("d3", gone)
	s.does(claim)
}
