package fsm

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// LevelHistory is the feature level from which on changes are kept and can be taken back, a request is known when it
// is made again ([Once]), and a group may say who owns it while its segment is cut.
const LevelHistory = 2

// What is kept of the past: that many revisions, and fewer if what leads back through them weighs more
// than that many servers, checks and other things.
const (
	maxPast       = 100
	maxPastWeight = 500_000
)

// Note is what is remembered of a change of the configuration. Who asked for it says all of it: the
// state has no clock.
type Note struct {
	At      time.Time `json:"at"`                // UTC, by the clock of the director that was asked
	Author  string    `json:"author,omitempty"`  // who asked
	Message string    `json:"message,omitempty"` // in the author's words
	Cause   string    `json:"cause,omitempty"`   // of what is no plain change: "rollback to revision 5"
	Summary string    `json:"summary,omitempty"` // what changed, in a line
}

// Past is one revision of the configuration, and what leads back to the one before it. So the present
// configuration is the whole copy from which every kept revision is made, the oldest by a hundred steps
// that each cost what was changed then; and to forget the oldest costs nothing.
type Past struct {
	Revision uint64 `json:"revision"`
	Note
	Confirmed string `json:"confirmed,omitempty"` // who confirmed it, of one that waited for that
	Back      Delta  `json:"back"`

	weight int // of Back, once it was asked for
}

// String says who did what, in a line.
func (p Past) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "revision %d", p.Revision)
	if p.Author != "" {
		b.WriteString(" by " + p.Author)
	}
	for _, text := range []string{p.Cause, p.Summary} {
		if text != "" {
			b.WriteString(": " + text)
		}
	}
	if p.Message != "" {
		fmt.Fprintf(&b, " (%s)", p.Message)
	}
	return b.String()
}

// Trial is a change that takes itself back unless it is confirmed in time. Whoever leads sees to that.
type Trial struct {
	Revision uint64    `json:"revision"`
	Until    time.Time `json:"until"` // UTC
	// Below takes it back before that, if fewer of the real servers of the services that it touched are up:
	// percent, 0 for never.
	Below int `json:"below,omitempty"`
}

// Touched returns the services that the change on trial touched and that are there, sorted.
func (s State) Touched() []string {
	if s.Trial == nil || len(s.History) == 0 {
		return nil
	}
	var names []string
	for name := range s.History[len(s.History)-1].Back.Services {
		if s.Config.Services.Has(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Oldest returns the oldest revision that [State.AsOf] knows.
func (s State) Oldest() uint64 { return s.Revision - uint64(len(s.History)) }

// AsOf returns the configuration as it was at a revision, with the keys of its routers in it. It is for
// this cluster's own use: what is shown must be without keys.
func (s State) AsOf(revision uint64) (Config, error) {
	if revision > s.Revision || revision < s.Oldest() {
		return Config{}, fmt.Errorf("revision %d: %w: there are %d to %d, `quorate history` lists them", revision, ErrNotFound, s.Oldest(), s.Revision)
	}
	c := s.WithKeys()
	for i := len(s.History) - 1; i >= 0 && s.History[i].Revision > revision; i-- {
		c = s.History[i].Back.withKeys(s.secrets.Former[s.History[i].Revision]).Apply(c)
	}
	return c, nil
}

// past returns what is remembered of a revision.
func (s State) past(revision uint64) (Past, bool) {
	i := slices.IndexFunc(s.History, func(p Past) bool { return p.Revision == revision })
	if i < 0 {
		return Past{}, false
	}
	return s.History[i], true
}

// Fate says what became of a revision, in a few words, to who would confirm it or take it back.
func (s State) Fate(revision uint64) string {
	p, known := s.past(revision)
	next, later := s.past(revision + 1)
	switch {
	case revision > s.Revision:
		return fmt.Sprintf("the cluster is at revision %d", s.Revision)
	case known && p.Confirmed != "":
		return fmt.Sprintf("revision %d was confirmed by %s", revision, p.Confirmed)
	case later && strings.HasPrefix(next.Cause, fmt.Sprintf("takes back revision %d:", revision)):
		return "it was taken back by " + next.String()
	case later:
		return "after it came " + next.String()
	case known:
		return "it is here to stay: " + p.String()
	}
	return "it is not in the history any more"
}

// Hidden returns the configuration without the keys of its routers.
func (c Config) Hidden() Config {
	routers := maps.Clone(c.Routers)
	for name, r := range routers {
		routers[name] = r.hidden()
	}
	c.Routers = routers
	return c
}

// remember adds a revision to the history, and forgets what is too old. Back is what leads back from it;
// keys are those of the routers that it names, as they were.
func (s *State) remember(note Note, back Delta, keys map[string]AuthKeys) {
	history := append(slices.Clone(s.History), Past{Revision: s.Revision, Note: note, Back: back})
	weight := 0
	first := len(history)
	for first > 0 && len(history)-first < maxPast {
		if weight += history[first-1].weighed(); weight > maxPastWeight && first < len(history) {
			break
		}
		first--
	}
	s.secrets.Former = maps.Clone(s.secrets.Former)
	for _, p := range history[:first] {
		delete(s.secrets.Former, p.Revision)
	}
	if len(keys) > 0 {
		if s.secrets.Former == nil {
			s.secrets.Former = map[uint64]map[string]AuthKeys{}
		}
		s.secrets.Former[s.Revision] = keys
	}
	if len(s.secrets.Former) == 0 {
		s.secrets.Former = nil
	}
	s.History = history[first:]
}

// weighed returns what a revision weighs. It is added up once: one that changed all services would else cost each change
// after it a walk through them.
func (p *Past) weighed() int {
	if p.weight == 0 {
		p.weight = p.Back.size()
	}
	return p.weight
}

// forget ends the history: what comes now cannot be undone step by step.
func (s *State) forget() { s.History, s.Trial, s.secrets.Former = nil, nil, nil }

// stale says who was faster.
func (s State) stale(base uint64) error {
	var faster []string
	for i := len(s.History) - 1; i >= 0 && s.History[i].Revision > base; i-- {
		if len(faster) == 3 {
			faster = append(faster, "and more")
			break
		}
		faster = append(faster, s.History[i].String())
	}
	if len(faster) == 0 {
		return fmt.Errorf("planned on revision %d, the cluster is at %d: %w; plan again", base, s.Revision, ErrStale)
	}
	return fmt.Errorf("planned on revision %d, the cluster is at %d: %w: %s; nothing was changed, plan again", base, s.Revision, ErrStale, strings.Join(faster, "; "))
}
