package agent

import (
	"context"
	"slices"
	"time"

	"github.com/quorate/quorate/fsm"
)

// stateDiffers is why a director is not ready whose state most others do not have.
const stateDiffers = "its state differs from the others' at the same log index"

// differFor is how long most others must have another state before this director takes theirs: a report that is being
// replaced is no reason.
const differFor = 2 * reportEvery

// hash returns the hash of a recent state, and the index of that. At feature level 1 it is computed once a second at
// most, since that reads the whole state.
func (s *session) hash(state *fsm.State) (uint64, string) {
	if state.Level >= fsm.LevelHistory {
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

// differs returns who has another state than this director at the same index, if they are more than who has the same.
func (s *session) differs(state *fsm.State) []string {
	return outvoted(s.cfg.Name, s.reports.live(time.Now()), func(index uint64) (string, bool) { return s.hashAt(state, index) })
}

// outvoted returns who reports another hash than this director's at the same index, if they are more than who has the
// same. Who reports an index at which this director's is not known has no vote.
func outvoted(self string, live map[string]received, hashAt func(index uint64) (string, bool)) []string {
	same := 1
	var others []string
	for name, r := range live {
		hash, known := hashAt(r.HashIndex)
		switch {
		case name == self || !known || r.Hash == "":
		case r.Hash == hash:
			same++
		default:
			others = append(others, name)
		}
	}
	if len(others) <= same {
		return nil
	}
	slices.Sort(others)
	return others
}

// heal takes the others' state while most of them have another than this director.
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
		others := s.differs(s.node.State())
		switch {
		case len(others) == 0:
			since = time.Time{}
		case since.IsZero():
			since = time.Now()
		case time.Since(since) >= differFor:
			if err := s.node.HealFrom(ctx, stateDiffers, others); err != nil && ctx.Err() == nil {
				s.log.Error("the state is not healed yet", "err", err)
			}
			since = time.Time{}
		}
	}
}
