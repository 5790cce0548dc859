package placement

import (
	"slices"
	"strings"

	"github.com/quorate/quorate/fsm"
)

// Share is what [Spread] must know of one group.
type Share struct {
	Group string
	Owner string   // or whom it is moving to
	Moves bool     // its policy is to be spread, and it could be moved
	Fit   []string // directors that could own it
}

// Loads returns how many groups each director owns.
func Loads(shares []Share) map[string]int {
	load := map[string]int{}
	for _, s := range shares {
		if s.Owner != "" {
			load[s.Owner]++
		}
	}
	return load
}

// Spread returns which groups should move to whom, so that no group could be moved to a director that owns
// two less than its owner. All groups count, but only those move whose policy it is. Each step takes one from
// the director that owns the most, so no more move than must; and each makes the numbers more even, so there
// is an end to it, and no way back. What is left of the plan when some of it is done is the same.
func Spread(shares []Share) map[string]string {
	shares = slices.Clone(shares)
	slices.SortFunc(shares, func(a, b Share) int { return strings.Compare(a.Group, b.Group) })
	for i := range shares {
		shares[i].Fit = slices.Sorted(slices.Values(shares[i].Fit))
	}
	load, plan := Loads(shares), map[string]string{}
	for {
		best, to, gain := -1, "", 1
		for i, s := range shares {
			if !s.Moves || plan[s.Group] != "" {
				continue
			}
			for _, name := range s.Fit {
				if d := load[s.Owner] - load[name]; name != s.Owner && d > gain {
					best, to, gain = i, name, d
				}
			}
		}
		if best < 0 {
			return plan
		}
		load[shares[best].Owner]--
		load[to]++
		plan[shares[best].Group] = to
	}
}

// ShareOf returns what [Spread] must know of a group.
func ShareOf(s Situation) Share {
	share := Share{Group: s.Group, Owner: s.Log.Owner}
	for _, v := range s.Views {
		if v.fit() {
			share.Fit = append(share.Fit, v.Name)
		}
	}
	if s.Log.Intent != nil {
		share.Owner = s.Log.Intent.To
		return share
	}
	owner := find(s.Views, s.Log.Owner)
	share.Moves = s.Placement.Policy == fsm.Spread && owner != nil && owner.fit() && owner.Active
	return share
}
