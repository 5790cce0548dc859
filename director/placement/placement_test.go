package placement

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/fsm"
)

func TestPlaceMovesOnlyForAReason(t *testing.T) {
	well := func(name string) View { return View{Name: name, Alive: true, Ready: true} }
	active := func(v View) View { v.Active, v.Epoch = true, 5; return v }
	draining := func(v View) View { v.Draining = true; return v }
	unready := func(v View, d time.Duration) View { v.Ready, v.Unready = false, d; return v }
	dead := func(name string) View { return View{Name: name} }
	unfit := func(v View) View { v.Unfit = "db fails"; return v }
	faulty := func(v View) View { v.Fault = "link wan down"; return v }
	lacking := func(v View) View { v.Lacks = true; return v }
	scored := func(v View, n int) View { v.Score = n; return v }
	owned := fsm.Ownership{Owner: "d1", Epoch: 4, Order: []string{"d2", "d3"}}
	moving := owned
	moving.Intent = &fsm.Intent{To: "d2", Epoch: 5, Reason: "d1 drains"}

	for _, tt := range []struct {
		name  string
		g     fsm.Ownership
		views []View
		age   time.Duration
		want  Decision
	}{
		{"all is well", owned, []View{active(well("d1")), well("d2"), well("d3")}, 0, Decision{}},
		{"the first owner is confirmed", fsm.Ownership{}, []View{active(well("d1"))}, 0,
			Decision{Confirm: &fsm.SetOwner{Group: "g", Owner: "d1", Epoch: 1, Reason: "first owner, elected by VRRP"}}},
		{"nobody owns yet", fsm.Ownership{Order: []string{"d1", "d2"}}, []View{well("d1"), well("d2")}, 0, Decision{}},
		{"the owner died and another took over", owned, []View{dead("d1"), active(well("d2")), well("d3")}, 0,
			Decision{Confirm: &fsm.SetOwner{Group: "g", Owner: "d2", Epoch: 5, Reason: "d1 is gone, VRRP elected it"}}},
		{"two say they own: the wire decides first", owned, []View{active(well("d1")), active(well("d2")), well("d3")}, 0, Decision{}},
		{"whom the log has just named says still that it owns, by the epoch before", owned,
			[]View{{Name: "d1", Alive: true, Ready: true, Active: true, Epoch: 3}, active(well("d2")), well("d3")}, 0, Decision{}},
		{"and has not answered since", owned,
			[]View{{Name: "d1", Alive: true, Ready: true, Active: true, Epoch: 3, Silent: Grace + 1}, active(well("d2")), well("d3")}, 0,
			Decision{Confirm: &fsm.SetOwner{Group: "g", Owner: "d2", Epoch: 5, Reason: "VRRP elected it"}}},
		{"the owner drains", owned, []View{active(draining(well("d1"))), well("d2"), well("d3")}, 0,
			Decision{Move: &fsm.SetIntent{Group: "g", Intent: fsm.Intent{To: "d2", Epoch: 5, Reason: "d1 drains"}}}},
		{"the owner drains and its successor is not ready", fsm.Ownership{Owner: "d1", Epoch: 4, Order: []string{"d3", "d2"}},
			[]View{active(draining(well("d1"))), unready(well("d2"), 0), well("d3")}, 0,
			Decision{Move: &fsm.SetIntent{Group: "g", Intent: fsm.Intent{To: "d3", Epoch: 5, Reason: "d1 drains"}}}},
		{"the owner drains and nobody is fit", fsm.Ownership{Owner: "d1", Epoch: 4, Order: []string{"d2"}},
			[]View{active(draining(well("d1"))), dead("d2")}, 0, Decision{}},
		{"an owner not ready for a moment", owned, []View{active(unready(well("d1"), time.Second)), well("d2"), well("d3")}, 0, Decision{}},
		{"an owner not ready for long", owned, []View{active(unready(well("d1"), 6*time.Second)), well("d2"), well("d3")}, 0,
			Decision{Move: &fsm.SetIntent{Group: "g", Intent: fsm.Intent{To: "d2", Epoch: 5, Reason: "d1 has not been ready for 5s"}}}},
		{"the owner misses a requirement", owned, []View{active(unfit(well("d1"))), well("d2"), well("d3")}, 0,
			Decision{Move: &fsm.SetIntent{Group: "g", Intent: fsm.Intent{To: "d2", Epoch: 5, Reason: "d1 may not own it: db fails"}}}},
		{"nobody is moved to who misses one", owned, []View{active(draining(well("d1"))), unfit(well("d2")), well("d3")}, 0,
			Decision{Move: &fsm.SetIntent{Group: "g", Intent: fsm.Intent{To: "d3", Epoch: 5, Reason: "d1 drains"}}}},
		{"a better score goes first, and moves no owner", owned, []View{active(well("d1")), well("d2"), scored(well("d3"), 10)}, 0,
			Decision{Order: &fsm.SetOrder{Group: "g", Epoch: 4, Order: []string{"d3", "d2"}}}},
		{"who lacks the connections goes last", owned, []View{active(well("d1")), lacking(well("d2")), well("d3")}, 0,
			Decision{Order: &fsm.SetOrder{Group: "g", Epoch: 4, Order: []string{"d3", "d2"}}}},
		{"but before who has a worse score", owned, []View{active(well("d1")), lacking(scored(well("d2"), 10)), well("d3")}, 0, Decision{}},
		{"and before who is not fit", owned, []View{active(well("d1")), lacking(well("d2")), dead("d3")}, 0, Decision{}},
		{"a link went down", owned, []View{faulty(well("d1")), active(well("d2")), well("d3")}, 0,
			Decision{Confirm: &fsm.SetOwner{Group: "g", Owner: "d2", Epoch: 5, Reason: "d1 cannot own it: link wan down; VRRP elected it"}}},
		{"a move under way is left alone", moving, []View{active(draining(well("d1"))), well("d2"), well("d3")}, time.Second, Decision{}},
		{"a move that came to nothing ends", moving, []View{active(draining(well("d1"))), well("d2"), well("d3")}, 11 * time.Second,
			Decision{Drop: &fsm.DropIntent{Group: "g", Epoch: 5, Reason: "d2 did not take it within 10s"}}},
		{"a move whose outcome was not told is confirmed", moving, []View{draining(well("d1")), active(well("d2")), well("d3")}, time.Second,
			Decision{Confirm: &fsm.SetOwner{Group: "g", Owner: "d2", Epoch: 5, Reason: "d1 drains"}}},
		{"who returns comes last", fsm.Ownership{Owner: "d2", Epoch: 5, Order: []string{"d3", "d1"}}, []View{well("d1"), active(well("d2")), well("d3")}, 0, Decision{}},
		{"a dead successor goes behind a live one", owned, []View{active(well("d1")), dead("d2"), well("d3")}, 0,
			Decision{Order: &fsm.SetOrder{Group: "g", Epoch: 4, Order: []string{"d3", "d2"}}}},
		{"a newcomer is put into the order", fsm.Ownership{Owner: "d1", Epoch: 4, Order: []string{"d2"}}, []View{active(well("d1")), well("d2"), well("d3")}, 0,
			Decision{Order: &fsm.SetOrder{Group: "g", Epoch: 4, Order: []string{"d2", "d3"}}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Place(Situation{Group: "g", Log: tt.g, Views: tt.views, Age: tt.age})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// d2 claimed the group from d1, which was cut off, said so to the leader alone, and died with both its processes. d1 took the group again; the
// leader has not heard from it yet, and those on the segment hear its adverts.
func TestWhoIsSilentIsNotNamedWhileTheOthersHearWhomTheLogNames(t *testing.T) {
	owned := fsm.Ownership{Owner: "d1", Epoch: 4, Order: []string{"d2", "d3", "d4"}}
	for name, tt := range map[string]struct {
		edit  func(views []View)
		names bool
	}{
		"the others hear whom the log names":         {func([]View) {}, false},
		"one of them does, and the other one nobody": {func(v []View) { v[3].Hears = "" }, false},
		"one of them hears the silent one":           {func(v []View) { v[3].Hears = "d2" }, true},
		"nobody hears anybody":                       {func(v []View) { v[2].Hears, v[3].Hears = "", "" }, true},
		"those who do are silent as well":            {func(v []View) { v[2].Unheard, v[3].Unheard = true, true }, true},
		"those who did have not reported for long":   {func(v []View) { v[2].Alive, v[3].Alive = false, false }, true},
		"it is not silent":                           {func(v []View) { v[1].Unheard = false }, true},
	} {
		t.Run(name, func(t *testing.T) {
			views := []View{
				{Name: "d1", Alive: true, Ready: true, Active: true, Epoch: 4, Silent: Grace + 1, Unheard: true},
				{Name: "d2", Alive: true, Ready: true, Active: true, Epoch: 4, Silent: Grace / 2, Unheard: true},
				{Name: "d3", Alive: true, Ready: true, Epoch: 4, Hears: "d1"},
				{Name: "d4", Alive: true, Ready: true, Epoch: 4, Hears: "d1"},
			}
			tt.edit(views)
			var want *fsm.SetOwner
			if tt.names {
				want = &fsm.SetOwner{Group: "g", Owner: "d2", Epoch: 5, Reason: "VRRP elected it"}
			}
			if diff := cmp.Diff(want, Place(Situation{Group: "g", Log: owned, Views: views}).Confirm); diff != "" {
				t.Error(diff)
			}
		})
	}
}
