package placement

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/director/ownership"
	"github.com/quorate/quorate/fsm"
)

func TestAMoveThatIsAskedForIsDoneOrRefusedWithItsReason(t *testing.T) {
	well := func(name string) View { return View{Name: name, Alive: true, Ready: true} }
	owned := fsm.Ownership{Owner: "d1", Epoch: 4, Order: []string{"d2", "d3"}}
	views := func(d2 View) []View {
		d1 := well("d1")
		d1.Active = true
		return []View{d1, d2, well("d3")}
	}
	with := func(edit func(*View)) []View { v := well("d2"); edit(&v); return views(v) }
	intent := func(to string) fsm.Ownership {
		g := owned
		g.Intent = &fsm.Intent{To: to, Epoch: 5, Reason: "d1 drains"}
		return g
	}
	move := func(forced bool) MoveAnswer {
		return MoveAnswer{Move: &fsm.SetIntent{Group: "g", Intent: fsm.Intent{To: "d2", Epoch: 5, Reason: "asked", Forced: forced}}}
	}
	cold := func(v *View) { v.Ready, v.Why = false, "cold" }
	base := MoveWanted{Group: "g", To: "d2", Reason: "asked", Exists: true, Log: owned, Role: fsm.RoleDirector, Views: views(well("d2"))}
	for _, tt := range []struct {
		name   string
		edit   func(*MoveWanted)
		want   MoveAnswer
		forced string // what --force is answered: "" for the same as without, "yes" for a move by force
		words  string // of the refusal
	}{
		{"a ready standby, which may find itself cut off or short of connections", func(*MoveWanted) {}, move(false), "yes", ""},
		{"it owns it already", func(w *MoveWanted) { w.To = "d1" }, MoveAnswer{There: true}, "", ""},
		{"no such group", func(w *MoveWanted) { w.Exists = false }, MoveAnswer{}, "", "no group g"},
		{"no such director", func(w *MoveWanted) { w.To, w.Role = "d9", "" }, MoveAnswer{}, "", "d9 is no member"},
		{"a witness", func(w *MoveWanted) { w.To, w.Role = "w", fsm.RoleWitness }, MoveAnswer{}, "", "w is a witness"},
		{"not ready", func(w *MoveWanted) { w.Views = with(cold) }, MoveAnswer{}, "yes", "d2 is not ready: cold"},
		{"it does not answer", func(w *MoveWanted) { w.Views = with(func(v *View) { v.Alive, v.Ready = false, false }) }, MoveAnswer{}, "", "d2 does not answer"},
		{"it was stopped", func(w *MoveWanted) { w.Views = with(func(v *View) { v.Gone, v.Ready = "was stopped", false }) }, MoveAnswer{}, "", "d2 was stopped"},
		{"it drains", func(w *MoveWanted) { w.Views = with(func(v *View) { v.Draining = true }) }, MoveAnswer{}, "", "enable director d2"},
		{"its link is down", func(w *MoveWanted) { w.Views = with(func(v *View) { v.Fault = "link down" }) }, MoveAnswer{}, "", "cannot own it: link down"},
		{"it misses a requirement", func(w *MoveWanted) { w.Views = with(func(v *View) { v.Unfit = "db fails" }) }, MoveAnswer{}, "", "may not own it: db fails"},
		{"it moves elsewhere", func(w *MoveWanted) { w.Log = intent("d3") }, MoveAnswer{}, "", "moving to d3 just now (d1 drains)"},
		{"it moves there already", func(w *MoveWanted) { w.Log = intent("d2") }, MoveAnswer{}, "wait", ""},
		{"nobody owns it", func(w *MoveWanted) { w.Log, w.Views = fsm.Ownership{}, []View{well("d1"), well("d2")} }, MoveAnswer{}, "", "nobody owns g yet"},
		{"nobody owns it, and it may not", func(w *MoveWanted) {
			v := well("d2")
			v.Fault = "track up fails"
			w.Log, w.Views = fsm.Ownership{}, []View{well("d1"), v}
		}, MoveAnswer{}, "", "nobody owns g yet, and d2 cannot own it: track up fails"},
		{"nobody serves it yet", func(w *MoveWanted) {
			d1 := well("d1")
			d1.Yielded = "its keeper was started"
			w.Views = []View{d1, well("d2"), well("d3")}
		}, MoveAnswer{}, "", "nobody serves g yet"},
		{"the log's owner is heard, though its report is of before", func(w *MoveWanted) {
			d1, d3 := well("d1"), well("d3")
			d1.Yielded, d3.Hears = "its keeper was started", "d1"
			w.Views = []View{d1, well("d2"), d3}
		}, move(false), "yes", ""},
		{"the log's owner has no keeper that says so", func(w *MoveWanted) {
			w.Views = []View{well("d1"), well("d2"), well("d3")}
		}, move(false), "yes", ""},
		{"the log's owner does not serve", func(w *MoveWanted) {
			w.To, w.Views = "d1", []View{well("d1"), well("d2"), well("d3")}
		}, MoveAnswer{}, "", "does not serve"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := base
			tt.edit(&w)
			got := MayMove(w)
			if tt.words != "" {
				if !strings.Contains(got.Refuse, tt.words) || got.There || got.Move != nil {
					t.Errorf("answer %+v, want a refusal with %q", got, tt.words)
				}
			} else if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			w.Force = true
			switch forced := MayMove(w); {
			case tt.forced == "yes":
				if diff := cmp.Diff(move(true), forced); diff != "" {
					t.Errorf("by force: %s", diff)
				}
			case !cmp.Equal(forced, got):
				t.Errorf("by force %+v, else %+v", forced, got)
			}
		})
	}
}

