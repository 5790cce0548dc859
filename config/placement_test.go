package config

import (
	"strings"
	"testing"

	"github.com/quorate/quorate/fsm"
)

func TestAPlacementByScoresThatNothingGivesIsDoubted(t *testing.T) {
	byScore := fsm.Placement{Policy: fsm.Score}
	for _, tt := range []struct {
		name   string
		edit   func(*fsm.Config)
		doubts bool
	}{
		{"no score at all", func(*fsm.Config) {}, true},
		{"a director's", func(c *fsm.Config) {
			g := c.SyncGroups["gateway"]
			g.Placement.Scores = map[string]int{"d1": 100}
			c.SyncGroups["gateway"] = g
		}, false},
		{"a track's, of one of its routers", func(c *fsm.Config) {
			r := c.Routers["outside"]
			r.Needs.Uses = []fsm.Use{{Track: "t", Score: 10}}
			c.Routers["outside"] = r
		}, false},
		{"a requirement gives none", func(c *fsm.Config) {
			r := c.Routers["outside"]
			r.Needs.Uses = []fsm.Use{{Track: "t", Require: true}}
			c.Routers["outside"] = r
		}, true},
		{"another policy", func(c *fsm.Config) {
			g := c.SyncGroups["gateway"]
			g.Placement.Policy = fsm.Leader
			c.SyncGroups["gateway"] = g
		}, false},
	} {
		c := fsm.Config{
			Routers:    map[string]fsm.Router{"outside": {Name: "outside", VRID: 51, Interface: "wan"}},
			SyncGroups: map[string]fsm.SyncGroup{"gateway": {Name: "gateway", Routers: []string{"outside"}, Placement: byScore}},
		}
		tt.edit(&c)
		doubts := 0
		for _, p := range Validate(WithDefaults(c)) {
			if p.Warning && strings.Contains(p.Text, "no director has a score and no track is preferred") {
				doubts++
			}
		}
		if doubts != map[bool]int{true: 1}[tt.doubts] {
			t.Errorf("%s: %d warnings", tt.name, doubts)
		}
	}
}
