package keepalived

import (
	"slices"

	"github.com/quorate/quorate/config/imported"
)

// align gives the instances of another host the names that the first host has for them.
func (p *pair) align(a, b *host) {
	for _, i := range b.instances {
		same := a.named[i.name]
		if same == nil {
			for _, other := range a.instances {
				if b.named[other.name] == nil && alike(i, other) {
					same = other
					p.differ("router "+other.name+": name", []string{other.name, i.name}, []*host{a, b}, []Place{other.Place, i.Place}, "it is called "+other.name)
					b.rename(i, other.name)
					break
				}
			}
		}
		if same != nil {
			i.told = same.rank()
		}
	}
	p.alignGroups(a, b)
}

// alignGroups gives the sync groups of another host the names that the first host has for them: a group is that with
// which it has the most members in common.
func (p *pair) alignGroups(a, b *host) {
	names, taken := make(map[*group]string), make(map[string]bool)
	for _, g := range b.groups {
		var best *group
		most := 0
		for _, other := range a.groups {
			n := 0
			for _, member := range g.members {
				n += boolInt(slices.Contains(other.members, member))
			}
			if !taken[other.name] && (n > most || n > 0 && n == most && other.name == g.name) {
				best, most = other, n
			}
		}
		if best != nil {
			names[g], taken[best.name] = best.name, true
			if best.name != g.name {
				p.differ("sync_group "+best.name+": name", []string{best.name, g.name}, []*host{a, b}, []Place{best.Place, g.Place}, "it is called "+best.name)
			}
		}
	}
	for _, g := range a.groups {
		taken[g.name] = true
	}
	for _, g := range b.groups {
		if names[g] == "" {
			names[g] = imported.Unique(taken, g.name)
			taken[names[g]] = true
		}
	}
	for g, name := range names {
		g.name = name
	}
}

// alike reports whether two instances are one virtual router.
func alike(a, b *instance) bool {
	return a.vrid == b.vrid && len(a.addresses) > 0 && len(b.addresses) > 0 && a.addresses[0].net.Addr() == b.addresses[0].net.Addr()
}

// rename gives an instance another name, in its groups too.
func (h *host) rename(i *instance, name string) {
	for _, g := range h.groups {
		for k := range g.members {
			if g.members[k] == i.name {
				g.members[k] = name
			}
		}
	}
	delete(h.named, i.name)
	i.name = name
	h.named[name] = i
}