func TestWhatWasMovedByForceStaysThough(t *testing.T) {
	d1 := View{Name: "d1", Alive: true, Ready: true}
	d2 := View{Name: "d2", Alive: true, Active: true, Why: "cold", Unready: time.Hour}
	g := fsm.Ownership{Owner: "d2", Epoch: 5, Order: []string{"d1"}, Forced: true}
	if got := Place(Situation{Group: "g", Log: g, Views: []View{d1, d2}}); !cmp.Equal(got, Decision{}) {
		t.Errorf("%+v", got)
	}
	g.Forced = false
	if got := Place(Situation{Group: "g", Log: g, Views: []View{d1, d2}}); got.Move == nil {
		t.Errorf("not forced: %+v", got)
	}
}

// What has the group by force stays as long as it is not ready. Once it has been, it is moved from as any other: a director that
// was ready when it was moved to would else keep the group whatever becomes of it.
func TestWhoWasReadyDoesNotKeepWhatItHasByForce(t *testing.T) {
	type look struct {
		ready bool
		epoch uint64
	}
	for _, tt := range []struct {
		name  string
		looks []look // before it is not ready for an hour
		moves bool
	}{
		{"it was not ready", []look{{false, 5}}, false},
		{"it was ready", []look{{true, 5}}, true},
		{"it was ready after a while", []look{{false, 5}, {true, 5}}, true},
		{"it was ready before it was named", []look{{true, 4}}, false},
		{"nothing is known", nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
			l := NewLeader("d3", ownership.GoneAfter, now)
			log := fsm.Ownership{Owner: "d2", Epoch: 5, Order: []string{"d1"}, Forced: true}
			var got fsm.Command
			for _, step := range append(tt.looks, look{false, 5}) {
				d2 := View{Name: "d2", Alive: true, Active: true, Ready: step.ready, Epoch: step.epoch}
				if !step.ready {
					d2.Unready = time.Hour
				}
				all := []Situation{{Group: "g", Log: log, Views: []View{{Name: "d1", Alive: true, Ready: true}, d2}}}
				l.Look(now, all, nil)
				got = l.Decide(now, all[0])
			}
			if _, moves := got.(fsm.SetIntent); moves != tt.moves {
				t.Errorf("%+v, want a move: %v", got, tt.moves)
			}
		})
	}
}
