package placement

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/quorate/quorate/fsm"
)

// Wish is where a group's policy would have it, and why. It is empty while the group is where it should be.
type Wish struct {
	To     string
	Reason string
}

// Wished returns what a group's policy wishes. Nothing is wished of a group that nobody serves, or that is
// moving.
func Wished(s Situation) Wish {
	owner := find(s.Views, s.Log.Owner)
	if owner == nil || !owner.Alive || !owner.Active || s.Log.Intent != nil {
		return Wish{}
	}
	switch s.Placement.Policy {
	case fsm.Leader:
		return s.wishLeader()
	case fsm.Pinned:
		return s.wishPinned()
	case fsm.Score:
		return s.wishScore(*owner)
	case fsm.Spread:
		if v := find(s.Views, s.Spread); v != nil && v.fit() && s.Spread != owner.Name {
			return Wish{s.Spread, fmt.Sprintf("%s owns %d groups, %s owns %d", owner.Name, s.Load[owner.Name], s.Spread, s.Load[s.Spread])}
		}
	}
	return Wish{}
}

func (s Situation) wishLeader() Wish {
	v := find(s.Views, s.Leader)
	if v == nil || !v.fit() || s.Leader == s.Log.Owner {
		return Wish{}
	}
	return Wish{s.Leader, s.Leader + " leads the cluster"}
}

// wishPinned wishes for the first that is fit of those that come before the owner.
func (s Situation) wishPinned() Wish {
	before := s.Placement.Directors[:s.pinned(s.Log.Owner)]
	name := s.first(before, View.fit)
	if name == "" {
		return Wish{}
	}
	return Wish{name, fmt.Sprintf("it is pinned to %s before %s", name, s.Log.Owner)}
}

// wishScore wishes for the best of those that are better than the owner. Among equals the order of successors
// decides.
func (s Situation) wishScore(owner View) Wish {
	order := successors(s)
	slices.SortStableFunc(order, func(a, b string) int { return cmp.Compare(find(s.Views, b).Score, find(s.Views, a).Score) })
	name := s.first(order, func(v View) bool { return v.fit() && v.Score > owner.Score })
	if name == "" {
		return Wish{}
	}
	return Wish{name, fmt.Sprintf("%s has a score of %d, %s one of %d", name, find(s.Views, name).Score, owner.Name, owner.Score)}
}

// Wishes remember since when the policy of each group has wished for the same director. A wish begins
// anew when the group has another owner: so what has moved by a wish is not moved again by one for as long
// as a wish must last.
type Wishes struct {
	byGroup map[string]lasting
}

type lasting struct {
	to    string
	epoch uint64
	since time.Time
}

// Look returns how long the wish of a group in an epoch has lasted at time now.
func (p *Wishes) Look(group string, epoch uint64, w Wish, now time.Time) time.Duration {
	if p.byGroup == nil {
		p.byGroup = map[string]lasting{}
	}
	was, ok := p.byGroup[group]
	if !ok || was.to != w.To || was.epoch != epoch {
		was = lasting{w.To, epoch, now}
		p.byGroup[group] = was
	}
	return now.Sub(was.since)
}

// Again has the wish of a group begin anew: it was tried, and came to nothing.
func (p *Wishes) Again(group string) { delete(p.byGroup, group) }
