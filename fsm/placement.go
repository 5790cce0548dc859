package fsm

import "time"

// Placement says which director should own a group, as far as there is a choice. The zero value leaves the
// group where it is.
type Placement struct {
	Policy    Policy         `json:"policy,omitempty"`    // empty: it stays where it is
	Hold      time.Duration  `json:"hold,omitempty"`      // how long another must be better before the group moves; 0: [Placement.HoldFor]'s, negative: no time
	Directors []string       `json:"directors,omitempty"` // of Pinned, the best first
	Scores    map[string]int `json:"scores,omitempty"`    // of directors by name; those of tracks are added

	OnQuorumLoss QuorumLoss `json:"on_quorum_loss,omitempty"` // empty: hold
	OnSegmentCut SegmentCut `json:"on_segment_cut,omitempty"` // empty: each
}

// QuorumLoss is what a director without quorum does with a group.
type QuorumLoss string

// What there is to do without quorum. What the empty word says is to go on.
const (
	HoldOn  QuorumLoss = "hold"  // the empty word's name: the owner serves on
	GiveWay QuorumLoss = "yield" // the owner gives up once, and takes the group again if nobody else does
	LetGo   QuorumLoss = "drop"  // nobody without quorum owns it
)

// QuorumLosses lists what there is to do without quorum, sorted.
var QuorumLosses = []string{string(LetGo), string(HoldOn), string(GiveWay)}

// SegmentCut is who owns a group whose segment is cut in two, while the directors on both sides speak to each other.
type SegmentCut string

// Who owns a group whose segment is cut. What the empty word says is that each side has an owner.
const (
	EachSide SegmentCut = "each" // the empty word's name
	OneSide  SegmentCut = "one"  // the side with more directors; of two that have as many, the owner's
)

// SegmentCuts lists who may own a group whose segment is cut, sorted.
var SegmentCuts = []string{string(EachSide), string(OneSide)}

// Policy is a way to choose a group's owner where several directors are fit.
type Policy string

// The policies. That of the empty word is to leave a group where it is.
const (
	Sticky Policy = "sticky" // the empty word's name
	Leader Policy = "leader" // the owner follows the leader
	Spread Policy = "spread" // every director owns as many groups as any other
	Pinned Policy = "pinned" // the first that is fit of those that are named
	Score  Policy = "score"  // the one with the best score
)

// Policies lists the policies, sorted.
var Policies = []string{string(Leader), string(Pinned), string(Score), string(Spread), string(Sticky)}

// What a policy holds by default. What moves a score has its own patience, its rise and fall.
const (
	defaultHold      = time.Minute
	defaultScoreHold = 10 * time.Second
)

// DefaultHold returns how long a policy holds if nothing is said.
func (p Policy) DefaultHold() time.Duration {
	switch p {
	case "", Sticky:
		return 0
	case Score:
		return defaultScoreHold
	}
	return defaultHold
}

// HoldFor returns how long another director must be the better one before the group moves to it, and so how
// long it stays where it has moved at least.
func (p Placement) HoldFor() time.Duration {
	switch {
	case p.Hold < 0:
		return 0
	case p.Hold == 0:
		return p.Policy.DefaultHold()
	}
	return p.Hold
}
