package ownership

import (
	"fmt"
	"time"

	"github.com/quorate/quorate/fsm"
)

// byClaim is the keeper's reason for a group that it was told to take.
const byClaim = "claim"

// part is what this director was to the group at the last look.
type part struct {
	known bool
	owns  bool
	kept  bool // it is Backup since, with the addresses: it serves until they go
	since time.Time
	// again is why this director has begun to serve in an epoch in which the log had named it before: the log's reason is
	// of then.
	again string
	epoch uint64
}

// Again says why this director has taken the group again in an epoch of the log, or is empty where it has not.
func (m *Machine) Again(log fsm.Ownership) string {
	if !m.part.owns || m.part.epoch != log.Epoch {
		return ""
	}
	return m.part.again
}

// lookPart remembers that this director has begun to serve, or serves no more, where nobody has decided that: what a move or a
// claim does is remembered with these, and what the log is told by who tells it.
func (s *step) lookPart() {
	k := s.Keeper
	was := s.part
	if k.Part == Absent { // it goes on as it was, or is started anew and says so
		return
	}
	if s.part.kept = was.owns && k.keeps(); s.part.kept {
		return
	}
	s.part.known, s.part.owns, s.part.since = true, k.Part == Owner, k.Since
	gained := was.known && s.part.owns && !was.kept && (!was.owns || !k.Since.Equal(was.since)) // it may have changed twice between two looks
	lost := was.owns && (!s.part.owns || gained)
	if gained || lost {
		s.part.again = ""
	}
	if lost && (gained || k.Part == Faulty || !s.followed()) {
		why := k.Reason
		if gained {
			why = "it has begun anew since"
		}
		s.decided("vrrp", fmt.Sprintf("%s serves %s no more: %s", s.Self, s.Group, why))
	}
	if gained && k.Reason != "" && k.Reason != byClaim && (s.Log.Owner == s.Self || !s.Quorum) {
		s.decided("vrrp", fmt.Sprintf("%s serves %s: %s", s.Self, s.Group, k.Reason))
		if s.Log.Owner == s.Self {
			s.part.again, s.part.epoch = k.Reason, s.Log.Epoch
		}
	}
}

// followed reports whether somebody is heard who has taken the group, or has it by a claim or a move.
func (f Facts) followed() bool {
	for _, r := range f.Keeper.Routers {
		if r.hears() != "" && !r.Resigns {
			return true
		}
	}
	return f.movesOn()
}
