package placement

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/fsm"
)

func TestAnOwnerWhoseControlIsAwayIsMovedFromIfItIsHeard(t *testing.T) {
	const long = Grace + time.Millisecond
	owner := View{Name: "d1", Silent: long}
	hears := func(name string) View { return View{Name: name, Alive: true, Ready: true, Hears: "d1"} }
	deaf := func(name string) View { return View{Name: name, Alive: true, Ready: true} }
	with := func(v View, edit func(*View)) View { edit(&v); return v }
	owned := fsm.Ownership{Owner: "d1", Epoch: 4, Order: []string{"d2", "d3"}}
	why := func(heard string) string {
		return "control of d1 has not answered for 2s; its adverts are heard by " + heard
	}
	for _, tt := range []struct {
		name  string
		views []View
		sound bool
		want  string // whom it moves to
		why   string
	}{
		{"both hear it", []View{owner, hears("d2"), hears("d3")}, true, "d2", why("d2, d3")},
		{"it is away for a moment", []View{with(owner, func(v *View) { v.Silent = Grace }), hears("d2"), hears("d3")}, true, "", ""},
		{"its last report still counts", []View{with(owner, func(v *View) { v.Alive, v.Ready, v.Active = true, true, true }), hears("d2"), hears("d3")}, true, "d2", why("d2, d3")},
		{"nobody hears it: VRRP takes over", []View{owner, deaf("d2"), deaf("d3")}, true, "", ""},
		{"the first successor does not hear it", []View{owner, deaf("d2"), hears("d3")}, true, "d3", why("d3")},
		{"the only one who hears it is not ready", []View{owner, deaf("d2"), with(hears("d3"), func(v *View) { v.Ready = false })}, true, "", ""},
		{"the first successor drains", []View{owner, with(hears("d2"), func(v *View) { v.Draining = true }), hears("d3")}, true, "d3", why("d2, d3")},
		{"who heard it is silent itself", []View{owner, with(hears("d2"), func(v *View) { v.Silent = long }), deaf("d3")}, true, "", ""},
		{"another is heard", []View{owner, with(hears("d2"), func(v *View) { v.Hears = "d3" })}, true, "", ""},
		{"the silence may be the leader's own", []View{owner, hears("d2"), hears("d3")}, false, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := Situation{Group: "g", Log: owned, Views: tt.views, Sound: tt.sound}
			got := Place(s)
			got.Order = nil // of successors, which may change
			var want Decision
			if tt.want != "" {
				want = s.move(tt.want, tt.why)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if s.Log.Intent = &(fsm.Intent{To: "d3", Epoch: 5}); Place(s).Move != nil {
				t.Error("a second intent")
			}
		})
	}
}

func TestALeaderThatHearsFewBlamesNobody(t *testing.T) {
	const long = Grace + time.Millisecond
	for _, tt := range []struct {
		name   string
		silent map[string]time.Duration
		led    time.Duration
		want   bool
	}{
		{"all but the owner", map[string]time.Duration{"d1": long, "d2": 0, "d3": 0}, time.Minute, true},
		{"a new leader", map[string]time.Duration{"d1": long, "d2": 0, "d3": 0}, Grace, false},
		{"nobody", map[string]time.Duration{"d1": long, "d2": 0, "d3": long}, time.Minute, false},
		{"half of the others", map[string]time.Duration{"d1": long, "d2": 0, "d3": 0, "d4": long}, time.Minute, false},
		{"most of the others", map[string]time.Duration{"d1": long, "d2": 0, "d3": 0, "d4": Grace, "w": long}, time.Minute, true},
		{"there is nobody else", map[string]time.Duration{"d1": long, "d2": 0}, time.Minute, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Sound(tt.silent, "d2", "d1", tt.led); got != tt.want {
				t.Errorf("Sound = %v", got)
			}
		})
	}
}

// What must move goes where the policy would have it, so that it need not move twice.
func TestWhoTakesWhatMustMove(t *testing.T) {
	views := []View{{Name: "d1", Alive: true, Ready: true, Active: true, Draining: true}}
	for _, name := range []string{"d2", "d3", "d4"} {
		views = append(views, View{Name: name, Alive: true, Ready: true})
	}
	for _, tt := range []struct {
		name string
		p    fsm.Placement
		want string
	}{
		{"the order of successors", fsm.Placement{}, "d2"},
		{"the leader", fsm.Placement{Policy: fsm.Leader}, "d4"},
		{"the least loaded", fsm.Placement{Policy: fsm.Spread}, "d3"},
		{"the one that it is pinned to", fsm.Placement{Policy: fsm.Pinned, Directors: []string{"d1", "d4", "d2"}}, "d4"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := Place(Situation{
				Group: "g", Log: fsm.Ownership{Owner: "d1", Epoch: 4, Order: []string{"d2", "d3", "d4"}}, Views: views,
				Placement: tt.p, Leader: "d4", Load: map[string]int{"d1": 1, "d2": 2, "d3": 1, "d4": 3},
			})
			if got.Move == nil || got.Move.Intent.To != tt.want || got.Move.Intent.Reason != "d1 drains" {
				t.Errorf("%+v, want a move to %s", got, tt.want)
			}
		})
	}
}

func TestAnOwnerWithoutProofIsMovedFromIfTwoFindIt(t *testing.T) {
	owner := View{Name: "d1", Alive: true, Ready: true, Active: true}
	hears := func(name string, unproven bool) View {
		return View{Name: name, Alive: true, Ready: true, Hears: "d1", Unproven: unproven}
	}
	log := leads().log
	for _, tt := range []struct {
		views []View
		moves bool
	}{
		{[]View{owner, hears("d2", true), hears("d3", true)}, true},
		{[]View{owner, hears("d2", true), hears("d3", false)}, false},
		{[]View{owner, hears("d2", true)}, false},
		{[]View{owner, hears("d2", false), hears("d3", false)}, false},
	} {
		d := Place(Situation{Group: "g", Log: log, Views: tt.views})
		if (d.Move != nil) != tt.moves || d.Move != nil && d.Move.Intent.Reason != "d1 owns it, and d2 and d3 get no answer for its address" {
			t.Errorf("%+v: %+v", tt.views, d.Move)
		}
	}
}
