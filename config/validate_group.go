package config

import (
	"fmt"
	"maps"
	"slices"

	"github.com/quorate/quorate/fsm"
)

// syncGroups checks the sync groups, whose names share a space with the routers that are in none.
func (v *validator) syncGroups(c fsm.Config) {
	member := make(map[string]string) // router to the path that put it into a group
	routers := slices.Sorted(maps.Keys(c.Routers))
	for name, g := range sorted(c.SyncGroups) {
		o := v.thing("sync_groups", "sync_group", name)
		o.named(name, g.Name)
		if len(g.Routers) == 0 {
			o.wrong(".routers", "", "has no routers")
		}
		for i, r := range g.Routers {
			field := fmt.Sprintf(".routers[%d]", i)
			if _, ok := c.Routers[r]; !ok {
				hint := "there is no router at all"
				if len(routers) > 0 {
					hint = v.suggest(r, routers)
				}
				o.missing(field, hint, "there is no router %q", r)
				continue
			}
			if other, ok := member[r]; ok {
				o.clash(field, other, "a router is in one sync group at most", "router %q is in a sync group already", r)
				continue
			}
			member[r] = o.path + field
			o.ownPlacement(field, c.Routers[r], name)
		}
		o.placement(g.Placement)
		needs := []fsm.Needs{g.Needs}
		for _, r := range g.Routers {
			needs = append(needs, c.Routers[r].Needs)
		}
		o.scoreless(g.Placement, needs...)
		o.addressOwner(g, c.Routers)
		o.needs(g.Needs, c.Tracks)
		if _, ok := c.Routers[name]; ok && !slices.Contains(g.Routers, name) {
			o.clash("", fmt.Sprintf("routers[%q]", name), "groups and routers are named alike in commands", "a router outside of it has the same name")
		}
	}
}

// addressOwner checks that the routers of a group can have one owner.
func (o object) addressOwner(g fsm.SyncGroup, routers map[string]fsm.Router) {
	first := ""
	for i, name := range g.Routers {
		owner := routers[name].AddressOwner
		switch {
		case owner == "":
		case first == "":
			first = name
		case owner != routers[first].AddressOwner:
			o.clash(fmt.Sprintf(".routers[%d]", i), fmt.Sprintf("routers[%q].address_owner", first), "they move together",
				"router %q has address owner %s, and router %q has %s", name, owner, first, routers[first].AddressOwner)
		}
	}
}
