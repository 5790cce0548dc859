package ownership

import (
	"slices"
	"testing"
	"time"
)

func TestWhatADecisionWasMadeFromIsSaidInWords(t *testing.T) {
	f := Facts{
		Self: "d1", Current: true, OnTime: true, Keeper: Keeper{Routers: []Router{{Name: "outside"}, {Name: "inside"}}},
		Members: []Member{
			{Name: "d2", Part: Standby, Alive: true, Ready: true, Fit: true, Unheard: 72 * time.Millisecond, Unreached: []time.Duration{73 * time.Millisecond, -1}},
			{Name: "d3", Part: Owner, Fit: true, Unheard: 2 * time.Second, Unreached: []time.Duration{GoneAfter, 2 * time.Second}},
		},
	}
	got := f.inputs()
	for _, want := range []string{
		"d2: standby, ready, its agent was heard 72ms ago, its host on outside was heard 73ms ago",
		"d3: owner, no report, not ready, its agent is silent for 2s, its host on outside is silent for 300ms, its host on inside is silent for 2s",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
}
