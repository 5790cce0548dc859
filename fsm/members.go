package fsm

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// AdmitMember lets an agent in by a token, which is used up by it. The same agent may be admitted
// again by the same token.
type AdmitMember struct {
	TokenID    string
	SecretHash string    // SHA-256 of the token's secret, hex
	Now        time.Time // the proposer's clock: tokens expire by it
	Member     Member
}

func (AdmitMember) kind() string { return "admit-member/1" }

func (c AdmitMember) apply(s State) (State, []Change, error) {
	for _, m := range s.Members {
		switch {
		case m.ID == c.Member.ID:
			continue
		case m.Name == c.Member.Name:
			return s, nil, fmt.Errorf("the name %s is a member's (ID %s): %w; choose another name, or run `quorate remove %s` first if that host is gone for good", m.Name, m.ID, ErrTaken, m.Name)
		case m.Address == c.Member.Address:
			return s, nil, fmt.Errorf("the address %s is member %s's: %w", m.Address, m.Name, ErrTaken)
		}
	}
	if err := s.spend(c.TokenID, c.SecretHash, c.Now, c.Member); err != nil {
		return s, nil, err
	}
	s.setMember(c.Member)
	s.notFormer(c.Member)
	return s, []Change{{MemberChanged, c.Member.Name, fmt.Sprintf("%s %s admitted from %s", c.Member.Role, c.Member.Name, c.Member.Address)}}, nil
}

// SetMember updates what is known of a member: addresses, version, levels.
type SetMember struct{ Member Member }

func (SetMember) kind() string { return "set-member/1" }

func (c SetMember) apply(s State) (State, []Change, error) {
	old, ok := s.Members[c.Member.Name]
	if !ok || old.ID != c.Member.ID {
		return s, nil, fmt.Errorf("member %s (%s): %w", c.Member.Name, c.Member.ID, ErrNotFound)
	}
	c.Member.Draining = old.Draining // has a command of its own
	s.setMember(c.Member)
	text := fmt.Sprintf("%s is at %s, version %s", c.Member.Name, c.Member.Address, c.Member.Version)
	if c.Member.Address == old.Address && c.Member.Gossip == old.Gossip && c.Member.Version == old.Version {
		text = "" // its other addresses come and go with its links, which is no news of the cluster
	}
	return s, []Change{{MemberChanged, c.Member.Name, text}}, nil
}

// RemoveMember ends a membership. Groups that the member owned keep it as their last owner until
// another is named.
type RemoveMember struct{ Name string }

func (RemoveMember) kind() string { return "remove-member/1" }

func (c RemoveMember) apply(s State) (State, []Change, error) {
	if _, ok := s.Members[c.Name]; !ok {
		return s, nil, s.NoMember(c.Name)
	}
	s.end(MemberChanged, c.Name)
	s.Members = maps.Clone(s.Members)
	delete(s.Members, c.Name)
	groups := maps.Clone(s.Groups)
	for name, g := range groups {
		g.Order = slices.DeleteFunc(slices.Clone(g.Order), func(n string) bool { return n == c.Name })
		if g.Intent != nil && g.Intent.To == c.Name {
			g.Intent = nil // nobody waits for who is gone
		}
		groups[name] = g
	}
	s.Groups = groups
	return s, []Change{{MemberChanged, c.Name, c.Name + " is no longer a member"}}, nil
}

// SetDraining asks a member to own nothing, or ends that.
type SetDraining struct {
	Name     string
	Draining bool
}

func (SetDraining) kind() string { return "set-draining/1" }

func (c SetDraining) apply(s State) (State, []Change, error) {
	m, ok := s.Members[c.Name]
	if !ok {
		return s, nil, fmt.Errorf("member %s: %w", c.Name, ErrNotFound)
	}
	if m.Draining == c.Draining {
		return s, nil, nil
	}
	m.Draining = c.Draining
	s.setMember(m)
	text := c.Name + " may own addresses again"
	if c.Draining {
		text = c.Name + " drains: it is to own nothing"
	}
	return s, []Change{{DrainChanged, c.Name, text}}, nil
}

// setMember replaces one member in a copy of the map.
func (s *State) setMember(m Member) {
	members := maps.Clone(s.Members)
	if members == nil {
		members = map[string]Member{}
	}
	members[m.Name] = m
	s.Members = members
}
