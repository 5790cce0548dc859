package placement

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/director/ownership"
	"github.com/quorate/quorate/fsm"
)

// The log names d2, to which the group was moved since the control of d1 is away. The keeper of d2 was started anew, and d1 took
// the group again.
func TestWhoIsHeardByTheNamedOneAndCannotReportIsNamedAndMovedFrom(t *testing.T) {
	owned := fsm.Ownership{Owner: "d2", Epoch: 4, Order: []string{"d3", "d1"}}
	begin := func() []View {
		return []View{
			{Name: "d1", Silent: Grace + 1},
			{Name: "d2", Alive: true, Ready: true, Epoch: 4, Hears: "d1", Tells: true},
			{Name: "d3", Alive: true, Ready: true, Epoch: 4},
		}
	}
	for name, tt := range map[string]struct {
		edit  func(views []View)
		names bool
	}{
		"the named one hears it":                           {func([]View) {}, true},
		"its last report still counts":                     {func(v []View) { v[0].Alive, v[0].Active, v[0].Epoch = true, true, 3 }, true},
		"another hears it, too":                            {func(v []View) { v[2].Hears = "d1" }, true},
		"it is silent for a moment":                        {func(v []View) { v[0].Silent = Grace }, false},
		"not for long":                                     {func(v []View) {}, false},
		"the named one owns it":                            {func(v []View) { v[1].Active, v[1].Hears = true, "" }, false},
		"the named one tells of the time before":           {func(v []View) { v[1].Epoch = 3 }, false},
		"the named one is silent, too":                     {func(v []View) { v[1].Silent = Grace + 1 }, false},
		"the named one has not reported":                   {func(v []View) { v[1].Alive = false }, false},
		"the named one hears nobody":                       {func(v []View) { v[1].Hears = "" }, false},
		"the named one hears no member that could own it":  {func(v []View) { v[1].Hears = "w" }, false},
		"another one hears a third":                        {func(v []View) { v[2].Hears = "d4" }, false},
		"it has claimed the group from the named one":      {func(v []View) { v[1].Claimant = "d1" }, false},
		"the named one is of a version that cannot say so": {func(v []View) { v[1].Tells = false }, false},
		"another one owns it":                              {func(v []View) { v[2].Active, v[2].Epoch = true, 3 }, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := Situation{Group: "g", Log: owned, Views: begin(), Sound: true, Unreported: Grace}
			if name == "not for long" {
				s.Unreported--
			}
			tt.edit(s.Views)
			var want *fsm.SetOwner
			if tt.names {
				want = &fsm.SetOwner{Group: "g", Owner: "d1", Epoch: 5, Reason: "d2 hears it, and its control has not answered for 2s"}
			}
			if diff := cmp.Diff(want, Place(s).Confirm); diff != "" {
				t.Error(diff)
			}
			s.Log.Intent = &fsm.Intent{To: "d3", Epoch: 5}
			if Place(s).Confirm != nil {
				t.Error("it is named though the group is to move")
			}
		})
	}
	named := fsm.Ownership{Owner: "d1", Epoch: 5, Order: owned.Order}
	move := Place(Situation{Group: "g", Log: named, Views: begin(), Sound: true}).Move
	if move == nil || move.Intent.To != "d2" {
		t.Errorf("then it moves by %+v, and not to d2", move)
	}
}

// One whose control has just come back reports by itself.
func TestWhoIsHeardAndCannotReportIsNamedWhenThatHasLasted(t *testing.T) {
	owned := fsm.Ownership{Owner: "d2", Epoch: 4, Order: []string{"d1"}}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	l := NewLeader("w", ownership.GoneAfter, now)
	look := func(hears string) fsm.Command {
		views := []View{{Name: "d1"}, {Name: "d2", Alive: true, Ready: true, Epoch: 4, Hears: hears, Tells: true}}
		all := []Situation{{Group: "g", Log: owned, Views: views}}
		l.Look(now, all, map[string]time.Duration{"d1": Grace + 1})
		return l.Decide(now, all[0])
	}
	for _, hears := range []string{"d1", "", "d1"} {
		if got := look(hears); got != nil {
			t.Fatalf("it proposes %+v at once", got)
		}
		now = now.Add(Grace)
	}
	if got, ok := look("d1").(fsm.SetOwner); !ok || got.Owner != "d1" {
		t.Errorf("it proposes %+v", got)
	}
}
