package address

import (
	"maps"
	"net/netip"
)

// view is what a watcher has told of so far. It does no I/O.
type view struct {
	links   map[int]link
	entries map[place]bool
	routes  map[Route]Route // of ours, by what the kernel keeps one of
	rules   map[Rule]bool   // of ours
}

// place is one address by the index of its interface, whose name may change.
type place struct {
	index  int
	prefix netip.Prefix
}

func newView() *view {
	return &view{links: map[int]link{}, entries: map[place]bool{}, routes: map[Route]Route{}, rules: map[Rule]bool{}}
}

func placeOf(e entry) place { return place{e.index, e.prefix} }

// apply returns what one message of the kernel changes. A message that cannot be read, or is about
// something else, changes nothing.
func (v *view) apply(m message) []Event {
	switch m.kind {
	case kindNewLink, kindDelLink:
		// a bridge tells of its ports with a family of its own, also when one only leaves it
		if len(m.body) == 0 || m.body[0] != familyUnspec {
			return nil
		}
		l, err := parseLink(m.body)
		if err != nil {
			return nil
		}
		if m.kind == kindDelLink {
			return v.lost(l.index)
		}
		return v.link(l)
	case kindNewAddr, kindDelAddr:
		e, err := parseEntry(m.body)
		if err != nil {
			return nil
		}
		if m.kind == kindDelAddr {
			return v.removed(placeOf(e))
		}
		if e.has(flagDADFailed) && e.v6() {
			return v.removed(placeOf(e)) // it is there, and of no use
		}
		v.entries[placeOf(e)] = true
	case kindNewRoute, kindDelRoute:
		return v.route(m)
	case kindNewRule, kindDelRule:
		return v.rule(m)
	}
	return nil
}

// route takes note of a route. One that replaces ours is the end of ours.
func (v *view) route(m message) []Event {
	r, ok := parseRoute(m.body, func(index int) string { return v.links[index].name })
	old, known := v.routes[r.place()]
	switch {
	case !ok:
	case m.kind == kindDelRoute && r.ours:
		delete(v.routes, r.place())
		return []Event{{RemovedRoute: r.Route}}
	case m.kind == kindNewRoute && r.ours:
		v.routes[r.place()] = r.Route
	case m.kind == kindNewRoute && known && m.flags&flagReplace != 0:
		delete(v.routes, r.place())
		return []Event{{RemovedRoute: old}}
	}
	return nil
}

func (v *view) rule(m message) []Event {
	r, ours := parseRule(m.body)
	switch {
	case !ours:
	case m.kind == kindDelRule:
		delete(v.rules, r)
		return []Event{{RemovedRule: r}}
	default:
		v.rules[r] = true
	}
	return nil
}

// link takes note of an interface's state. An interface with a new name is one that went and one
// that came.
func (v *view) link(l link) []Event {
	old, known := v.links[l.index]
	v.links[l.index] = l
	switch {
	case known && old.name == l.name && old.flags&linkState == l.flags&linkState:
		return nil
	case known && old.name != l.name:
		return []Event{{Interface: old.name}, {Interface: l.name, Up: l.up()}}
	}
	return []Event{{Interface: l.name, Up: l.up()}}
}

// lost takes note of an interface that is no more, and its addresses with it.
func (v *view) lost(index int) []Event {
	old, known := v.links[index]
	if !known {
		return nil
	}
	events := []Event{{Interface: old.name}}
	old.flags = 0
	v.links[index] = old
	for p := range v.entries {
		if p.index == index {
			events = append(events, v.removed(p)...)
		}
	}
	delete(v.links, index)
	return events
}

func (v *view) removed(p place) []Event {
	delete(v.entries, p)
	l, known := v.links[p.index]
	if !known {
		return nil
	}
	return []Event{{
		Interface: l.name, Up: l.up(),
		Removed: Address{Interface: l.name, Prefix: p.prefix},
	}}
}

// list returns how whole lists differ from what was known, and takes note of them.
func (v *view) list(links map[int]link, have map[int][]entry, paths kernelPaths) []Event {
	var events []Event
	for index := range maps.Clone(v.links) {
		if _, ok := links[index]; !ok {
			events = append(events, v.lost(index)...)
		}
	}
	for _, l := range links {
		events = append(events, v.link(l)...)
	}
	now := map[place]bool{}
	for _, entries := range have {
		for _, e := range entries {
			if !e.v6() || !e.has(flagDADFailed) {
				now[placeOf(e)] = true
			}
		}
	}
	for p := range maps.Clone(v.entries) {
		if !now[p] {
			events = append(events, v.removed(p)...)
		}
	}
	v.entries = now
	return append(events, v.paths(paths)...)
}

func (v *view) paths(have kernelPaths) []Event {
	var events []Event
	routes, rules := map[Route]Route{}, map[Rule]bool{}
	for _, r := range have.routes {
		routes[r.place()] = r.Route
	}
	for _, r := range have.rules {
		rules[r] = true
	}
	for place, r := range v.routes {
		if _, ok := routes[place]; !ok {
			events = append(events, Event{RemovedRoute: r})
		}
	}
	for r := range v.rules {
		if !rules[r] {
			events = append(events, Event{RemovedRule: r})
		}
	}
	v.routes, v.rules = routes, rules
	return events
}
