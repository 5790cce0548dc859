package fsm

import (
	"maps"
	"slices"
)

// Delta is what turns one configuration into another: the routers, sync groups, services and tracks that
// are another then, by name; nil is one that is not there any more. What it does not name stays.
type Delta struct {
	Routers    map[string]*Router    `json:"routers,omitempty"`
	SyncGroups map[string]*SyncGroup `json:"sync_groups,omitempty"`
	Services   map[string]*Service   `json:"services,omitempty"`
	Tracks     map[string]*Track     `json:"tracks,omitempty"`
}

// Empty reports whether nothing changes.
func (d Delta) Empty() bool {
	return len(d.Routers)+len(d.SyncGroups)+len(d.Services)+len(d.Tracks) == 0
}

// Apply returns the configuration that a delta leads to. It shares with the old one what did not change.
func (d Delta) Apply(c Config) Config {
	return Config{
		Routers: changed(c.Routers, d.Routers), SyncGroups: changed(c.SyncGroups, d.SyncGroups),
		Services: edited(c.Services, d.Services), Tracks: changed(c.Tracks, d.Tracks),
	}
}

// Back returns what leads back to a configuration after a delta was applied to it.
func (d Delta) Back(c Config) Delta {
	return Delta{
		Routers: were(in(c.Routers), d.Routers), SyncGroups: were(in(c.SyncGroups), d.SyncGroups),
		Services: were(c.Services.Lookup, d.Services), Tracks: were(in(c.Tracks), d.Tracks),
	}
}

// Part returns of a configuration what a delta names.
func (d Delta) Part(c Config) Config {
	return Delta{
		Routers: were(in(c.Routers), d.Routers), SyncGroups: were(in(c.SyncGroups), d.SyncGroups),
		Services: were(c.Services.Lookup, d.Services), Tracks: were(in(c.Tracks), d.Tracks),
	}.Apply(Config{})
}

// Puts returns what a delta puts into a configuration: of the one that it leads to, what it names.
func (d Delta) Puts() Config { return d.Apply(Config{}) }

// size is how much a delta weighs: things, and the servers and checks in them.
func (d Delta) size() int {
	n := len(d.Routers) + len(d.SyncGroups) + len(d.Services) + len(d.Tracks)
	for _, s := range d.Services {
		if s != nil {
			n += len(s.Servers) + len(s.Checks)
		}
	}
	return n
}

// feed names all that a delta changes.
func (d Delta) feed() []Change {
	var all []Change
	for _, kind := range []struct {
		kind  ChangeKind
		names []string
	}{
		{RouterChanged, slices.Sorted(maps.Keys(d.Routers))}, {GroupChanged, slices.Sorted(maps.Keys(d.SyncGroups))},
		{ServiceChanged, slices.Sorted(maps.Keys(d.Services))}, {TrackChanged, slices.Sorted(maps.Keys(d.Tracks))},
	} {
		for _, name := range kind.names {
			all = append(all, Change{Kind: kind.kind, Name: name})
		}
	}
	return all
}

func changed[T any](m map[string]T, by map[string]*T) map[string]T {
	if len(by) == 0 {
		return m
	}
	next := maps.Clone(m)
	if next == nil {
		next = make(map[string]T, len(by))
	}
	for name, v := range by {
		if v == nil {
			delete(next, name)
		} else {
			next[name] = *v
		}
	}
	if len(next) == 0 {
		return nil
	}
	return next
}

// edited is [changed] of a map that is not copied.
func edited[T any](m Map[T], by map[string]*T) Map[T] {
	for name, v := range by {
		if v == nil {
			m = m.Without(name)
		} else {
			m = m.With(name, *v)
		}
	}
	return m
}

func were[T any](was func(string) (T, bool), by map[string]*T) map[string]*T {
	if len(by) == 0 {
		return nil
	}
	old := make(map[string]*T, len(by))
	for name := range by {
		old[name] = nil
		if v, ok := was(name); ok {
			old[name] = &v
		}
	}
	return old
}

func in[T any](m map[string]T) func(string) (T, bool) {
	return func(name string) (T, bool) {
		v, ok := m[name]
		return v, ok
	}
}
