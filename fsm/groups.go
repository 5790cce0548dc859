package fsm

import (
	"fmt"
	"maps"
	"slices"
)

// SetIntent begins a planned move. It changes no priority: To will ask the owner to yield, and the
// outcome is a [SetOwner].
type SetIntent struct {
	Group  string
	Intent Intent
}

func (SetIntent) kind() string { return "set-intent/1" }

func (c SetIntent) apply(s State) (State, []Change, error) {
	g, err := s.group(c.Group)
	switch {
	case err != nil:
		return s, nil, err
	case c.Intent.Epoch != g.Epoch+1:
		return s, nil, fmt.Errorf("move of %s in epoch %d, the group is at %d: %w", c.Group, c.Intent.Epoch, g.Epoch, ErrStale)
	case g.Intent != nil && g.Intent.To != c.Intent.To:
		return s, nil, fmt.Errorf("%s is moving to %s already: %w", c.Group, g.Intent.To, ErrStale)
	case s.Members[c.Intent.To].Name == "":
		return s, nil, fmt.Errorf("member %s: %w", c.Intent.To, ErrNotFound)
	}
	intent := c.Intent
	g.Intent = &intent
	s.setGroup(c.Group, g)
	return s, []Change{{IntentChanged, c.Group, fmt.Sprintf("%s is to move from %s to %s: %s", c.Group, orNobody(g.Owner), intent.To, intent.Reason)}}, nil
}

// DropIntent ends a planned move that did not happen. Nothing else has changed.
type DropIntent struct {
	Group  string
	Epoch  uint64 // of the intent
	Reason string
}

func (DropIntent) kind() string { return "drop-intent/1" }

func (c DropIntent) apply(s State) (State, []Change, error) {
	g, err := s.group(c.Group)
	if err != nil {
		return s, nil, err
	}
	if g.Intent == nil || g.Intent.Epoch != c.Epoch {
		return s, nil, fmt.Errorf("intent of %s in epoch %d: %w", c.Group, c.Epoch, ErrStale)
	}
	to := g.Intent.To
	g.Intent = nil
	s.setGroup(c.Group, g)
	return s, []Change{{IntentChanged, c.Group, fmt.Sprintf("%s does not move to %s: %s", c.Group, to, c.Reason)}}, nil
}

// SetOwner names the owner of a group in the next epoch: the outcome of a planned move, or the
// confirmation of a director that VRRP made owner.
type SetOwner struct {
	Group  string
	Owner  string
	Epoch  uint64 // one above the group's
	Reason string
}

func (SetOwner) kind() string { return "set-owner/1" }

func (c SetOwner) apply(s State) (State, []Change, error) {
	g, err := s.group(c.Group)
	switch {
	case err != nil:
		return s, nil, err
	case c.Epoch != g.Epoch+1:
		return s, nil, fmt.Errorf("owner of %s in epoch %d, the group is at %d: %w", c.Group, c.Epoch, g.Epoch, ErrStale)
	case s.Members[c.Owner].Name == "":
		return s, nil, fmt.Errorf("member %s: %w", c.Owner, ErrNotFound)
	}
	before := ""
	if g.Owner != "" { // else the reason says whose its routers were
		before = ", before: " + g.Owner
	}
	text := fmt.Sprintf("%s owns %s in epoch %d%s: %s", c.Owner, c.Group, c.Epoch, before, c.Reason)
	order := slices.DeleteFunc(slices.Clone(g.Order), func(n string) bool { return n == c.Owner })
	if _, member := s.Members[g.Owner]; member && g.Owner != c.Owner {
		order = append(order, g.Owner) // last: whoever lost it has to come back first
	}
	forced := g.Intent != nil && g.Intent.To == c.Owner && g.Intent.Forced
	s.setGroup(c.Group, Ownership{Owner: c.Owner, Epoch: c.Epoch, Order: order, Reason: c.Reason, Forced: forced})
	return s, []Change{{OwnerChanged, c.Group, text}}, nil
}

// SetOrder sets the successors of a group, best first, while it is in Epoch.
type SetOrder struct {
	Group string
	Epoch uint64
	Order []string
}

func (SetOrder) kind() string { return "set-order/1" }

func (c SetOrder) apply(s State) (State, []Change, error) {
	g, err := s.group(c.Group)
	if err != nil {
		return s, nil, err
	}
	if g.Epoch != c.Epoch {
		return s, nil, fmt.Errorf("order of %s in epoch %d, the group is at %d: %w", c.Group, c.Epoch, g.Epoch, ErrStale)
	}
	g.Order = slices.Clone(c.Order)
	s.setGroup(c.Group, g)
	return s, []Change{{OrderChanged, c.Group, fmt.Sprintf("successors of %s: %v", c.Group, c.Order)}}, nil
}

func (s *State) group(name string) (Ownership, error) {
	g, ok := s.Groups[name]
	if !ok {
		return g, fmt.Errorf("group %s: %w", name, ErrNotFound)
	}
	return g, nil
}

// setGroup replaces one group in a copy of the map.
func (s *State) setGroup(name string, g Ownership) {
	groups := maps.Clone(s.Groups)
	groups[name] = g
	s.Groups = groups
}

func orNobody(name string) string {
	if name == "" {
		return "nobody"
	}
	return name
}
