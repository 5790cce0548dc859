package placement

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/director/ownership"
	"github.com/quorate/quorate/fsm"
)

func TestAPolicyWishesForWhoIsFitAndBetter(t *testing.T) {
	scored := func(name string, score int) View { return View{Name: name, Alive: true, Ready: true, Score: score} }
	views := func(d1, d2, d3 int) []View {
		all := []View{scored("d1", d1), scored("d2", d2), scored("d3", d3)}
		all[0].Active = true
		return all
	}
	without := func(all []View, edit func(*View)) []View { edit(&all[1]); return all }
	unready := func(v *View) { v.Ready = false }
	owned := fsm.Ownership{Owner: "d1", Epoch: 4, Order: []string{"d2", "d3"}}
	for _, tt := range []struct {
		name string
		s    Situation
		want Wish
	}{
		{"sticky: nothing", Situation{Views: views(0, 5, 9), Leader: "d2", Spread: "d2"}, Wish{}},
		{"leader: who leads", Situation{Placement: fsm.Placement{Policy: fsm.Leader}, Views: views(0, 0, 0), Leader: "d2"}, Wish{"d2", "d2 leads the cluster"}},
		{"leader: it owns it", Situation{Placement: fsm.Placement{Policy: fsm.Leader}, Views: views(0, 0, 0), Leader: "d1"}, Wish{}},
		{"leader: it is not ready", Situation{Placement: fsm.Placement{Policy: fsm.Leader}, Views: without(views(0, 0, 0), unready), Leader: "d2"}, Wish{}},
		{"leader: a witness", Situation{Placement: fsm.Placement{Policy: fsm.Leader}, Views: views(0, 0, 0), Leader: "w"}, Wish{}},
		{"pinned: the first", Situation{Placement: fsm.Placement{Policy: fsm.Pinned, Directors: []string{"d3", "d2", "d1"}}, Views: views(0, 0, 0)}, Wish{"d3", "it is pinned to d3 before d1"}},
		{"pinned: the first that is fit", Situation{Placement: fsm.Placement{Policy: fsm.Pinned, Directors: []string{"d2", "d3"}}, Views: without(views(0, 0, 0), unready)}, Wish{"d3", "it is pinned to d3 before d1"}},
		{"pinned: it is there", Situation{Placement: fsm.Placement{Policy: fsm.Pinned, Directors: []string{"d1", "d3"}}, Views: views(0, 0, 0)}, Wish{}},
		{"pinned: to nobody who is a member", Situation{Placement: fsm.Placement{Policy: fsm.Pinned, Directors: []string{"d9"}}, Views: views(0, 0, 0)}, Wish{}},
		{"score: the best", Situation{Placement: fsm.Placement{Policy: fsm.Score}, Views: views(90, 100, 120)}, Wish{"d3", "d3 has a score of 120, d1 one of 90"}},
		{"score: a tie stays", Situation{Placement: fsm.Placement{Policy: fsm.Score}, Views: views(100, 100, 100)}, Wish{}},
		{"score: of equals the first successor", Situation{Placement: fsm.Placement{Policy: fsm.Score}, Views: views(90, 100, 100)}, Wish{"d2", "d2 has a score of 100, d1 one of 90"}},
		{"score: the best is not ready", Situation{Placement: fsm.Placement{Policy: fsm.Score}, Views: without(views(90, 100, 95), unready)}, Wish{"d3", "d3 has a score of 95, d1 one of 90"}},
		{"spread: as planned", Situation{Placement: fsm.Placement{Policy: fsm.Spread}, Views: views(0, 0, 0), Spread: "d3", Load: map[string]int{"d1": 3}}, Wish{"d3", "d1 owns 3 groups, d3 owns 0"}},
		{"spread: even already", Situation{Placement: fsm.Placement{Policy: fsm.Spread}, Views: views(0, 0, 0)}, Wish{}},
		{"nobody serves it", Situation{Placement: fsm.Placement{Policy: fsm.Score}, Views: without(views(90, 100, 120), func(v *View) {})[1:]}, Wish{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.s.Group, tt.s.Log = "g", owned
			if diff := cmp.Diff(tt.want, Wished(tt.s)); diff != "" {
				t.Error(diff)
			}
			tt.s.Log.Intent = &fsm.Intent{To: "d2", Epoch: 5}
			if w := Wished(tt.s); w != (Wish{}) {
				t.Errorf("of a group that moves: %+v", w)
			}
		})
	}
}

func TestAWishWaitsForItsHoldTime(t *testing.T) {
	s := Situation{
		Group: "g", Log: fsm.Ownership{Owner: "d1", Epoch: 4, Order: []string{"d2"}},
		Placement: fsm.Placement{Policy: fsm.Score, Hold: 3 * time.Second},
		Views:     []View{{Name: "d1", Alive: true, Ready: true, Active: true}, {Name: "d2", Alive: true, Ready: true, Score: 1}},
	}
	for _, tt := range []struct {
		hold, wished time.Duration
		moves        bool
	}{
		{3 * time.Second, 3*time.Second - 1, false},
		{3 * time.Second, 3 * time.Second, true},
		{0, fsm.Score.DefaultHold() - 1, false},
		{0, fsm.Score.DefaultHold(), true},
		{-1, 0, true},
	} {
		s.Placement.Hold, s.Wished = tt.hold, tt.wished
		if got := Place(s).Move != nil; got != tt.moves {
			t.Errorf("hold %v, wished for %v: moves %v", tt.hold, tt.wished, got)
		}
	}
}

