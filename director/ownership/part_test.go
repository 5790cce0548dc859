package ownership

import (
	"strings"
	"testing"
	"time"
)

// keeps has the keeper say that it is a part since now, for a reason.
func (s *story) keeps(p Part, reason string) {
	s.now = s.now.Add(time.Second)
	s.Keeper.Part, s.Keeper.Reason, s.Keeper.Since = p, reason, s.now
	s.look()
}

// onWire are what the machine remembers of changes that the wire alone has made.
func (s *story) onWire() (texts []string) {
	for _, r := range s.m.Records() {
		if r.Kind == "vrrp" {
			texts = append(texts, r.Text)
			if len(r.Inputs) < 3 {
				s.t.Errorf("%q was decided from %q", r.Text, r.Inputs)
			}
		}
	}
	return texts
}

func (s *story) onWireIs(want ...string) {
	s.t.Helper()
	if got := s.onWire(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		s.t.Errorf("it remembers %q, want %q", got, want)
	}
}

func TestWhatTheLogDoesNotSayOfTheWireIsRemembered(t *testing.T) {
	t.Run("all members lose a requirement, and the owner takes the group again", func(t *testing.T) {
		s := newStory(t)
		s.owns()
		s.onWireIs()
		s.keeps(Faulty, `track "no": exit status 1`)
		s.onWireIs(`d2 serves g no more: track "no": exit status 1`)
		s.keeps(Standby, "fit again")
		s.keeps(Owner, "no active router heard for 3.1 s")
		s.onWireIs(`d2 serves g no more: track "no": exit status 1`, "d2 serves g: no active router heard for 3.1 s")
		if got := s.m.Again(s.Log); got != "no active router heard for 3.1 s" {
			t.Errorf("the group was taken again: %q", got)
		}
		s.Log.Epoch++
		if got := s.m.Again(s.Log); got != "" {
			t.Errorf("in an epoch of its own: %q", got)
		}
	})
	t.Run("between two looks", func(t *testing.T) {
		s := newStory(t)
		s.owns()
		s.keeps(Owner, "no active router heard for 3.1 s")
		if got := s.onWire(); len(got) != 2 || got[1] != "d2 serves g: no active router heard for 3.1 s" {
			t.Errorf("it remembers %q", got)
		}
	})
	t.Run("without quorum, where the log names another", func(t *testing.T) {
		s := newStory(t)
		s.Quorum, s.Keeper.Routers[0].Heard, s.Keeper.Routers[1].Heard = false, "", ""
		s.keeps(Owner, "no active router heard for 3.3 s")
		s.onWireIs("d2 serves g: no active router heard for 3.3 s")
		if got := s.m.Again(s.Log); got != "" {
			t.Errorf("taken again, though the log names another: %q", got)
		}
	})
}

// After a stall the keeper is Backup with the addresses, and goes on if nobody else is heard: they were there all the time.
func TestAnOwnerThatKeepsItsAddressesAsBackupHasLostNothing(t *testing.T) {
	present := func(s *story, is bool) {
		for i := range s.Keeper.Routers {
			s.Keeper.Routers[i].Present = is
		}
	}
	stalled := func(t *testing.T) *story {
		s := newStory(t)
		present(s, true)
		s.owns()
		s.keeps(Standby, "stalled for 4.0 s")
		s.onWireIs()
		return s
	}
	t.Run("it goes on", func(t *testing.T) {
		s := stalled(t)
		s.keeps(Owner, "resumed, nobody else spoke")
		s.onWireIs()
		if got := s.m.Again(s.Log); got != "" {
			t.Errorf("the group was taken again: %q", got)
		}
		present(s, false)
		s.keeps(Standby, "gives it up once")
		s.onWireIs("d2 serves g no more: gives it up once")
	})
	t.Run("it lets one go", func(t *testing.T) {
		s := stalled(t)
		s.Keeper.Routers[1].Present = false
		s.look()
		s.onWireIs("d2 serves g no more: stalled for 4.0 s")
		s.keeps(Owner, "no active router heard for 3.1 s")
		s.onWireIs("d2 serves g no more: stalled for 4.0 s", "d2 serves g: no active router heard for 3.1 s")
	})
	t.Run("it fails", func(t *testing.T) {
		s := stalled(t)
		s.keeps(Faulty, "no carrier")
		s.onWireIs("d2 serves g no more: no carrier")
	})
}

func TestWhatOthersRememberOfTheWireIsNotRememberedTwice(t *testing.T) {
	t.Run("the leader tells the log", func(t *testing.T) {
		s := newStory(t)
		s.keeps(Owner, "no active router heard for 3.3 s")
		s.onWireIs()
	})
	t.Run("a claim", func(t *testing.T) {
		s := newStory(t)
		s.Quorum = false
		s.keeps(Owner, byClaim)
		s.onWireIs()
	})
	t.Run("an owner that was there before the agent", func(t *testing.T) {
		s := newStory(t)
		s.m = NewMachine()
		s.owns()
		s.onWireIs()
	})
	t.Run("a keeper that does not answer for a moment", func(t *testing.T) {
		s := newStory(t)
		s.owns()
		since := s.Keeper.Since
		s.is(Absent)
		s.Keeper.Since = since
		s.is(Owner)
		s.onWireIs()
	})
	t.Run("a move to another", func(t *testing.T) {
		s := newStory(t)
		s.owns()
		s.Keeper.Routers[0].Heard, s.Keeper.Routers[1].Heard = "d1", "d1"
		s.keeps(Standby, "conceded to a claim")
		s.onWireIs()
	})
}
