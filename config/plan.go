package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/quorate/quorate/fsm"
)

// Verb says what a change does.
type Verb string

// The verbs.
const (
	Add    Verb = "add"
	Modify Verb = "change"
	Remove Verb = "remove"
)

// Kind says what sort of thing a change is about.
type Kind string

// The kinds.
const (
	KindSyncGroup Kind = "sync_group"
	KindRouter    Kind = "router"
	KindPeer      Kind = "peer"
	KindAuth      Kind = "auth"
	KindRoute     Kind = "route"
	KindRule      Kind = "rule"
	KindPlacement Kind = "placement"
	KindDirector  Kind = "director"
	KindRequire   Kind = "require"
	KindPrefer    Kind = "prefer"
	KindHook      Kind = "hook"
	KindTrack     Kind = "track"
	KindService   Kind = "service"
	KindCheck     Kind = "check"
	KindServer    Kind = "server"
	KindFallback  Kind = "fallback"
)

// Change is one thing that differs between two configurations. A service that comes or goes is a
// change by itself, and so are its checks and servers; the same holds for a router and what is in it.
type Change struct {
	Verb   Verb          `json:"verb"`
	Kind   Kind          `json:"kind"`
	Name   string        `json:"name"`             // web; of a service's parts: web/192.168.2.11:80, web/http, web; outside/10.0.0.0/8
	Fields []FieldChange `json:"fields,omitempty"` // in the order of the cluster file
}

// FieldChange is one key that differs. The values are as the cluster file has them; long texts are
// cut, and keys of routers are not shown. Old is empty when a thing is added, New when it is removed.
type FieldChange struct {
	Name string `json:"name"`
	Old  string `json:"old,omitempty"`
	New  string `json:"new,omitempty"`
}

// Diff returns what turns one configuration into another, in the order of [Format]. It is empty if and
// only if the two are equal; that lists are nil or empty, and defaults written down, makes no difference.
func Diff(before, after fsm.Config) []Change {
	var changes []Change
	for name := range sorted(union(before.SyncGroups, after.SyncGroups)) {
		was, had := before.SyncGroups[name]
		is, has := after.SyncGroups[name]
		changes = diffThings(changes, KindSyncGroup, thingIf(had, name, groupAttrs(was)), thingIf(has, name, groupAttrs(is)))
		changes = diffBlocks(changes, KindSyncGroup, name, groupBlocks(was), groupBlocks(is))
	}
	for name := range sorted(union(before.Routers, after.Routers)) {
		was, had := before.Routers[name]
		is, has := after.Routers[name]
		changes = diffThings(changes, KindRouter, thingIf(had, name, routerAttrs(was)), thingIf(has, name, routerAttrs(is)))
		changes = diffBlocks(changes, KindRouter, name, routerBlocks(was), routerBlocks(is))
	}
	for name := range sorted(union(before.Tracks, after.Tracks)) {
		was, had := before.Tracks[name]
		is, has := after.Tracks[name]
		changes = diffThings(changes, KindTrack, trackThing(name, was, had), trackThing(name, is, has))
	}
	for _, name := range slices.Sorted(after.Services.Since(before.Services)) {
		was, had := before.Services.Lookup(name)
		is, has := after.Services.Lookup(name)
		changes = diffThings(changes, KindService, thingIf(had, name, serviceAttrs(was)), thingIf(has, name, serviceAttrs(is)))
		changes = orderChanges(changes, KindService, name, []order{
			{"checks", checkThings("", was), checkThings("", is)},
			{"servers", serverThings("", was), serverThings("", is)},
		})
		changes = diffThings(changes, KindCheck, checkThings(name, was), checkThings(name, is))
		changes = diffThings(changes, KindServer, serverThings(name, was), serverThings(name, is))
		changes = diffThings(changes, KindFallback, fallbackThing(name, was), fallbackThing(name, is))
	}
	return changes
}

// thing is what a change is about.
type thing struct {
	name  string
	attrs []attr
}

// thingIf returns a thing, or nothing if it is not there.
func thingIf(there bool, name string, attrs []attr) []thing {
	if !there {
		return nil
	}
	return []thing{{name, attrs}}
}

func trackThing(name string, t fsm.Track, there bool) []thing {
	kind := attr{name: "kind", value: quote(string(t.Kind))}
	return thingIf(there, name, append([]attr{kind}, trackAttrs(t)...))
}

