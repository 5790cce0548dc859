// Package placement decides where a group is to be: what the leader proposes to the log, from what it knows of all
// directors and groups. It confirms an owner that VRRP made, moves a group from one that must not or should not own it,
// keeps the order of successors, and answers a person who asks for a move. All of it is pure: what is known goes in, a
// decision with its reason comes out.
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

// View is what the leader knows of one director and one group.
type View struct {
	Name     string
	Alive    bool   // it reported lately
	Gone     string // why it will not answer though it reported lately, or empty
	Ready    bool
	Why      string // it is not ready
	Draining bool
	Active   bool          // its VRRP router is Active
	Epoch    uint64        // that it knows the group to be in
	Unready  time.Duration // how long it has not been ready
	Yielded  string        // why its VRRP router became Backup, or empty
	Fault    string        // why its routers cannot work, or empty
	Unfit    string        // the requirement of the group that it does not meet, or empty
	Refused  string        // that a move of the group to it came to nothing lately, or empty
	Score    int           // of the group's preferences; more is better
	Silent   time.Duration // for how long nothing came from its agent
	Unheard  bool          // its agent has missed three beats: what it said last may be over
	Lacks    bool          // it lacks most of the owner's connections: a crash of that would lose them
	Unproven bool          // it hears the owner, and gets no answer for its address
	Claim    string        // why it has claimed the group, or empty
	Hears    string        // the member that it hears as Active, on every router of the group that hears anybody, or empty
	Claimant string        // who would claim the group again if it were moved from that one, or empty
	Tells    bool          // its version reports that: of one that does not, the claimant is not known
}

// fit reports whether a director may be given a group.
func (v View) fit() bool {
	return v.Alive && v.Silent <= Grace && v.Ready && !v.Draining && v.Unfit == "" && v.Fault == ""
}

// Situation is what the leader knows of one group when it places it.
type Situation struct {
	Group      string
	Log        fsm.Ownership
	Placement  fsm.Placement
	Views      []View         // of the directors that could own it, in any order
	Leader     string         // who places it
	Load       map[string]int // how many groups each director owns, or is about to
	Spread     string         // whom [Spread] would have it on, if on another than its owner
	Sound      bool           // who is silent to the leader is silent by itself: see [Sound]
	Age        time.Duration  // how long the intent, if there is one, has been in the log
	WasReady   bool           // its owner has been ready since it was named: that it has the group by force counts no more
	Lost       string         // why the owner that the log names is not Active any more, as far as it is known
	Unreported time.Duration  // how long whom the log names has heard the same other director own it, which cannot report that
	Before     []string       // who owned its routers as those of other groups, until the configuration put them together anew
	Wished     time.Duration  // how long the policy has wished the group on the same other director: see [Wishes]
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
	// Grace is how long control of an owner may be away, or cut off, before the group is moved from it though
	// it serves: its health checks are frozen.
	Grace = ownership.RestartGrace
)

// Place decides for one group: confirm an owner that VRRP made, whether that one reports it or, as it cannot, others hear it;
// end a move that came to nothing; move away from an owner that drains or is not well; then to the one that the policy has
// wished for long enough; keep the order of successors. Placement is sticky: while neither need nor wish is there, nothing moves.
func Place(s Situation) Decision {
	s.Views = slices.SortedFunc(slices.Values(s.Views), func(a, b View) int { return strings.Compare(a.Name, b.Name) })
	if d := confirm(s); d != nil {
		return Decision{Confirm: d}
	}
	if i := s.Log.Intent; i != nil {
		if s.Age > IntentLife {
			return Decision{Drop: &fsm.DropIntent{Group: s.Group, Epoch: i.Epoch, Reason: fmt.Sprintf("%s did not take it within %v", i.To, IntentLife)}}
		}
		return Decision{}
	}
	if d := heard(s); d != nil {
		return Decision{Confirm: d}
	}
	order := successors(s)
	if to, why := needed(s, order); to != "" {
		return s.move(to, why)
	}
	if w := Wished(s); w.To != "" && s.Wished >= s.Placement.HoldFor() {
		return s.move(w.To, w.Reason)
	}
	if !slices.Equal(order, s.Log.Order) {
		return Decision{Order: &fsm.SetOrder{Group: s.Group, Epoch: s.Log.Epoch, Order: order}}
	}
	return Decision{}
}

