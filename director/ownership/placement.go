package ownership

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/fsm"
)

// View is what the leader knows of one director and one group.
type View struct {
	Name     string
	Alive    bool // it reported lately
	Ready    bool
	Why      string // it is not ready
	Draining bool
	Active   bool          // its VRRP router is Active
	Unready  time.Duration // how long it has not been ready
	Fault    string        // why its routers cannot work, or empty
	Unfit    string        // the requirement of the group that it does not meet, or empty
	Score    int           // of the group's preferences; more is better
}

// fit reports whether a director may be given a group.
func (v View) fit() bool {
	return v.Alive && v.Ready && !v.Draining && v.Unfit == "" && v.Fault == ""
}

// Decision is what the leader is to propose for a group. At most one field is set.
type Decision struct {
	Confirm *fsm.SetOwner
	Move    *fsm.SetIntent
	Drop    *fsm.DropIntent
	Order   *fsm.SetOrder
}

// Limits of patience.
const (
	UnreadyOwner = 5 * time.Second  // an owner that is not ready for longer is moved from
	IntentLife   = 10 * time.Second // a planned move that has no outcome by then did not happen
)

// Place decides for one group: confirm an owner that VRRP made, move away from one that drains or
// is not well, end a move that came to nothing, keep the order of successors. Placement is sticky:
// while the owner is well, nothing moves. Views are in any order; age is how long the intent, if
// there is one, has been in the log.
func Place(group string, g fsm.Ownership, views []View, age time.Duration) Decision {
	views = slices.SortedFunc(slices.Values(views), func(a, b View) int { return strings.Compare(a.Name, b.Name) })
	if d := confirm(group, g, views); d != nil {
		return Decision{Confirm: d}
	}
	if g.Intent != nil {
		if age > IntentLife {
			return Decision{Drop: &fsm.DropIntent{Group: group, Epoch: g.Intent.Epoch, Reason: fmt.Sprintf("%s did not take it within %v", g.Intent.To, IntentLife)}}
		}
		return Decision{}
	}
	order := successors(g, views)
	if why := moveReason(g, views); why != "" {
		for _, name := range order {
			if v := find(views, name); v != nil && v.fit() {
				return Decision{Move: &fsm.SetIntent{Group: group, Intent: fsm.Intent{To: name, Epoch: g.Epoch + 1, Reason: why}}}
			}
		}
	}
	if !slices.Equal(order, g.Order) {
		return Decision{Order: &fsm.SetOrder{Group: group, Epoch: g.Epoch, Order: order}}
	}
	return Decision{}
}

// confirm names a director that is Active without the log's order, once the director that the log
// names no longer says that it owns.
func confirm(group string, g fsm.Ownership, views []View) *fsm.SetOwner {
	var active []string
	for _, v := range views {
		if v.Alive && v.Active {
			active = append(active, v.Name)
		}
	}
	if len(active) != 1 || active[0] == g.Owner {
		return nil // nobody, or more than one: the wire decides first
	}
	reason := "VRRP elected it"
	switch old := find(views, g.Owner); {
	case g.Intent != nil && g.Intent.To == active[0]:
		reason = g.Intent.Reason
	case g.Owner == "":
		reason = "first owner, elected by VRRP"
	case old == nil || !old.Alive:
		reason = g.Owner + " is gone, VRRP elected it"
	case old.Fault != "":
		reason = fmt.Sprintf("%s cannot own it: %s; VRRP elected it", old.Name, old.Fault)
	}
	return &fsm.SetOwner{Group: group, Owner: active[0], Epoch: g.Epoch + 1, Reason: reason}
}

// moveReason says why the group should leave its owner, or "".
func moveReason(g fsm.Ownership, views []View) string {
	v := find(views, g.Owner)
	switch {
	case v == nil || !v.Alive || !v.Active:
		return "" // VRRP takes over from the dead; there is nothing to move from
	case v.Draining:
		return v.Name + " drains"
	case v.Unfit != "":
		return v.Name + " may not own it: " + v.Unfit
	case !v.Ready && v.Unready > UnreadyOwner && !g.Forced:
		return fmt.Sprintf("%s has not been ready for %v", v.Name, UnreadyOwner)
	}
	return ""
}

// successors keeps the order that there is, puts who is fit before who is not and who has a better score
// before who has a worse one, and appends newcomers by name.
func successors(g fsm.Ownership, views []View) []string {
	var names []string
	for _, n := range g.Order {
		if find(views, n) != nil && n != g.Owner {
			names = append(names, n)
		}
	}
	for _, v := range views {
		if v.Name != g.Owner && !slices.Contains(names, v.Name) {
			names = append(names, v.Name)
		}
	}
	slices.SortStableFunc(names, func(a, b string) int {
		va, vb := find(views, a), find(views, b)
		switch fa, fb := va.fit(), vb.fit(); {
		case fa && !fb:
			return -1
		case fb && !fa:
			return 1
		}
		return cmp.Compare(vb.Score, va.Score)
	})
	return names
}

func find(views []View, name string) *View {
	for i := range views {
		if views[i].Name == name {
			return &views[i]
		}
	}
	return nil
}
