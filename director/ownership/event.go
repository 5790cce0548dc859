package ownership

import (
	"time"

	"github.com/quorate/quorate/fsm"
)

// Event is an input of a [Machine].
type Event interface{ event() }

// Look says that facts have changed, or that the machine's deadline has passed.
type Look struct{}

// Done tells how an action that had an ID came out. Each such action has exactly one Done, within the time
// that the action allows.
type Done struct {
	ID       uint64
	Err      error
	OK       bool        // of [Grant] and [Concede]: the group was owned here; of [Verify]: the keeper answers
	Word     Attestation // of [Ask]
	Segments []Segment   // of [Probe]: of the routers that could be asked
}

// Refusal is the error of an [Ask] that was answered, with the reason why it is not done.
type Refusal string

func (r Refusal) Error() string { return string(r) }

// Asked is a question of another member, which the machine answers with one [Reply] of the same ID.
type Asked struct {
	ID   uint64
	From string
	Question
}

// Fenced tells that the addresses that a keeper which stands still had of the group were removed, since another director
// owns it.
type Fenced struct{}

func (Look) event()   {}
func (Done) event()   {}
func (Asked) event()  {}
func (Fenced) event() {}

// Kind is what a question is about.
type Kind string

// The questions that directors ask each other about a group.
const (
	Attest  Kind = "attest"  // what do you know of it
	Yield   Kind = "yield"   // you own it, and the log has it move to me: do not resist my claim
	Claimed Kind = "claimed" // I have claimed it: let it go if you have not heard
	Let     Kind = "let"     // you own it and nobody reaches you on its segment: let it go, or say whom you reach

	Announce Kind = "announce" // you own it, and its addresses were here until now: neighbours may believe that they still are
)

// Question is what one director asks another about a group.
type Question struct {
	Kind  Kind   `json:"kind"`
	Epoch uint64 `json:"epoch,omitempty"` // of the move that it is about; of Attest: that the log of who asks has the group in
	Named string `json:"named,omitempty"` // of Attest: the owner that the log of who asks names
	Owns  bool   `json:"owns,omitempty"`  // of Attest: who asks owns the group, too
	Place int    `json:"place,omitempty"` // of Attest: of who asks among the successors, see [Attestation]
	// Side is of Let: the directors on the asker's side of the segment of each router on which it does not hear the
	// owner, itself included, in the order of the configuration; none where it does.
	Side [][]string `json:"side,omitempty"`
}

// Attestation is what a director says of a group when it is asked.
type Attestation struct {
	Owns  bool     `json:"owns"`            // its routers are Active, and have carrier
	Epoch uint64   `json:"epoch"`           // that its log has the group in
	Named string   `json:"named,omitempty"` // the owner that its log names
	Place int      `json:"place,omitempty"` // of this director among the successors, by its own log
	Stays bool     `json:"stays"`           // it owns the group, and does not give it up to who asks, by what both know
	Hears []string `json:"hears,omitempty"` // the member that it hears own it now, or "", by router in the order of the configuration
	Gone  []string `json:"gone,omitempty"`  // members that it has neither heard nor reached for 300 ms
	// Mute are the members of whose agents it has heard nothing over the cluster port for [Mute].
	Mute []string `json:"mute,omitempty"`
	// Reaches are the members that have answered on the segment of each router within 300 ms, and the [Gateway];
	// none if it does not know.
	Reaches [][]string `json:"reaches,omitempty"`
}

// Segment is what answers on the segment of a router.
type Segment struct {
	Router  string
	Reached []string // members whose own address answers
	Serves  string   // the member that answers for the router's address, "" for none or a stranger
	Virtual bool     // that address is answered by a virtual MAC, which only an owner has
	Gateway bool     // the default route's next hop answers
	Doubled string   // says that several members answer for that address, this one among them if it owns the group; or is empty
}

// Action is an output of a [Machine]. Actions are begun in order, and none is waited for.
type Action interface{ action() }

// Ask asks another member. Its Done has the word of that member, or a [Refusal], or the error with which it did not
// answer within the time.
type Ask struct {
	ID     uint64
	To     string
	Within time.Duration
	Question
}

// Probe asks the segments of routers for their address, the members' own addresses and the gateway.
type Probe struct {
	ID      uint64
	Routers []string
	Within  time.Duration
}

// Pull brings the connections of another director into this one's kernel.
type Pull struct {
	ID     uint64
	From   string
	Within time.Duration
	Whole  bool // all of them, and not those alone that are new since the last time
	// Share is the least share of those connections that must be here after it, for it to have no error: 0 to 1. It is
	// known where the pull is whole.
	Share float64
}

// Claim has the keeper take the group. Its Done comes when the addresses are announced.
type Claim struct {
	ID       uint64
	Priority uint8
}

// Verify looks whether the keeper answers. Its Done has OK if so, and comes with facts that are no older than that answer:
// what one that was frozen said last is not true any more, though it goes on.
type Verify struct {
	ID     uint64
	Within time.Duration
}

// Grant has the keeper not resist a claim for a while: the addresses stay until the new owner has announced.
type Grant struct {
	ID   uint64
	Wait time.Duration
}

// Concede has the keeper give the group up to a claim that it may not have heard.
type Concede struct{ ID uint64 }

// Unclaim has the keeper go on with what it owns in the priority that its order has for it, and no more in that of a claim.
type Unclaim struct{}

// HoldTimer keeps the group from taking over by its timer for a while; 0 ends that.
type HoldTimer struct{ For time.Duration }

// Resign gives the group up at once, whoever takes it.
type Resign struct {
	Linger bool // another claims it at once: the addresses stay for 20 ms, as after a yield
}

// Renew has the keeper announce the group's addresses again.
type Renew struct{}

// Propose puts a command to the log. Its Done says whether that took it.
type Propose struct {
	ID      uint64
	Command fsm.Command
	Within  time.Duration
}

// Reply answers the question that had this ID: with a word, or with the reason of a refusal.
type Reply struct {
	ID     uint64
	Word   Attestation
	Refuse string // empty: it is not refused
}

// Tell is something that people are told of.
type Tell struct {
	Kind  string // guard, yield, claim or contest
	Text  string
	Alarm bool // somebody should look at it
}

func (Ask) action()       {}
func (Probe) action()     {}
func (Pull) action()      {}
func (Claim) action()     {}
func (Verify) action()    {}
func (Grant) action()     {}
func (Concede) action()   {}
func (Unclaim) action()   {}
func (HoldTimer) action() {}
func (Resign) action()    {}
func (Renew) action()     {}
func (Propose) action()   {}
func (Reply) action()     {}
func (Tell) action()      {}
