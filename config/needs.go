package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/quorate/quorate/fsm"
)

// needsSchemas are the blocks in which a router or a sync group says what it asks of its owner.
func needsSchemas() []*schema {
	return []*schema{
		{name: "require", labels: []string{"track"}, keys: []string{"reverse"}},
		{name: "prefer", labels: []string{"track"}, keys: []string{"score", "reverse"}},
		{name: "hook", labels: []string{"name"}, keys: []string{"on", "command", "user", "timeout"}},
	}
}

// hookStates are the states that a hook can follow.
var hookStates = []string{"owner", "standby", "fault", "stop"}

var (
	scoreSpan  = span{-253, 253} // keepalived's weights
	hookPeriod = period{10 * time.Millisecond, time.Hour, time.Millisecond}
)

const defaultHookTimeout = 30 * time.Second

// needs reads the require, prefer and hook blocks.
func (n *node) needs() fsm.Needs {
	var all fsm.Needs
	// JSON keeps no order between blocks of two types
	blocks := slices.Clone(n.blocks)
	slices.SortStableFunc(blocks, func(a, b *hcl.Block) int { return strings.Compare(b.Type, a.Type) })
	for _, b := range blocks {
		switch b.Type {
		case "require", "prefer":
			m := n.part(b, "needs.uses", len(all.Uses))
			u := fsm.Use{Track: b.Labels[0], Require: b.Type == "require", Reverse: m.boolean("reverse", false)}
			if !u.Require {
				m.require("score", "-60")
				u.Score = int(m.integer("score", 0, scoreSpan))
			}
			all.Uses = append(all.Uses, u)
		case "hook":
			m := n.part(b, "needs.hooks", len(all.Hooks))
			m.require("command", `["/usr/local/bin/hook", "ARGUMENT"]`)
			all.Hooks = append(all.Hooks, fsm.Hook{
				Name: b.Labels[0], On: m.texts("on"), Command: m.texts("command"), User: m.text("user", ""), Timeout: m.lasting("timeout"),
			})
			m.filled("on", "leave it out for all states")
		}
	}
	return all
}

// filled reports a list that is there and has nothing in it.
func (n *node) filled(key, hint string) {
	items := n.list(key, false)
	if i, ok := n.get(key); ok && len(items) == 0 && !n.bad[i.path] {
		i.fail(hint, "is empty")
	}
}

// useKind is the block that says a use.
func useKind(u fsm.Use) Kind {
	if u.Require {
		return KindRequire
	}
	return KindPrefer
}

// describeUse names a use in words.
func describeUse(u fsm.Use) string { return fmt.Sprintf("%s %s", useKind(u), u.Track) }