func TestADecisionToPlaceSaysWhatThePolicyWished(t *testing.T) {
	s := Situation{
		Group: "g", Log: fsm.Ownership{Owner: "d1", Epoch: 4, Order: []string{"d2"}},
		Placement: fsm.Placement{Policy: fsm.Score, Hold: 3 * time.Second}, Wished: 3500 * time.Millisecond,
		Views: []View{
			{Name: "d1", Alive: true, Ready: true, Active: true, Silent: 50 * time.Millisecond},
			{Name: "d2", Alive: true, Ready: true, Score: 1, Silent: 2 * Grace, Hears: "d1"},
		},
	}
	at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	want := ownership.Record{At: at, Kind: "place", Text: "x", Inputs: []string{
		"log: epoch 4 names d1, then d2",
		"policy: score, holds for 3s; wishes nothing else",
		"d1: owner, ready",
		"d2: silent for 4s, ready, hears d1, score 1",
	}}
	if diff := cmp.Diff(want, s.Record(at, "x")); diff != "" {
		t.Error(diff)
	}
	s.Views[1].Silent = 0
	if got := s.Record(at, "x").Inputs[1]; got != "policy: score, holds for 3s; wishes d2 since 3.5s: d2 has a score of 1, d1 one of 0" {
		t.Errorf("%q", got)
	}
}

func TestWishesBeginAnewWithTheWishAndWithTheOwner(t *testing.T) {
	var p Wishes
	at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	d2, d3 := Wish{"d2", "x"}, Wish{"d3", "y"}
	for i, tt := range []struct {
		epoch uint64
		w     Wish
		want  time.Duration
	}{
		{1, d2, 0}, {1, d2, time.Second}, {1, Wish{"d2", "another reason"}, 2 * time.Second},
		{1, d3, 0}, {1, d3, time.Second}, {1, Wish{}, 0}, {1, d3, 0}, {1, d3, time.Second}, {2, d3, 0}, {2, d3, time.Second},
	} {
		if got := p.Look("g", tt.epoch, tt.w, at); got != tt.want {
			t.Errorf("look %d: %v, want %v", i, got, tt.want)
		}
		at = at.Add(time.Second)
	}
	p.Again("g")
	if got := p.Look("g", 2, d3, at); got != 0 {
		t.Errorf("after a move that came to nothing: %v", got)
	}
}

func TestGroupsSpreadAsFewAsMust(t *testing.T) {
	all := []string{"d1", "d2", "d3"}
	share := func(group, owner string) Share { return Share{group, owner, true, all} }
	fixed := func(group, owner string) Share { return Share{group, owner, false, all} }
	for _, tt := range []struct {
		name   string
		shares []Share
		want   map[string]string
	}{
		{"none", nil, nil},
		{"even", []Share{share("a", "d1"), share("b", "d2"), share("c", "d3"), share("d", "d1")}, nil},
		{"all on one", []Share{share("a", "d1"), share("b", "d1"), share("c", "d1")}, map[string]string{"a": "d2", "b": "d3"}},
		{"two and none", []Share{share("a", "d1"), share("b", "d1"), share("c", "d2")}, map[string]string{"a": "d3"}},
		{"what does not move counts", []Share{fixed("a", "d1"), fixed("b", "d1"), share("c", "d1"), fixed("d", "d2"), fixed("e", "d3")}, map[string]string{"c": "d2"}},
		{"what does not move stays", []Share{fixed("a", "d1"), fixed("b", "d1"), fixed("c", "d1")}, nil},
		{"only to who is fit", []Share{{"a", "d1", true, []string{"d1", "d3"}}, {"b", "d1", true, []string{"d1", "d3"}}, share("c", "d3")}, nil},
		{"to who is fit, though another owns less", []Share{{"a", "d1", true, []string{"d1", "d3"}}, {"b", "d1", true, []string{"d3"}}}, map[string]string{"a": "d3"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := Spread(tt.shares)
			if !maps.Equal(got, tt.want) {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

// Whatever part of a plan is done, in whatever order: what is left of it leads to even numbers, in as many
// moves as were planned at first.
func TestAPlanIsAsLongHoweverItIsDone(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 1))
	for range 500 {
		directors := []string{"d1", "d2", "d3", "d4", "d5"}[:2+random.IntN(4)]
		var shares []Share
		for i := range random.IntN(12) {
			shares = append(shares, Share{fmt.Sprintf("g%d", i), directors[random.IntN(len(directors))], true, directors})
		}
		planned, done := len(Spread(shares)), 0
		for {
			plan := Spread(shares)
			if len(plan) == 0 {
				break
			}
			for i := range shares { // any one of them, as chance has it
				if to := plan[shares[i].Group]; to != "" && random.IntN(len(plan)) == 0 {
					shares[i].Owner = to
					done++
					break
				}
			}
		}
		load, least, most := Loads(shares), len(shares), 0
		for _, d := range directors {
			least, most = min(least, load[d]), max(most, load[d])
		}
		if done != planned || most-least > 1 {
			t.Fatalf("%d moves, planned were %d: %v", done, planned, load)
		}
	}
}
