package placement

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/director/ownership"
	"github.com/quorate/quorate/fsm"
)

// needed returns whom a group must move to, and why; empty if it need not move, or nobody could take it.
// No hold time is waited for.
func needed(s Situation, order []string) (to, why string) {
	able := View.fit
	if why = silentOwner(s); why != "" {
		able = func(v View) bool { return v.fit() && v.Hears == s.Log.Owner }
	} else {
		why = unwell(s)
	}
	if why == "" {
		return "", ""
	}
	to = s.first(ranked(s, order), able)
	if to == "" {
		return "", ""
	}
	return to, why
}

// first returns the first of some that is able to, but for those that did not take the group lately: they come last. Why one
// did not may last, and the leader may not see it, as that it is cut off on a segment.
func (s Situation) first(names []string, able func(View) bool) string {
	is := func(name string) bool {
		v := find(s.Views, name)
		return v != nil && able(*v)
	}
	willing := func(name string) bool { return is(name) && find(s.Views, name).Refused == "" }
	return cmp.Or(ownership.First(names, willing), ownership.First(names, is))
}

// unwell says why a group must leave an owner that answers, or is empty.
func unwell(s Situation) string {
	v := find(s.Views, s.Log.Owner)
	switch {
	case v == nil || !v.Alive || !v.Active:
		return "" // VRRP takes over from the dead; there is nothing to move from
	case v.Draining:
		return v.Name + " drains"
	case v.Unfit != "":
		return v.Name + " may not own it: " + v.Unfit
	case unproven(s) != "":
		return v.Name + " owns it, and " + unproven(s) + " get no answer for its address"
	case !v.Ready && v.Unready > UnreadyOwner && (!s.Log.Forced || s.WasReady):
		return fmt.Sprintf("%s has not been ready for %v", v.Name, UnreadyOwner)
	}
	return ""
}

// unproven names those that hear the owner and get no answer for its address, if they are two at least and no
// other gets one; else it is empty. One may be wrong by itself.
func unproven(s Situation) string {
	var names []string
	for _, v := range s.Views {
		switch {
		case !v.Alive || v.Name == s.Log.Owner || v.Hears != s.Log.Owner:
		case !v.Unproven:
			return ""
		default:
			names = append(names, v.Name)
		}
	}
	if len(names) < 2 {
		return ""
	}
	return strings.Join(names, " and ")
}

// silentOwner says why a group must leave an owner whose control is away or cut off while its keeper serves:
// nobody's health checks count there. It is empty if the owner answers, if it is not heard either, which is
// for VRRP to settle, or if the silence may be the leader's own.
func silentOwner(s Situation) string {
	v := find(s.Views, s.Log.Owner)
	if v == nil || v.Silent <= Grace || !s.Sound {
		return ""
	}
	var heard []string
	for _, other := range s.Views {
		if other.Alive && other.Silent <= Grace && other.Name != v.Name && other.Hears == v.Name {
			heard = append(heard, other.Name)
		}
	}
	if len(heard) == 0 {
		return ""
	}
	return fmt.Sprintf("control of %s has not answered for %v; its adverts are heard by %s", v.Name, Grace, strings.Join(heard, ", "))
}

// Sound reports whether a leader that does not hear the owner of a group may put that down to the owner: it
// hears most of the members that are neither, and has led for long enough to have heard them. Silent is for how
// long nothing came from the agent of each other member.
func Sound(silent map[string]time.Duration, leader, owner string, led time.Duration) bool {
	others, heard := 0, 0
	for name, d := range silent {
		if name == leader || name == owner {
			continue
		}
		others++
		if d <= Grace {
			heard++
		}
	}
	return led > Grace && 2*heard > others
}

// ranked is the order in which the successors are asked to take a group that must move: the policy's, so
// that it need not move a second time.
func ranked(s Situation, order []string) []string {
	order = slices.Clone(order)
	switch s.Placement.Policy {
	case fsm.Leader:
		slices.SortStableFunc(order, func(a, b string) int { return -compareBool(a == s.Leader, b == s.Leader) })
	case fsm.Spread:
		slices.SortStableFunc(order, func(a, b string) int { return cmp.Compare(s.Load[a], s.Load[b]) })
	}
	return order
}
