package fsm

import "fmt"

// RestoreConfig puts the configuration of a saved state in the place of the present one, if that is
// still at revision Base. Only the configuration and its keys come back. Everything else in the state is
// about the present and stays: members, certificates and gossip key, tokens that were used or revoked,
// drains, owners and their epochs, and what was agreed about real servers that are still there.
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
	// A group that was there before it was deleted may have had any epoch. None was ever above the
	// log's index, since an epoch costs an entry; so from here on none goes back.
	for name, g := range next.Groups {
		if _, ok := had[name]; !ok {
			g.Epoch = s.Index + 1
			next.Groups[name] = g // keepGroups has made a map of its own
		}
	}
	text := fmt.Sprintf("revision %d restored from %s", next.Revision, c.Source)
	if c.Author != "" {
		text += " by " + c.Author
	}
	return next, []Change{{ConfigChanged, "", text}}, nil
}

// WithKeys returns the configuration with the keys of its routers in it, which a state keeps apart.
func (s State) WithKeys() Config {
	c := s.Config
	if len(s.secrets.VRRPKeys) == 0 {
		return c
	}
	routers := make(map[string]Router, len(c.Routers))
	for name, r := range c.Routers {
		if r.Auth != nil {
			with := *r.Auth
			with.Key = s.secrets.VRRPKeys[name]
			r.Auth = &with
		}
		routers[name] = r
	}
	c.Routers = routers
	return c
}
