package fsm

import "fmt"

// RestoreConfig puts the configuration of a saved state in the place of the present one, if that is
// still at revision Base. Only the configuration and its keys come back. Everything else in the state is
// about the present and stays: members, certificates and gossip key, tokens that were used or revoked,
// drains, owners and their epochs, and what was agreed about real servers that are still there. It is of
// feature level 1, as [PutConfig] is.
type RestoreConfig struct {
	Base   uint64
	Level  int // feature level of the saved state
	Config Config
	Source string // which saved state, for people
	Author string // who asked, for the history
}

func (RestoreConfig) kind() string { return "restore-config/1" }

func (c RestoreConfig) apply(s State) (State, []Change, error) {
	if c.Level > s.Level {
		return s, nil, fmt.Errorf("it is of feature level %d, and the cluster is at %d: upgrade the cluster first", c.Level, s.Level)
	}
	had := s.Groups
	next, _, err := PutConfig{Base: c.Base, Config: c.Config}.apply(s)
	if err != nil {
		return s, nil, err
	}
	next.aheadOfBefore(had)
	text := fmt.Sprintf("revision %d restored from %s", next.Revision, c.Source)
	if c.Author != "" {
		text += " by " + c.Author
	}
	return next, []Change{{ConfigChanged, "", text}}, nil
}
