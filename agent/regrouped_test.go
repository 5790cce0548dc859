package agent

import (
	"slices"
	"testing"

	"github.com/quorate/quorate/fsm"
)

// regrouping is a configuration of routers, some of them together in a group, and who owns which group.
func regrouping(together []string, owners map[string]string, routers ...string) *fsm.State {
	s := &fsm.State{Config: fsm.Config{Routers: map[string]fsm.Router{}, SyncGroups: map[string]fsm.SyncGroup{}}, Groups: map[string]fsm.Ownership{}}
	for _, name := range routers {
		s.Config.Routers[name] = fsm.Router{Name: name}
	}
	if len(together) > 0 {
		s.Config.SyncGroups["gateway"] = fsm.SyncGroup{Name: "gateway", Routers: together}
	}
	for _, g := range s.Config.Groups() {
		s.Groups[g.Name] = fsm.Ownership{Owner: owners[g.Name]}
	}
	return s
}

func TestEveryDirectorKnowsWhoseTheRoutersOfANewGroupWere(t *testing.T) {
	both := []string{"inside", "outside"}
	for name, tt := range map[string]struct {
		was  []*fsm.State
		is   *fsm.State
		want map[string][]string
	}{
		"dissolved": {
			[]*fsm.State{regrouping(both, map[string]string{"gateway": "d1"}, both...)}, regrouping(nil, nil, both...),
			map[string][]string{"inside": {"d1"}, "outside": {"d1"}},
		},
		"made of one owner's": {
			[]*fsm.State{regrouping(nil, map[string]string{"inside": "d1", "outside": "d1"}, both...)}, regrouping(both, nil, both...),
			map[string][]string{"gateway": {"d1"}},
		},
		"made of two": {
			[]*fsm.State{regrouping(nil, map[string]string{"inside": "d2", "outside": "d1"}, both...)}, regrouping(both, nil, both...),
			map[string][]string{"gateway": {"d2", "d1"}},
		},
		"with a new router": {
			[]*fsm.State{regrouping(nil, map[string]string{"inside": "d2"}, "inside")}, regrouping(both, nil, both...),
			map[string][]string{"gateway": {"d2"}},
		},
		"twice, before anybody owns it": {
			[]*fsm.State{regrouping(nil, map[string]string{"inside": "d2", "outside": "d2"}, both...), regrouping(both, nil, both...)}, regrouping(nil, nil, both...),
			map[string][]string{"inside": {"d2"}, "outside": {"d2"}},
		},
		"a router that was gone meanwhile": {
			[]*fsm.State{regrouping(nil, map[string]string{"inside": "d2"}, "inside"), regrouping(nil, nil)}, regrouping(nil, nil, "inside"),
			map[string][]string{"inside": nil},
		},
	} {
		var r regrouped
		for _, was := range tt.was {
			r.note(was)
		}
		for _, g := range tt.is.Config.Groups() {
			if got := r.before(g); !slices.Equal(got, tt.want[g.Name]) {
				t.Errorf("%s: %s was of %q, want %q", name, g.Name, got, tt.want[g.Name])
			}
		}
	}
}
