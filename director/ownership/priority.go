// Package ownership decides who owns an address: the priority that a director advertises, and what it
// does about a group beside VRRP. Where a group is to be is decided in the package placement. All of it is
// pure: what is known goes in, a decision with its reason comes out.
//
// VRRP elects, never waiting for these decisions; they only set its priorities, and order moves
// that make before they break. Such a move changes nothing where the owner does not yield, and one whose control
// is silent serves on: it is waited for as long as a restart may take ([RestartGrace]), unless it was silent
// for [Mute] when the move began, and then claimed from without its answer, if it is heard.
package ownership

import "slices"

// The bands of VRRP priorities, which never overlap. A director's place inside its band is its
// rank among the candidates.
const (
	ClaimLow      = 248 // a claim, until the old owner yields
	ClaimHigh     = 254
	OwnerPriority = 224 // the owner that the log names
	// OwnerHigh is the highest of one that insists: the places above OwnerPriority go by the epoch, round and round. Where
	// they begin anew, the epoch before has the highest, so whom that one names keeps the group if it insists as well.
	// It serves, and the log names it again when its control is back and reports that it owns the group.
	OwnerHigh    = 247
	StandbyLow   = 120 // ready, in successor order
	StandbyHigh  = 183
	UnreadyLow   = 50 // a member that is not ready
	UnreadyHigh  = 89
	CutOffLow    = 10 // no quorum: the last owner first
	CutOffHigh   = 41
	DrainLow     = 1
	DrainHigh    = 9
	AddressOwner = 255 // the RFC's address owner, where one is configured
)

// ForeignLow is the priority below which a standby takes a group from a router that is no member.
const ForeignLow = StandbyLow

// Standing is what a director knows of its own place in one group.
type Standing struct {
	Quorum     bool // a majority of the voters is in touch
	Ready      bool // fit to gain ownership
	Draining   bool // asked to own nothing
	Last       bool // all others drain as well, and a foreign router may have the group
	Owner      bool // the log names this director
	Insists    bool // and one named before may not know that
	Epoch      uint64
	Rank       int // place among the successors, 0 is the next owner
	Candidates int // directors that could own the group, at least 1
}

// Priority returns the priority to advertise: 1 to 254.
func Priority(s Standing) uint8 {
	switch {
	case s.Draining && (!s.Owner || s.Last): // a foreign router preempts the last; no director does, since all of them drain
		return place(DrainLow, DrainHigh, s.drained(), s.Candidates+1)
	case !s.Quorum && s.Owner:
		return CutOffHigh
	case !s.Quorum:
		return place(CutOffLow, CutOffHigh, s.Rank+1, s.Candidates)
	case s.Owner && s.Insists: // against an older epoch, which may be insisted on, too
		return OwnerPriority + 1 + uint8(s.Epoch%(OwnerHigh-OwnerPriority))
	case s.Owner: // a draining or unready owner serves until another has claimed
		return OwnerPriority
	case !s.Ready:
		return place(UnreadyLow, UnreadyHigh, s.Rank, s.Candidates)
	default:
		return place(StandbyLow, StandbyHigh, s.Rank, s.Candidates)
	}
}

// drained is the place among those that drain. Where all do, it decides who stays of two that own the group when a cut heals: whom
// the newest epoch names, which is the one with a quorum, if either has it; then the last owner, and then who was elected.
func (s Standing) drained() int {
	switch {
	case s.Owner && s.Quorum:
		return 0
	case s.Owner:
		return 1
	}
	return s.Rank + 2
}

// Preempts reports whether a director in this standing may take a group from a router that is no
// member and advertises less. From members it never does: that takes a claim.
func Preempts(s Standing) bool { return s.Quorum && s.Ready && !s.Draining }

// place spreads candidates evenly over a band, so that no two of them wake within one skew.
func place(low, high, rank, candidates int) uint8 {
	step := max((high-low)/max(candidates, 1), 1)
	return uint8(max(high-rank*step, low))
}

// IsClaim reports whether a priority is that of a claim.
func IsClaim(priority uint8) bool { return priority >= ClaimLow && priority <= ClaimHigh }

// ClaimPriority returns what a claim advertises against an owner's priority.
func ClaimPriority(owner uint8) uint8 { return uint8(min(max(int(owner)+1, ClaimLow), ClaimHigh)) }

// First returns the first of an order who can take a group over, or "".
func First(order []string, can func(name string) bool) string {
	for _, name := range order {
		if can(name) {
			return name
		}
	}
	return ""
}

// Rank returns a director's place in the order of successors; who is not in it comes after all
// that are, by its place among the candidates' names.
func Rank(order, candidates []string, name string) int {
	rank := 0
	for _, n := range order {
		if n == name {
			return rank
		}
		rank++
	}
	for _, n := range candidates {
		if n == name {
			return rank
		}
		if !slices.Contains(order, n) {
			rank++
		}
	}
	return rank
}