func checkThings(service string, s fsm.Service) (all []thing) {
	seen := make(map[string]int)
	for _, c := range s.Checks {
		all = append(all, thing{numbered(service+"/"+string(c.Kind), seen), checkAttrs(c)})
	}
	return all
}

func serverThings(service string, s fsm.Service) (all []thing) {
	seen := make(map[string]int)
	for _, server := range s.Servers {
		all = append(all, thing{numbered(service+"/"+formatEndpoint(server.Address), seen), serverAttrs(server)})
	}
	return all
}

func fallbackThing(service string, s fsm.Service) []thing {
	if s.Fallback == nil {
		return nil
	}
	address := attr{name: "address", value: quote(formatEndpoint(s.Fallback.Address))}
	return []thing{{service, append([]attr{address}, fallbackAttrs(*s.Fallback)...)}}
}

// numbered makes the second of two equal names another one: web/http#2.
func numbered(name string, seen map[string]int) string {
	seen[name]++
	if n := seen[name]; n > 1 {
		return fmt.Sprintf("%s#%d", name, n)
	}
	return name
}

// diffThings appends what is added or changed, in the order of after, then what is removed.
func diffThings(changes []Change, kind Kind, before, after []thing) []Change {
	was := make(map[string]thing, len(before))
	for _, t := range before {
		was[t.name] = t
	}
	is := make(map[string]bool, len(after))
	for _, t := range after {
		is[t.name] = true
		old, ok := was[t.name]
		if !ok {
			changes = append(changes, Change{Add, kind, t.name, diffAttrs(nil, t.attrs)})
		} else if fields := diffAttrs(old.attrs, t.attrs); len(fields) > 0 {
			changes = append(changes, Change{Modify, kind, t.name, fields})
		}
	}
	for _, t := range before {
		if !is[t.name] {
			changes = append(changes, Change{Remove, kind, t.name, diffAttrs(t.attrs, nil)})
		}
	}
	return changes
}

// diffAttrs compares two lists of the same kind of thing; one of them may be nil.
func diffAttrs(before, after []attr) []FieldChange {
	var fields []FieldChange
	for i := range max(len(before), len(after)) {
		var old, now attr
		if before != nil {
			old = before[i]
		}
		if after != nil {
			now = after[i]
		}
		if before != nil && after != nil {
			if old.value != now.value {
				fields = append(fields, FieldChange{now.name, old.shown(), now.shown()})
			}
			continue
		}
		if one := append(before, after...)[i]; !one.plain {
			fields = append(fields, FieldChange{one.name, old.shown(), now.shown()})
		}
	}
	return fields
}

func (a attr) shown() string {
	if a.text != "" {
		return a.text
	}
	return a.value
}

// order is a list whose order can be told.
type order struct {
	name          string
	before, after []thing
}

// orderChanges adds a change of the order of a thing's parts to the change of the thing itself. The order matters to hooks; that of
// servers is kept for who reads it.
func orderChanges(changes []Change, kind Kind, name string, lists []order) []Change {
	var fields []FieldChange
	for _, list := range lists {
		before, after := common(list.before, list.after), common(list.after, list.before)
		if !slices.Equal(before, after) {
			fields = append(fields, FieldChange{"order of " + list.name, strings.Join(before, ", "), strings.Join(after, ", ")})
		}
	}
	if len(fields) == 0 {
		return changes
	}
	if n := len(changes); n > 0 && changes[n-1].Kind == kind && changes[n-1].Name == name {
		changes[n-1].Fields = append(changes[n-1].Fields, fields...)
		return changes
	}
	return append(changes, Change{Modify, kind, name, fields})
}

// common returns the names in a that are in b too, in a's order.
func common(a, b []thing) []string {
	in := make(map[string]bool, len(b))
	for _, t := range b {
		in[t.name] = true
	}
	var names []string
	for _, t := range a {
		if in[t.name] {
			names = append(names, strings.TrimPrefix(t.name, "/"))
		}
	}
	return names
}

func union[T any](a, b map[string]T) map[string]T {
	both := make(map[string]T, max(len(a), len(b)))
	maps.Copy(both, a)
	maps.Copy(both, b)
	return both
}
