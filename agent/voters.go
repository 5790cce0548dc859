package agent

import (
	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/fsm"
)

// sayQuorum says whether this director is in the quorum, and how much more may fail: a quorum is more than half of the voters.
func (s *session) sayQuorum(st *api.Status, live map[string]received) {
	countVoters(st, s.node.Voters(), live)
	hears := s.node.Quorum()
	st.Quorum = hears && (s.node.IsLeader() || s.alive.pulse.Reaches(st.Leader))
	st.CutOff = cutOff(*st, hears)
	st.MayFail = mayFail(st.Voters, st.Answering-st.CannotWrite, st.Quorum)
}

// countVoters counts those that answer, and those of them that can write nothing for sure.
func countVoters(st *api.Status, voters []string, live map[string]received) {
	for _, name := range voters {
		st.Voters++
		r, alive := live[name]
		if !alive || r.Stopped {
			continue
		}
		st.Answering++
		if r.NoWrite != "" {
			st.CannotWrite++
		}
	}
}

// cutOff reports whether a director is, of whose status quorum and voters are known, and whether it hears who leads.
func cutOff(st api.Status, hears bool) bool {
	return hears && (!st.Quorum || 2*st.Answering <= st.Voters && st.Voters > 0)
}

// mayFail is how many of the voters that answer and can write, without which nothing is agreed, may fail before there is no quorum
// any more.
func mayFail(voters, able int, quorum bool) int {
	if !quorum {
		return 0
	}
	return max(able-(voters/2+1), 0)
}

// highestIndex is the index of the newest log entry that any director says to have applied.
func highestIndex(state *fsm.State, live map[string]received) uint64 {
	highest := state.Index
	for _, r := range live {
		highest = max(highest, r.Index)
	}
	return highest
}
