package fsm

import (
	"fmt"
	"slices"
)

// ChangeConfig changes what Delta names of the configuration, if that is still at revision Base. Keys of
// routers go to the secrets; a router that comes without its key keeps the one that it has.
type ChangeConfig struct {
	Base  uint64
	Delta Delta
	Note  Note
	Trial *Trial `json:",omitempty"` // its revision is Base + 1
	// Returns ends a trial, where other changes wait for its end: a rollback, a restore.
	Returns bool `json:",omitempty"`
}

func (ChangeConfig) kind() string { return "change-config/1" }

func (c ChangeConfig) apply(s State) (State, []Change, error) {
	switch {
	case s.Level < LevelHistory:
		return s, nil, tooLow(s.Level, LevelHistory)
	case c.Base != s.Revision:
		return s, nil, s.stale(c.Base)
	case c.Trial != nil && c.Trial.Revision != c.Base+1:
		return s, nil, fmt.Errorf("a trial of revision %d begins with another: %w", c.Trial.Revision, ErrStale)
	case s.Trial != nil && !c.Returns:
		return s, nil, s.OnTrial()
	}
	next, err := s.changed(c.Delta, c.Note)
	if err != nil {
		return s, nil, err
	}
	if c.Trial != nil {
		trial := *c.Trial
		next.Trial = &trial
	}
	return next, next.tell(c.Delta), nil
}

// OnTrial is the refusal of what has to wait until a change is confirmed or taken back. There must be one.
func (s State) OnTrial() error {
	return fmt.Errorf("%w: %s. `quorate confirm` keeps it, `quorate rollback %d` takes it back now",
		ErrOnTrial, s.History[len(s.History)-1], s.Revision-1)
}

func tooLow(level, needs int) error {
	return fmt.Errorf("the cluster is at feature level %d, and this needs %d: %w; once every member runs this version, `quorate upgrade finish` raises it", level, needs, ErrLevel)
}

// changed returns the state with a changed configuration in the next revision. It costs what the delta
// names, and what it does not name stays: no verdict of another service, no owner of another group.
func (s State) changed(d Delta, note Note) (State, error) {
	hidden, keys, err := d.hideKeys(s.Config, &s.secrets)
	if err != nil {
		return s, err
	}
	back := hidden.Back(s.Config)
	s.Verdicts = s.JudgedAfter(hidden)
	s.Revision++
	s.Trial = nil
	s.Config = hidden.Apply(s.Config)
	if len(hidden.Routers)+len(hidden.SyncGroups) > 0 {
		had := s.Groups
		s.Groups = keepGroups(had, s.Config)
		if s.Revision > 1 {
			s.aheadOfBefore(had)
		}
	}
	s.remember(note, back, keys)
	return s, nil
}

// tell is the change feed of the last revision: what it did, in a line, and each thing that it names.
func (s State) tell(d Delta) []Change {
	p := s.History[len(s.History)-1]
	return append([]Change{{ConfigChanged, "", p.String()}}, d.feed()...)
}

// aheadOfBefore gives the groups that had is without an epoch that none of them can have had: it may have
// been there before it was deleted. None was ever above the log's index, since an epoch costs an entry.
func (s *State) aheadOfBefore(had map[string]Ownership) {
	for name, g := range s.Groups {
		if _, ok := had[name]; !ok {
			g.Epoch = s.Index + 1
			s.Groups[name] = g // keepGroups has made a map of its own
		}
	}
}

// ConfirmConfig keeps a change that was on trial. Of one that is kept already it is no change and no error: who
// confirmed it may not have heard so.
type ConfirmConfig struct {
	Revision uint64
	Author   string
}

func (ConfirmConfig) kind() string { return "confirm-config/1" }

func (c ConfirmConfig) apply(s State) (State, []Change, error) {
	if p, ok := s.past(c.Revision); ok && p.Confirmed != "" {
		return s, nil, nil
	}
	if s.Trial == nil || s.Trial.Revision != c.Revision {
		return s, nil, s.noTrial(c.Revision)
	}
	s.Trial = nil
	s.History = slices.Clone(s.History)
	s.History[len(s.History)-1].Confirmed = c.Author
	return s, []Change{{ConfigChanged, "", fmt.Sprintf("revision %d is confirmed by %s", c.Revision, orNobody(c.Author))}}, nil
}

// noTrial says why there is nothing to confirm or to take back.
func (s State) noTrial(revision uint64) error {
	return fmt.Errorf("revision %d does not wait to be confirmed: %w: %s; `quorate history` has what happened", revision, ErrStale, s.Fate(revision))
}

// RevertConfig takes back a change that was on trial.
type RevertConfig struct {
	Revision uint64
	Note     Note // its cause says why
}

func (RevertConfig) kind() string { return "revert-config/1" }

func (c RevertConfig) apply(s State) (State, []Change, error) {
	if s.Trial == nil || s.Trial.Revision != c.Revision {
		return s, nil, s.noTrial(c.Revision)
	}
	back := s.History[len(s.History)-1].Back.withKeys(s.secrets.Former[c.Revision])
	next, err := s.changed(back, c.Note)
	if err != nil {
		return s, nil, err
	}
	return next, next.tell(back), nil
}
