package agent

import (
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/director/placement"
	"github.com/quorate/quorate/fsm"
)

// TestABadDiskMakesNoSuccessorAndMovesNothing places a group whose owner, or whose first successor, cannot write for longer than an
// owner may be not ready.
func TestABadDiskMakesNoSuccessorAndMovesNothing(t *testing.T) {
	const full = "its disk takes nothing: no space left on device"
	state := &fsm.State{
		Members: map[string]fsm.Member{"d1": {Role: fsm.RoleDirector}, "d2": {Role: fsm.RoleDirector}, "d3": {Role: fsm.RoleDirector}},
		Groups:  map[string]fsm.Ownership{"g": {Owner: "d1", Epoch: 1, Order: []string{"d2", "d3"}}},
	}
	nobody := func(string, time.Time) bool { return false }
	for _, tt := range []struct {
		name, ill string
		why       []string
		holds     bool
		to        string // that it moves to
		first     string // successor
	}{
		{"the disk of the owner", "d1", []string{full}, true, "", "d2"},
		{"more than the disk of the owner", "d1", []string{full, "the keeper is stopping"}, false, "d2", "d2"},
		{"the disk of the successor", "d2", []string{full}, true, "", "d3"},
	} {
		var rs reports
		for at := noon.Add(-placement.UnreadyOwner - 2*time.Second); !at.After(noon); at = at.Add(time.Second) {
			for name := range state.Members {
				r := report{Name: name, Ready: true, Groups: map[string]groupReport{"g": {State: "backup", Epoch: 1, Hears: "d1"}}}
				if name == "d1" {
					r.Groups["g"] = groupReport{State: "active", Epoch: 1}
				}
				if name == tt.ill {
					r.Ready, r.Reasons, r.Holds = false, tt.why, holds(tt.why, full)
				}
				rs.put(r, at)
			}
		}
		live := rs.live(noon)
		if live[tt.ill].Holds != tt.holds {
			t.Errorf("%s: holds %v", tt.name, !tt.holds)
		}
		s := placement.Situation{Group: "g", Log: state.Groups["g"], Views: views(state, live, nobody, "g", noon)}
		to, first := "", "d2"
		switch d := placement.Place(s); {
		case d.Move != nil:
			to = d.Move.Intent.To
		case d.Order != nil:
			first = d.Order.Order[0]
		}
		if to != tt.to || first != tt.first {
			t.Errorf("%s: moves to %q, want %q; successor %s, want %s", tt.name, to, tt.to, first, tt.first)
		}
		if tt.ill == "d2" {
			got := placement.MayMove(placement.MoveWanted{Group: "g", To: "d2", Exists: true, Log: s.Log, Role: fsm.RoleDirector, Views: s.Views})
			if !strings.Contains(got.Refuse, "d2 is not ready: "+full) {
				t.Errorf("a move to it: %+v", got)
			}
		}
	}
}

// TestWhatEndsBesidesABadDiskIsCountedFromThere has an owner whose disk has been full for long lose something else for a moment.
func TestWhatEndsBesidesABadDiskIsCountedFromThere(t *testing.T) {
	var rs reports
	rs.put(report{Name: "d1", Holds: true}, noon)
	rs.put(report{Name: "d1", Holds: true}, noon.Add(time.Second))
	if got := rs.byName["d1"].unreadySince; !got.Equal(noon) {
		t.Errorf("unready since %v", got)
	}
	rs.put(report{Name: "d1"}, noon.Add(time.Minute))
	rs.put(report{Name: "d1"}, noon.Add(time.Minute+time.Second))
	if got := rs.byName["d1"].unreadySince; !got.Equal(noon.Add(time.Minute)) {
		t.Errorf("unready since %v", got)
	}
}
