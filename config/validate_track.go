package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/quorate/quorate/fsm"
)

// tracks checks each track, and that somebody uses it.
func (v *validator) tracks(c fsm.Config) {
	used := make(map[string]bool)
	for _, g := range c.SyncGroups {
		for _, u := range g.Needs.Uses {
			used[u.Track] = true
		}
	}
	for _, r := range c.Routers {
		for _, u := range r.Needs.Uses {
			used[u.Track] = true
		}
	}
	for name, t := range sorted(c.Tracks) {
		o := v.thing("tracks", "track", name)
		o.named(name, t.Name)
		o.track(t)
		if !used[name] {
			o.lacks("", fmt.Sprintf("add require %q {} to a router or sync group", name), "nobody uses it")
		}
	}
}

// track checks one track by itself.
func (o object) track(t fsm.Track) {
	keys, ok := trackKeys[t.Kind]
	if !ok {
		o.among("kind", string(t.Kind), trackKinds)
		return
	}
	o.only(trackAttrs(t), keys)
	switch t.Kind {
	case fsm.TrackInterface:
		o.iface(".interface", "interface", t.Interface)
	case fsm.TrackScript:
		o.program(t.Command, t.User, "/usr/local/bin/check")
	case fsm.TrackFile:
		o.trackFile(t)
	case fsm.TrackProcess:
		o.trackProcess(t)
	}
	if t.Interval != 0 {
		o.lasts("interval", t.Interval, trackPeriod)
	}
	if t.Timeout != 0 {
		o.lasts("timeout", t.Timeout, trackPeriod)
	}
	for _, n := range []struct {
		field string
		count int
	}{{"rise", t.Rise}, {"fall", t.Fall}} {
		if n.count != 0 {
			o.within(n.field, int64(n.count), countSpan)
		}
	}
	o.lasts("up_delay", t.UpDelay, delayPeriod)
	o.lasts("down_delay", t.DownDelay, delayPeriod)
}

// trackFile checks the fields of a track of a file.
func (o object) trackFile(t fsm.Track) {
	switch {
	case t.Path == "":
		o.wrong(".path", `add path = "/run/quorate/weight"`, "has no path")
	case !strings.HasPrefix(t.Path, "/"):
		o.wrong(".path", "", "path %q is not absolute", t.Path)
	default:
		o.writable(".path", t.Path)
	}
	o.within("missing", int64(t.Missing), missingSpan)
	if t.MissingFails && t.Missing != 0 {
		o.clash(".missing", o.path+".missing_fails", "leave one of them out", "a file that fails when it is missing has no value then")
	}
}

// maxCommandLine is how much of a command line can be told apart.
const maxCommandLine = 4095

// trackProcess checks the fields of a track of processes.
func (o object) trackProcess(t fsm.Track) {
	line := strings.Join(t.CommandLine, " ")
	switch {
	case t.Process == "" && len(t.CommandLine) == 0:
		o.wrong(".process", `add process = "haproxy", or command_line`, "names no process")
	case t.Process != "" && len(t.CommandLine) > 0:
		o.clash(".command_line", o.path+".process", "leave one of them out: the command line has the program in it", "has a process and a command line")
	case strings.ContainsAny(t.Process, "/\n"):
		o.wrong(".process", "the name of the program alone; for more there is command_line", "process %q has a slash or a line break in it", t.Process)
	case len(t.Process) > 255 || len(line) > maxCommandLine:
		o.wrong(".process", "", "is too long: 255 bytes of a name and %d of a command line can be told apart", maxCommandLine)
	}
	o.writable(".process", t.Process)
	for i, arg := range t.CommandLine {
		o.writable(fmt.Sprintf(".command_line[%d]", i), arg)
	}
	for _, n := range []struct {
		field string
		count int
	}{{"at_least", t.AtLeast}, {"at_most", t.AtMost}} {
		if n.count != 0 {
			o.within(n.field, int64(n.count), processesSpan)
		}
	}
	if t.AtMost > 0 && t.AtMost < max(t.AtLeast, defaultTrackCount) {
		o.clash(".at_most", o.path+".at_least", "", "at_most is %d and at_least %d", t.AtMost, t.AtLeast)
	}
}

// needs checks what a router or a sync group asks of its owner.
func (o object) needs(n fsm.Needs, tracks map[string]fsm.Track) {
	seen := make(map[string]string)
	names := slices.Sorted(maps.Keys(tracks))
	for i, u := range n.Uses {
		child := o.part("needs.uses", i, describeUse(u))
		if _, ok := tracks[u.Track]; !ok {
			hint := fmt.Sprintf(`there is no track at all; add track "interface" %q { ... }`, u.Track)
			if len(names) > 0 {
				hint = o.suggest(u.Track, names)
			}
			child.missing("", hint, "there is no track %q", u.Track)
		}
		switch {
		case u.Require && u.Score != 0:
			child.wrong(".score", "leave it out", "score means nothing to it: a director that fails it cannot own at all")
		case u.Require:
		case u.Score == 0:
			child.wrong(".score", "below zero for what counts against a director while it fails, above for what counts for it while it passes", "score 0 moves nothing")
		default:
			child.within("score", int64(u.Score), scoreSpan)
		}
		key := describeUse(u)
		if other, ok := seen[key]; ok {
			child.clash("", other, "", "is there twice")
			continue
		}
		seen[key] = child.path
	}
	o.hooks(n.Hooks)
}

// hooks checks the programs that follow a group's state.
func (o object) hooks(hooks []fsm.Hook) {
	seen := make(map[string]string)
	for i, h := range hooks {
		child := o.part("needs.hooks", i, "hook "+h.Name)
		if !validName(h.Name) {
			child.wrong("", nameHint, "the name %q is not usable", h.Name)
		}
		if other, ok := seen[h.Name]; ok {
			child.clash("", other, "", "is there twice")
		} else {
			seen[h.Name] = child.path
		}
		for k, s := range h.On {
			field := fmt.Sprintf(".on[%d]", k)
			switch {
			case !slices.Contains(hookStates, s):
				child.wrong(field, hintValue(s, hookStates), "on: there is no state %q", s)
			case slices.Contains(h.On[:k], s):
				child.wrong(field, "", "on: %s is there twice", s)
			}
		}
		child.program(h.Command, h.User, "/usr/local/bin/hook")
		if h.Timeout != 0 {
			child.lasts("timeout", h.Timeout, hookPeriod)
		}
	}
}
