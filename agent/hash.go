package agent

import (
	"time"

	"github.com/quorate/quorate/fsm"
)

// hash returns the hash of a recent state, and the index of that. It is computed once a second at most,
// since that reads the whole state.
func (s *session) hash(state *fsm.State) (uint64, string) {
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

// differs reports whether this director's state is another than most others have at the same index.
func (s *session) differs(state *fsm.State) bool {
	same, other := 1, 0
	index, hash := s.hash(state)
	for name, r := range s.reports.live(time.Now()) {
		switch {
		case name == s.cfg.Name || r.HashIndex != index:
		case r.Hash == hash:
			same++
		default:
			other++
		}
	}
	return other > same
}
