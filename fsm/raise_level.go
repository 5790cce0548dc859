package fsm

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// RaiseLevel switches the cluster to a feature level that every member supports. There is no way back.
type RaiseLevel struct {
	Level  int
	Author string // who asked, and why if that was a director by itself
}

func (RaiseLevel) kind() string { return "raise-level/1" }

func (c RaiseLevel) apply(s State) (State, []Change, error) {
	if c.Level == s.Level {
		return s, nil, nil // it was asked for twice
	}
	if c.Level < s.Level {
		return s, nil, fmt.Errorf("the cluster is at feature level %d, which is never lowered, to %d or otherwise: %w", s.Level, c.Level, ErrLevel)
	}
	var old []string
	for _, name := range slices.Sorted(maps.Keys(s.Members)) {
		if m := s.Members[name]; m.MaxLevel < c.Level {
			old = append(old, fmt.Sprintf("%s (version %s) supports %d", name, m.Version, m.MaxLevel))
		}
	}
	if len(old) > 0 {
		return s, nil, fmt.Errorf("feature level %d: %w: %s; install a newer version there first", c.Level, ErrLevel, strings.Join(old, ", "))
	}
	text := fmt.Sprintf("the cluster is at feature level %d, was at %d: asked for by %s", c.Level, s.Level, orNobody(c.Author))
	s.Level = c.Level
	return s, []Change{{LevelChanged, "", text}}, nil
}
