package keepalived

import (
	"fmt"

	"github.com/quorate/quorate/fsm"
)

// effective is what a use comes to: its own weight and direction, else those of what it tracks.
func (h *host) effective(u use) (weight int, reverse bool) {
	t := h.track(u.kind, u.name)
	if t != nil {
		weight, reverse = t.weight, t.reverse
	}
	if u.weight != nil {
		weight = *u.weight
	}
	if u.reverse != nil {
		reverse = *u.reverse
	}
	return weight, reverse != (t != nil && t.absent)
}

// tracks reports whether one of some uses is of the same thing as another.
func tracks(uses []use, u use) (use, bool) {
	for _, o := range uses {
		if o.kind == u.kind && o.name == u.name {
			return o, true
		}
	}
	return use{}, false
}

// uses reports whether something of the file tracks it.
func (h *host) uses(t *track) bool {
	u := use{kind: t.Kind, name: t.Name}
	for _, g := range h.groups {
		if _, ok := tracks(g.uses, u); ok {
			return true
		}
	}
	for _, i := range h.instances {
		if _, ok := tracks(i.uses, u); ok {
			return true
		}
	}
	return false
}

// ofGroup reports whether the sync group of an instance tracks the same thing itself: then that counts instead of a weight.
func (h *host) ofGroup(u use, group string) bool {
	for _, g := range h.groups {
		if _, ok := tracks(g.uses, u); ok && g.name == group {
			return true
		}
	}
	return false
}

// counts reports whether a weight that an instance tracks counts with this one in its sync group, and if not why. keepalived
// moves a group only when each of its instances is to move: so a weight counts that all of them have, and once. Those are
// the instances that are carried over: with one that is not complete keepalived does not start.
func (m *model) counts(u use, i *instance, group string) (ok bool, fate Fate, why string) {
	weight, reverse := m.host.effective(u)
	var leads *instance
	for _, other := range m.host.instances {
		if m.grouped[other.name] != group || !m.complete(other) {
			continue
		}
		if leads == nil && !other.rests(u) {
			leads = other
		}
		o, found := tracks(other.uses, u)
		if w, r := m.host.effective(o); !found || w != weight || r != reverse {
			return false, Dropped, fmt.Sprintf("not every instance of %s tracks %s with that weight, and keepalived moves a sync group only when each of its instances is to move", group, u.name)
		}
	}
	if leads != i {
		return false, Carried, "`prefer`, once for its sync group, all of which tracks it"
	}
	return true, "", ""
}

// rests reports whether an instance is on the interface that it tracks, which needs no saying.
func (i *instance) rests(u use) bool { return u.kind == fsm.TrackInterface && u.name == i.iface }

// within says what the sync group of an instance makes of what that tracks. False: there is nothing more of it. What an
// instance tracks without a weight it requires, whatever its group says of the same.
func (m *model) within(u use, i *instance, keyword string, weight *int) bool {
	group, grouped := m.grouped[i.name]
	n := m.host.notes
	switch {
	case !grouped || *weight == 0:
	case !m.weighs[group] && (u.kind == fsm.TrackInterface || u.kind == fsm.TrackFile && *weight == 1):
		*weight = 0
		n.Carried(u.Place, keyword, "`require`: in a sync group without sync_group_tracking_weight keepalived counts its weight as 0")
	case m.host.ofGroup(u, group):
		n.Carried(u.Place, keyword, "what its sync group says of %s counts, as in keepalived", u.name)
		return false
	case m.weighs[group] || u.kind == fsm.TrackProcess: // whose weights keepalived does not take away
		ok, fate, why := m.counts(u, i, group)
		if !ok {
			n.Add(fate, u.Place, keyword, why)
		}
		return ok
	default:
		n.Dropped(u.Place, keyword, "%s has a weight, and %s is in a sync group without sync_group_tracking_weight: keepalived leaves it out too", u.name, i.name)
		return false
	}
	return true
}

// weighed says what a weight comes to where some host has priority 255, which nothing moves. False: there is nothing of it.
func (m *model) weighed(u use, name string, i *instance, keyword string, weight *int) bool {
	n := m.host.notes
	switch {
	case *weight == 0 || !m.owned(name, i):
		return true
	case i == nil || u.kind == fsm.TrackFile && *weight == 1:
		*weight = 0
		n.Differs(u.Place, keyword, "`require`, of all hosts: of the one with priority 255 keepalived counts its weight as 0")
		return true
	case i.rank() == 255:
		n.Carried(u.Place, keyword, "nothing: weights do not count for the owner of the addresses, as in keepalived")
	case !m.all.third:
		n.Carried(u.Place, keyword, "nothing: the owner of the addresses has them whenever it can, and there is no third host to choose")
	default:
		n.Dropped(u.Place, keyword, "the owner of the addresses has them whenever it can, and the others are chosen by their `score` alone")
	}
	return false
}

// owned reports whether an instance, or else one of the sync group of a name, has priority 255 on some host.
func (m *model) owned(name string, i *instance) bool {
	if i != nil {
		return m.all.owned[i.name]
	}
	for member, group := range m.grouped {
		if group == name && m.all.owned[member] {
			return true
		}
	}
	return false
}
