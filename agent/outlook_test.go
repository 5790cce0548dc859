package agent

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/director/placement"
	"github.com/quorate/quorate/fsm"
)

func TestNextAreThoseWhoCouldTakeTheGroupNow(t *testing.T) {
	state := &fsm.State{
		Members: map[string]fsm.Member{},
		Groups:  map[string]fsm.Ownership{"g": {Owner: "d1", Epoch: 2, Order: []string{"d7", "d6", "d5", "d4", "d3", "d2"}}},
	}
	live := map[string]received{}
	for _, name := range []string{"d1", "d2", "d3", "d4", "d5", "d6", "d7"} {
		state.Members[name] = fsm.Member{Name: name, Role: fsm.RoleDirector, Draining: name == "d5"}
		own, r := groupReport{State: "backup"}, report{Name: name, Ready: name != "d4"}
		switch name {
		case "d2": // it owns the group, and the log does not say so yet
			own.State = "active"
		case "d6":
			own = groupReport{State: "initialize", Reason: "link wan down"}
		}
		if r.Groups = map[string]groupReport{"g": own}; name == "d4" {
			r.Reasons = []string{"cold"}
		}
		live[name] = received{report: r}
	}
	delete(live, "d7")
	st := groupStatus(state, live, fsm.Group{Name: "g"}, "d3")
	if diff := cmp.Diff([]string{"d3"}, st.Next); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(state.Groups["g"].Order, st.Order); diff != "" {
		t.Error(diff)
	}
	e := api.Explanation{Owner: "d2"}
	ahead(&e, fsm.Placement{}, views(state, live, reportedStop, "g", noon), nil)
	want := []string{"d4 is not ready: cold", "d5 drains: `quorate enable director d5` ends that", "d6 cannot own it: link wan down", "d7 does not answer"}
	if diff := cmp.Diff(want, e.Cannot); diff != "" {
		t.Error(diff)
	}
}

func TestAnExplanationSaysWhatIsAboutToHappen(t *testing.T) {
	well := func(name string) placement.View { return placement.View{Name: name, Alive: true, Ready: true} }
	owner := well("d2")
	owner.Active = true
	pinned := fsm.Placement{Policy: fsm.Pinned, Directors: []string{"d3"}, Hold: 30 * time.Second}
	s := placement.Situation{
		Group: "g", Log: fsm.Ownership{Owner: "d2", Epoch: 2}, Placement: pinned, Views: []placement.View{owner, well("d3")}, Wished: 18 * time.Second,
	}
	var o outlooks
	o.look([]placement.Situation{s}, noon)
	at := func(after time.Duration) []word { return []word{{}, {Outlook: o.of("g", noon.Add(after))}} }
	for _, tt := range []struct {
		name   string
		moving string
		words  []word
		want   api.Explanation
	}{
		{"while it holds", "", at(time.Second), api.Explanation{Wish: "d3", WishReason: "it is pinned to d3 before d2", WishIn: 11}},
		{"while it moves", "d3", at(time.Second), api.Explanation{Moving: "d3"}},
		{"nobody leads any more", "", at(3 * time.Second), api.Explanation{}},
	} {
		got := api.Explanation{Moving: tt.moving}
		ahead(&got, pinned, nil, tt.words)
		tt.want.Placement, tt.want.Cannot = "pinned to d3, holds for 30s", []string{}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
	o.look(nil, noon)
	if got := o.of("g", noon); got != nil {
		t.Errorf("a group that is to stay moves: %+v", got)
	}
	if got := policyWords(fsm.Placement{}); got != "sticky: it stays where it is" {
		t.Error(got)
	}
}
