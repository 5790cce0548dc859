package agent

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/fsm"
)

func TestAStandbyWithoutTheConnectionsIsNamed(t *testing.T) {
	active := groupReport{State: "active"}
	st := api.Status{Quorum: true, Directors: []api.DirectorStatus{{Name: "d1", State: "alive", Ready: true}, {Name: "d3", State: "alive", Ready: true}}}
	for _, tt := range []struct {
		name  string
		lacks map[string]coverage
		owner groupReport
		want  []string
	}{
		{"it has them", nil, active, nil},
		{"it has none", map[string]coverage{"d1": {0, 60}}, active, []string{"d3 has 0 of 60 of the connections of d1's groups: a crash of d1 loses the others; look at UDP 8848 between them (sync daemon)"}},
		{"they are another's by now", map[string]coverage{"d1": {0, 60}}, groupReport{State: "backup"}, nil},
	} {
		live := map[string]received{
			"d1": {report: report{Ready: true, Groups: map[string]groupReport{"g": tt.owner}}},
			"d3": {report: report{Ready: true, Lacks: tt.lacks}},
		}
		if got := warnings(st, live, noon); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestWhatIsMissingIsNewsWhenItIsMuch(t *testing.T) {
	var l lacking
	for _, step := range []struct {
		name string
		have coverage
		news bool
		want map[string]coverage
	}{
		{"all are there", coverage{60, 60}, false, map[string]coverage{}},
		{"half are", coverage{30, 60}, false, map[string]coverage{}},
		{"none of few", coverage{0, 9}, false, map[string]coverage{}},
		{"none of many", coverage{0, 60}, true, map[string]coverage{"d1": {0, 60}}},
		{"the same again", coverage{0, 60}, false, map[string]coverage{"d1": {0, 60}}},
		{"of more", coverage{0, 120}, true, map[string]coverage{"d1": {0, 120}}},
		{"they have come", coverage{120, 120}, true, map[string]coverage{}},
	} {
		if news := l.found(map[string]coverage{"d1": step.have}); news != step.news {
			t.Errorf("%s: news %v", step.name, news)
		}
		if diff := cmp.Diff(step.want, l.of()); diff != "" {
			t.Errorf("%s: %s", step.name, diff)
		}
	}
}

func TestALeaderKnowsWhoLacksTheOwnersConnections(t *testing.T) {
	director := fsm.Member{Role: fsm.RoleDirector}
	state := &fsm.State{
		Members: map[string]fsm.Member{"d1": director, "d2": director, "d3": director},
		Groups:  map[string]fsm.Ownership{"g": {Owner: "d1", Epoch: 2}},
	}
	live := map[string]received{
		"d2": {report: report{Name: "d2", Lacks: map[string]coverage{"d3": {0, 60}}}}, // of another than the owner
		"d3": {report: report{Name: "d3", Lacks: map[string]coverage{"d1": {0, 60}}}},
	}
	for _, v := range views(state, live, (&reports{}).stopped, "g", noon) {
		if v.Lacks != (v.Name == "d3") {
			t.Errorf("%s lacks connections: %v", v.Name, v.Lacks)
		}
	}
}
