package agent

import (
	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/fsm"
)

// sayQuorum says whether this director is in the quorum, and how much more may fail: a quorum is more than half of the voters.
func (s *session) sayQuorum(st *api.Status, live map[string]received) {
	for _, name := range s.node.Voters() {
		st.Voters++
		if r, alive := live[name]; alive && !r.Stopped {
			st.Answering++
		}
	}
	hears := s.node.Quorum()
	st.Quorum = hears && (s.node.IsLeader() || s.alive.pulse.Reaches(st.Leader))
	st.CutOff = cutOff(*st, hears)
	st.MayFail = mayFail(st.Voters, st.Answering, st.Quorum)
}

// cutOff reports whether a director is, of whose status quorum and voters are known, and whether it hears who leads.
func cutOff(st api.Status, hears bool) bool {
	return hears && (!st.Quorum || 2*st.Answering <= st.Voters && st.Voters > 0)
}

// mayFail is how many of the voters that answer may fail before there is no quorum any more.
func mayFail(voters, answering int, quorum bool) int {
	if !quorum {
		return 0
	}
	return max(answering-(voters/2+1), 0)
}

// highestIndex is the index of the newest log entry that any director says to have applied.
func highestIndex(state *fsm.State, live map[string]received) uint64 {
	highest := state.Index
	for _, r := range live {
		highest = max(highest, r.Index)
	}
	return highest
}
