package agent

import (
	"strings"
	"testing"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/fsm"
)

// TestADifferenceOfRevisionsKnowsKeys has two revisions that differ in a key alone.
func TestADifferenceOfRevisionsKnowsKeys(t *testing.T) {
	a, s := alone(t, nodeConfig(t, "d1", fsm.LevelHistory))
	for i, key := range []string{"s3cret-a", "s3cret-b"} {
		r := fsm.Router{Name: "r", Auth: &fsm.Auth{Kind: fsm.AuthPassword, Key: key}}
		d := fsm.Delta{Routers: map[string]*fsm.Router{"r": &r}}
		if _, err := s.change(t.Context(), s.node.State(), fsm.ChangeConfig{Base: uint64(i), Delta: d}, api.Terms{}); err != nil {
			t.Fatal(err)
		}
	}
	changes, err := a.Diff(t.Context(), 1, 2)
	if text := config.Render(changes); err != nil || len(changes) != 1 || strings.Contains(text, "s3cret") {
		t.Errorf("%v\n%s", err, text)
	}
	if changes, err := a.Diff(t.Context(), 2, 2); err != nil || len(changes) != 0 {
		t.Errorf("of one with itself: %v, %v", changes, err)
	}
}
