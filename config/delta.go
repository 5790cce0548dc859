package config

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/quorate/quorate/fsm"
)

// Delta returns what turns one configuration into another: the routers, sync groups, services and tracks in which [Diff] finds a
// change, each as a whole.
func Delta(before, after fsm.Config) fsm.Delta {
	was, is := apart(before.Services, after.Services)
	return fsm.Delta{
		Routers:    differing(before.Routers, after.Routers, func(m map[string]fsm.Router) fsm.Config { return fsm.Config{Routers: m} }),
		SyncGroups: differing(before.SyncGroups, after.SyncGroups, func(m map[string]fsm.SyncGroup) fsm.Config { return fsm.Config{SyncGroups: m} }),
		Services:   differing(was, is, func(m map[string]fsm.Service) fsm.Config { return fsm.Config{Services: fsm.MapOf(m)} }),
		Tracks:     differing(before.Tracks, after.Tracks, func(m map[string]fsm.Track) fsm.Config { return fsm.Config{Tracks: m} }),
	}
}

// apart returns what is another in one of two maps than in the other.
func apart[T any](before, after fsm.Map[T]) (was, is map[string]T) {
	was, is = make(map[string]T), make(map[string]T)
	for name := range after.Since(before) {
		old, had := before.Lookup(name)
		v, has := after.Lookup(name)
		if had && has && reflect.DeepEqual(old, v) {
			continue
		}
		if had {
			was[name] = old
		}
		if has {
			is[name] = v
		}
	}
	return was, is
}

// differing returns the new values of what is not equal, nil for what is gone; nil if all is equal.
func differing[T any](before, after map[string]T, alone func(map[string]T) fsm.Config) map[string]*T {
	d := make(map[string]*T)
	for name, is := range after {
		was, ok := before[name]
		if ok && reflect.DeepEqual(was, is) { // quick; where it only sees an empty list in the place of nil, Diff decides
			continue
		}
		if !ok || len(Diff(alone(map[string]T{name: was}), alone(map[string]T{name: is}))) > 0 {
			d[name] = &is
		}
	}
	for name := range before {
		if _, ok := after[name]; !ok {
			d[name] = nil
		}
	}
	if len(d) == 0 {
		return nil
	}
	return d
}

// maxSummary bounds the line that [Summary] makes: it is kept with each revision.
const maxSummary = 200

// Summary describes changes in one line: the first few, and how many more there are.
func Summary(changes []Change) string {
	if len(changes) == 0 {
		return "no change"
	}
	var b strings.Builder
	for i, c := range changes {
		text := c.line()
		if i > 0 && b.Len()+len(text) > maxSummary {
			fmt.Fprintf(&b, ", and %d more", len(changes)-i)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(shortened(text, maxSummary))
	}
	return b.String()
}

// line says in a few words what a change does.
func (c Change) line() string {
	text := fmt.Sprintf("%s %s %s", c.Verb, c.Kind, c.Name)
	if c.Verb != Modify {
		return text
	}
	var fields []string
	for _, f := range c.Fields {
		fields = append(fields, fmt.Sprintf("%s %s -> %s", f.Name, f.Old, f.New))
	}
	return text + " (" + strings.Join(fields, ", ") + ")"
}

// shortened cuts a text between two characters.
func shortened(s string, n int) string {
	if len(s) <= n {
		return s
	}
	cut := 0
	for i := range s {
		if i > n-3 {
			break
		}
		cut = i
	}
	return s[:cut] + "..."
}
