package director

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/quorate/quorate/director/hook"
	"github.com/quorate/quorate/director/track"
	"github.com/quorate/quorate/fsm"
)

// Tracks returns what a configuration has this director watch about itself, by name.
func Tracks(cfg fsm.Config, self Self) []track.Spec {
	var specs []track.Spec
	for _, name := range slices.Sorted(maps.Keys(cfg.Tracks)) {
		t := cfg.Tracks[name]
		spec := track.Spec{
			Name: name, Kind: track.Kind(t.Kind), Command: t.Command, User: t.User, Timeout: t.Timeout,
			Path: t.Path, Missing: t.Missing, MissingFails: t.MissingFails,
			Process: cmp.Or(t.Process, strings.Join(t.CommandLine, " ")), CommandLine: len(t.CommandLine) > 0,
			AtLeast: t.AtLeast, AtMost: t.AtMost,
			Interval: t.Interval, Rise: t.Rise, Fall: t.Fall, UpDelay: t.UpDelay, DownDelay: t.DownDelay,
		}
		if t.Interface != "" {
			spec.Interface = self.Interface(t.Interface)
		}
		if spec.Kind == track.Process {
			spec.AtLeast = max(1, t.AtLeast)
		}
		specs = append(specs, spec)
	}
	return specs
}

// Uses returns what tracks mean to a group.
func Uses(n fsm.Needs) []track.Use {
	uses := make([]track.Use, len(n.Uses))
	for i, u := range n.Uses {
		uses[i] = track.Use{Track: u.Track, Require: u.Require, Score: u.Score, Reverse: u.Reverse}
	}
	return uses
}

// Hooks returns the hooks of every group, with the addresses that they are told.
func Hooks(cfg fsm.Config) map[string]hook.Group {
	groups := map[string]hook.Group{}
	for _, g := range cfg.Groups() {
		var out hook.Group
		for _, h := range g.Needs.Hooks {
			on := make([]hook.State, len(h.On))
			for i, s := range h.On {
				on[i] = hook.State(s)
			}
			out.Hooks = append(out.Hooks, hook.Hook{Name: h.Name, On: on, Command: h.Command, User: h.User, Timeout: h.Timeout})
		}
		for _, r := range g.Routers {
			out.Addresses = append(out.Addresses, r.Virtual()...)
		}
		groups[g.Name] = out
	}
	return groups
}
