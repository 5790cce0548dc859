package ownership

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// GoneAfter is for how long a member must be silent on every path to be taken for dead: three probes.
	GoneAfter = 300 * time.Millisecond
	// attestLimit is how long others may take to say whether they find it dead too.
	attestLimit = 150 * time.Millisecond
	// deadAgain is how long to wait before the others are asked once more.
	deadAgain = 100 * time.Millisecond
)

// dead is what is done while the owner is silent on every path.
type dead struct {
	busy bool // others are asked, or the next time waits
}

// gone reports whether a member is silent on every path that there is to it: its agent on the cluster port,
// and its kernel on each segment of the group.
func (m Member) gone() bool { return Gone(m.Unheard, m.Unreached) }

// Gone reports whether a member is silent on every path, by for how long nothing came from its agent and for how
// long its kernel has not answered on each segment; negative where it is not asked.
func Gone(unheard time.Duration, unreached []time.Duration) bool {
	return unheard >= GoneAfter && !slices.ContainsFunc(unreached, func(d time.Duration) bool { return d >= 0 && d < GoneAfter })
}

// shares reports whether a member has an address that this director could reach on a segment of the group.
func (m Member) shares() bool {
	return slices.ContainsFunc(m.Unreached, func(d time.Duration) bool { return d >= 0 })
}

// missing are the members that are gone, as far as this director can tell: one that was late itself cannot.
func (f Facts) missing() []string {
	var names []string
	for _, m := range f.Members {
		if f.OnTime && m.gone() {
			names = append(names, m.Name)
		}
	}
	return names
}

// acting returns who owns the group as far as this director knows: whom the log names; but where that one is dead, a
// member that has reported since that it owns the group, or that was heard last, unless it says that it is a standby
// again: what was heard may be old. The log follows when it can.
func (f Facts) acting() string {
	named := f.Log.Owner
	if m, ok := f.member(named); !ok || !m.gone() {
		return named
	}
	for _, m := range f.Members {
		if m.Name != named && m.Alive && m.Part == Owner {
			return m.Name
		}
	}
	last := Router{}
	for _, r := range f.Keeper.Routers {
		if r.Heard != "" && (last.Heard == "" || r.Age < last.Age) {
			last = r
		}
	}
	if m, ok := f.member(last.Heard); ok && (m.gone() || !m.Alive || m.Part != Standby) {
		return last.Heard
	}
	return named
}

// lookDead claims from an owner that is dead before VRRP's timer does, and without the log: if it is silent
// on every path here, and a majority of the voters says the same. Of one that the log does not name yet, they must
// say it of the named one, too.
func (s *step) lookDead() {
	owner := s.acting()
	if s.dead.busy || !s.mayClaimFrom(owner) {
		return
	}
	s.dead.busy = true
	s.survey(s.others(owner, s.Log.Owner), nil, attestLimit, nil, func(s *step, words map[string]Attestation, _ map[string]Segment) {
		s.after(deadAgain, func(s *step) { s.dead.busy = false })
		by := []string{s.Self}
		for _, m := range s.Members {
			word := words[m.Name]
			if slices.Contains(word.Gone, owner) && slices.Contains(word.Gone, s.Log.Owner) && !m.Joins {
				by = append(by, m.Name)
			}
			if word.Owns || word.hears(owner) {
				return // it is not dead, or has a successor already that was not heard of here
			}
		}
		if 2*len(by) <= s.Voters || s.acting() != owner || !s.mayClaimFrom(owner) {
			return
		}
		s.claimFor(fmt.Sprintf("%s is neither heard nor reached by %s", owner, strings.Join(by, " and ")))
	})
}

// mayClaimFrom reports whether this director is the first successor of an owner that is dead as far as it can
// tell.
func (s *step) mayClaimFrom(owner string) bool {
	m, ok := s.member(owner)
	return ok && s.Keeper.Part == Standby && !s.claiming && s.OnTime && m.gone() && m.shares() && !s.heardLately(owner) && !s.isolated(owner) && s.first(owner, s.connected) == s.Self
}

// hears reports whether a member hears somebody own the group who is not the one that is thought to be dead.
func (a Attestation) hears(dead string) bool {
	return slices.ContainsFunc(a.Hears, func(m string) bool { return m != "" && m != dead })
}

// heardLately reports whether an advert of a member came while it was silent on all other paths.
func (f Facts) heardLately(member string) bool {
	return slices.ContainsFunc(f.Keeper.Routers, func(r Router) bool { return r.Heard == member && r.Age < GoneAfter })
}