func (s Situation) move(to, why string) Decision {
	return Decision{Move: &fsm.SetIntent{Group: s.Group, Intent: fsm.Intent{To: to, Epoch: s.Log.Epoch + 1, Reason: why}}}
}

// confirm names a director that is Active without the log's order, once the director that the log
// names no longer says that it owns.
func confirm(s Situation) *fsm.SetOwner {
	g, views := s.Log, s.Views
	var active []string
	for _, v := range views {
		// Who does not know the epoch yet tells of the time before it.
		if v.Alive && v.Active && v.Silent <= Grace && v.Epoch >= g.Epoch {
			active = append(active, v.Name)
		}
	}
	if len(active) != 1 || active[0] == g.Owner {
		return nil // nobody, or more than one: the wire decides first
	}
	if s.outdated(active[0]) {
		return nil
	}
	old := find(views, g.Owner)
	if old != nil && old.Alive && old.Active && old.Silent <= Grace {
		return nil // it may have owned it before it was named: then its report is only late
	}
	reason := "VRRP elected it"
	switch {
	case g.Intent != nil && g.Intent.To == active[0]:
		reason = g.Intent.Reason
	case find(views, active[0]).Claim != "":
		reason = find(views, active[0]).Claim
	case g.Owner == "" && slices.Equal(s.Before, active):
		reason = "regrouped, stays with " + active[0]
	case g.Owner == "" && len(s.Before) > 0:
		reason = "regrouped, was with " + strings.Join(s.Before, " and ") + "; VRRP elected it"
	case g.Owner == "":
		reason = "first owner, elected by VRRP"
	case old == nil || !old.Alive:
		reason = g.Owner + " is gone, VRRP elected it"
	case old.Fault != "":
		reason = fmt.Sprintf("%s cannot own it: %s; VRRP elected it", old.Name, old.Fault)
	case s.Lost != "":
		reason = fmt.Sprintf("%s lost it: %s; VRRP elected it", old.Name, s.Lost)
	}
	return &fsm.SetOwner{Group: s.Group, Owner: active[0], Epoch: g.Epoch + 1, Reason: reason}
}

// outdated reports whether it is over what a director said last, that it owns the group: it has said nothing since, and all who
// say whom they hear say that it is the one that the log names. If its control alone is away, they hear its keeper.
func (s Situation) outdated(name string) bool {
	if !find(s.Views, name).Unheard {
		return false
	}
	heard := false
	for _, v := range s.Views {
		if v.Name == name || !v.Alive || v.Unheard || v.Hears == "" {
			continue
		}
		if v.Hears != s.Log.Owner {
			return false
		}
		heard = true
	}
	return heard
}

// successors keeps the order that there is, puts who is fit before who is not, then who is pinned before who
// is not, then who has a better score before who has a worse one, then who has the owner's connections before who lacks them,
// and appends newcomers by name.
func successors(s Situation) []string {
	var names []string
	for _, n := range s.Log.Order {
		if find(s.Views, n) != nil && n != s.Log.Owner {
			names = append(names, n)
		}
	}
	for _, v := range s.Views {
		if v.Name != s.Log.Owner && !slices.Contains(names, v.Name) {
			names = append(names, v.Name)
		}
	}
	slices.SortStableFunc(names, func(a, b string) int {
		va, vb := find(s.Views, a), find(s.Views, b)
		return cmp.Or(-compareBool(va.fit(), vb.fit()), cmp.Compare(s.pinned(a), s.pinned(b)), cmp.Compare(vb.Score, va.Score), compareBool(va.Lacks, vb.Lacks))
	})
	return names
}

// pinned is a director's place among those that the group is pinned to, or the place behind them all.
func (s Situation) pinned(name string) int {
	if i := slices.Index(s.Placement.Directors, name); i >= 0 {
		return i
	}
	return len(s.Placement.Directors)
}

// compareBool puts false before true.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

func find(views []View, name string) *View {
	for i := range views {
		if views[i].Name == name {
			return &views[i]
		}
	}
	return nil
}
