package agent

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/quorate/quorate/fsm"
)

// stateDiffers is why a director is not ready when a majority of the members has one state, and it has another.
const stateDiffers = "its state differs from the others' at the same log index"

// differFor is how long a majority must have another state before this director takes theirs. A single report may be out of date.
const differFor = 2 * reportEvery

// hash returns the hash of a recent state, and the index of that. Below [fsm.LevelSum] it is computed once a
// second at most, since that reads the whole state.
func (s *session) hash(state *fsm.State) (uint64, string) {
	if state.Level >= fsm.LevelSum {
		return state.Index, state.Hash()
	}
	s.hashing.Lock()
	defer s.hashing.Unlock()
	if now := time.Now(); s.hashed.index != state.Index && now.Sub(s.hashed.at) >= reportEvery {
		s.hashed = hashed{state.Index, state.Hash(), now}
	}
	return s.hashed.index, s.hashed.text
}

// hashed is the hash of the state at an index.
type hashed struct {
	index uint64
	text  string
	at    time.Time // when it was computed
}

// hashAt returns the hash that this director's state had at an index, if it is known.
func (s *session) hashAt(state *fsm.State, index uint64) (string, bool) {
	if hash, ok := s.node.HashAt(index); ok {
		return hash, true
	}
	at, hash := s.hash(state)
	return hash, at == index
}

// differs returns the state that a majority of the members has, if it is another than this director's at the same index.
func (s *session) differs(state *fsm.State, live map[string]received) (vote, []string) {
	return s.votes.against(s.cfg.Name, len(state.Members), live, func(index uint64) (string, bool) { return s.hashAt(state, index) })
}

// vote is what a member's state was.
type vote struct {
	index uint64
	hash  string
}

// votes remembers which member had which state at which index, as far back as this director knows its own: while much changes,
// hardly any two reports of one moment are of the same index.
type votes struct {
	mu sync.Mutex
	by map[vote]map[string]bool
}

// against returns a state that a majority of the members had at an index where this director's was another, and the names of
// that majority. Members whose states differ from each other's, too, are no majority; one that is silent, or agrees with this
// director by now, does not count.
func (v *votes) against(self string, members int, live map[string]received, hashAt func(index uint64) (string, bool)) (vote, []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	differ := map[string]bool{}
	for name, r := range live {
		mine, known := hashAt(r.HashIndex)
		if name == self || r.Hash == "" || known && r.Hash == mine {
			continue
		}
		differ[name] = true
		at := vote{r.HashIndex, r.Hash}
		if known && v.by[at] == nil {
			if v.by == nil {
				v.by = map[vote]map[string]bool{}
			}
			v.by[at] = map[string]bool{}
		}
		if known {
			v.by[at][name] = true
		}
	}
	var most vote
	var others []string
	for at, names := range v.by {
		mine, known := hashAt(at.index)
		if !known || mine == at.hash {
			delete(v.by, at)
			continue
		}
		names := slices.DeleteFunc(slices.Sorted(maps.Keys(names)), func(name string) bool { return !differ[name] })
		if 2*len(names) > members && (others == nil || at.index > most.index) {
			most, others = at, names
		}
	}
	return most, others
}

// heal takes the state of a majority that has another than this director.
func (s *session) heal(ctx context.Context) error {
	tick := s.ticker(reportEvery)
	defer tick.Stop()
	var since time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		most, others := s.differs(s.node.State(), s.reports.live(time.Now()))
		switch {
		case len(others) == 0:
			s.node.Agrees()
			since = time.Time{}
		case since.IsZero():
			since = time.Now()
		case time.Since(since) >= differFor:
			if err := s.node.HealFrom(ctx, stateDiffers, most.index, most.hash, others); err != nil && ctx.Err() == nil {
				s.log.Error("the state is not healed yet", "err", err)
			}
			since = time.Time{}
		}
	}
}
