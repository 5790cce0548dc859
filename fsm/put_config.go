package fsm

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// PutConfig replaces the whole configuration, if it is still at revision Base. Keys of routers go to the
// secrets; a router that comes without its key keeps the one that it has. It keeps no history, and is of
// feature level 1: from [LevelHistory] on there is [ChangeConfig].
type PutConfig struct {
	Base   uint64
	Config Config
	Author string // who asked, for the history
}

func (PutConfig) kind() string { return "put-config/1" }

func (c PutConfig) apply(s State) (State, []Change, error) {
	if c.Base != s.Revision {
		return s, nil, s.stale(c.Base)
	}
	if c.Config.level() > s.Level {
		return s, nil, tooLow(s.Level, c.Config.level())
	}
	old := s.Config
	next, err := hideKeys(c.Config, old, &s.secrets)
	if err != nil {
		return s, nil, err
	}
	s.Revision++
	s.Config = next
	s.forget()
	s.Verdicts = keepVerdicts(s.Verdicts, old, c.Config)
	s.Groups = keepGroups(s.Groups, c.Config)
	text := fmt.Sprintf("revision %d applied", s.Revision)
	if c.Author != "" {
		text += " by " + c.Author
	}
	return s, []Change{{ConfigChanged, "", text}}, nil
}

// level is the feature level that a configuration needs; 0 if any will do.
func (c Config) level() int {
	for _, g := range c.Groups() {
		if g.Placement.OnSegmentCut != "" {
			return LevelHistory
		}
	}
	return 0
}

// keepVerdicts keeps what was agreed about servers of which the checks still ask the same.
func keepVerdicts(old Verdicts, was, is Config) Verdicts {
	kept := map[ServerKey]Verdict{}
	for key, v := range old.All() {
		svc := is.Services.Of(key.Service)
		if svc.has(key) && reflect.DeepEqual(questions(svc.Checks), questions(was.Services.Of(key.Service).Checks)) {
			kept[key] = v
		}
	}
	return VerdictsOf(kept)
}

// questions are what checks ask of a server.
func questions(checks []Check) []Check {
	out := slices.Clone(checks)
	for i := range out {
		out[i] = out[i].Question()
	}
	return out
}

// Question returns a check without how often it asks and how the answers count: to tune that is no reason to forget what was
// agreed, which would take every server out until it is agreed again.
func (c Check) Question() Check {
	c.Interval, c.Timeout, c.Rise, c.Fall = 0, 0, 0, 0
	return c
}

func (s Service) has(k ServerKey) bool {
	return slices.ContainsFunc(s.Servers, func(r Server) bool { return r.Address == k.Server })
}

// keepGroups keeps the ownership of groups that are still there, and begins that of new ones.
func keepGroups(old map[string]Ownership, c Config) map[string]Ownership {
	groups := map[string]Ownership{}
	for _, g := range c.Groups() {
		groups[g.Name] = old[g.Name]
	}
	return groups
}

// SetVerdicts records what the cluster agreed about real servers, all in one entry.
type SetVerdicts struct {
	Verdicts map[ServerKey]Verdict
}

func (SetVerdicts) kind() string { return "set-verdicts/1" }

// byText returns the keys of verdicts in the order of their texts, each of which is made once: there may be a hundred thousand.
func byText(verdicts map[ServerKey]Verdict) []ServerKey {
	type named struct {
		text string
		key  ServerKey
	}
	all := make([]named, 0, len(verdicts))
	for key := range verdicts {
		all = append(all, named{key.String(), key})
	}
	slices.SortFunc(all, func(a, b named) int { return strings.Compare(a.text, b.text) })
	sorted := make([]ServerKey, len(all))
	for i, one := range all {
		sorted[i] = one.key
	}
	return sorted
}

func (c SetVerdicts) apply(s State) (State, []Change, error) {
	var changes []Change
	next := make([]ServerKey, 0, len(c.Verdicts)) // of which the verdict is another
	for _, key := range byText(c.Verdicts) {
		if !s.Config.Services.Of(key.Service).has(key) {
			continue // the configuration changed while the verdict was on its way
		}
		v := c.Verdicts[key]
		if was, _ := s.Verdicts.Of(key); was == v {
			continue
		}
		if was := s.Verdict(key).Health; was != v.Health {
			changes = append(changes, Change{VerdictChanged, key.String(), fmt.Sprintf("%s is %s, was %s: %s", key, v.Health, was, v.Cause)})
		}
		next = append(next, key)
	}
	if len(next) > 0 {
		s.Verdicts = s.Verdicts.with(slices.Values(next), c.Verdicts)
	}
	return s, changes, nil
}
