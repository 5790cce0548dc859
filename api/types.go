// Package api is the HTTP API of an agent: its types, the handler that serves it and the client
// that the command line uses. The same API is on the local unix socket and, for who has a certificate, on
// the cluster port.
//
// It promises that a field once here keeps its name and meaning, and that nobody is answered whose role
// does not allow it. It holds no logic of its own: what is asked goes to an [Agent].
package api

import (
	"context"
	"time"

	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/fsm"
)

// Status is one screen of truth about the cluster, as one director knows it.
type Status struct {
	Name         string           `json:"name"`    // the director that answers
	Version      string           `json:"version"` // of its binary
	Cluster      string           `json:"cluster"` // ID; "" without a cluster
	Leader       string           `json:"leader"`  // name or ""
	Quorum       bool             `json:"quorum"`  // it leads, or hears and reaches who does: what can be changed can be from here
	Revision     uint64           `json:"revision"`
	AppliedIndex uint64           `json:"applied_index"`
	FeatureLevel int              `json:"feature_level"`
	StateHash    string           `json:"state_hash"`    // hex
	ClusterEpoch uint64           `json:"cluster_epoch"` // 1, and one more with each recovery
	Voters       int              `json:"voters"`        // members that count for the quorum, as far as this director knows
	Answering    int              `json:"answering"`     // of these
	CannotWrite  int              `json:"cannot_write"`  // of the answering: whose disks are full or take nothing, so that they agree to nothing for sure
	MayFail      int              `json:"may_fail"`      // how many more of the others may fail before the quorum is lost
	Directors    []DirectorStatus `json:"directors"`
	Groups       []GroupStatus    `json:"groups"`
	Services     []ServiceStatus  `json:"services"`
	Warnings     []string         `json:"warnings"` // what a person should look at, worst first

	// CutOff is true of a director that hears who leads, and either does not reach it, or is answered by no majority of the
	// voters: it knows of the others what the log and the segments say.
	CutOff bool `json:"cut_off,omitempty"`

	// Former is true of a director that is no member any more: it knows of itself alone, and has the rest from before.
	Former bool `json:"former,omitempty"`

	// Joining is how far the join is that the agent file asks for, of a director that is in no cluster for want of it.
	Joining *Joining `json:"joining,omitempty"`

	// Rotations says which of the cluster's own keys are being rotated, a line for each.
	Rotations []string `json:"rotations,omitempty"`

	// Drops counts, per interface, adverts that were dropped before a router was found for them.
	Drops map[string]map[string]uint64 `json:"vrrp_drops,omitempty"`
}

// Joining is a join that an agent file asks for, which is tried until it works.
type Joining struct {
	Address string    `json:"address"` // of the member that is asked
	Every   float64   `json:"every"`   // seconds after which it is tried again
	Tried   time.Time `json:"tried"`   // last; zero before the first has ended
	Error   string    `json:"error"`   // why that was in vain, or empty
}

// DirectorStatus is one member.
type DirectorStatus struct {
	Name         string   `json:"name"`
	State        string   `json:"state"` // alive, unreachable, joining or leaving
	Ready        bool     `json:"ready"`
	Reasons      []string `json:"reasons,omitempty"` // why it is not ready
	Role         string   `json:"role"`
	Address      string   `json:"address"`
	Version      string   `json:"version"`
	Draining     bool     `json:"draining"`
	AppliedIndex uint64   `json:"applied_index"`
	StateHash    string   `json:"state_hash"`       // hex, at AppliedIndex, or "" where it is not known there: below feature level 3 it is computed now and then
	Behind       uint64   `json:"behind,omitempty"` // log entries that another has applied and this one has not

	Refused map[string]uint64 `json:"refused,omitempty"` // to who is no director, on its ports since it started, by why

	// ClockAhead is by how many seconds its clock is ahead of that of the director that answers, if it is off by more than it may.
	ClockAhead float64 `json:"clock_ahead,omitempty"`

	// Unproved is why it cannot be asked though it is there: its certificate is not taken by the director that answers, or that
	// one's by it. Mostly a clock is wrong.
	Unproved string `json:"unproved,omitempty"`

	CertificateIssued  time.Time `json:"certificate_issued,omitzero"`
	CertificateExpires time.Time `json:"certificate_expires,omitzero"` // it renews itself long before
}

// GroupStatus is one group of routers.
type GroupStatus struct {
	Name      string   `json:"name"`
	Owner     string   `json:"owner"` // name, "" or "foreign ADDRESS"
	Epoch     uint64   `json:"epoch"`
	Named     string   `json:"named"`            // the owner by the log, whose epoch that is: the address changes hands a moment before the log says so
	Reason    string   `json:"reason"`           // why it owns it; of an owner that the log does not name, whom it names, too
	Moving    string   `json:"moving,omitempty"` // to whom, while a planned move is under way
	Order     []string `json:"order"`            // successors by the log, best first
	Next      []string `json:"next"`             // of these, who could take it now
	Addresses []string `json:"addresses"`
	State     string   `json:"state"`    // of this director's routers: initialize, backup or active
	Priority  uint8    `json:"priority"` // that this director advertises

	Changes map[string]uint64 `json:"changes,omitempty"` // to each state, on this director since its keeper started
	Routers []RouterStatus    `json:"routers,omitempty"` // as they run on this director
}

// RouterStatus is one virtual router on the director that answers.
type RouterStatus struct {
	Name      string `json:"name"`
	VRID      uint8  `json:"vrid"`
	Interface string `json:"interface"`       // the kernel's name
	Source    string `json:"source"`          // address that adverts leave from
	Fault     string `json:"fault,omitempty"` // why it cannot work
	Error     string `json:"error,omitempty"` // of the kernel, about its addresses, routes, rules or adverts

	Heard         string  `json:"heard,omitempty"` // the Active router that was heard last
	HeardPriority uint8   `json:"heard_priority,omitempty"`
	HeardMember   bool    `json:"heard_member,omitempty"`   // that is a member's
	HeardInterval float64 `json:"heard_interval,omitempty"` // seconds between its adverts, as it says
	HeardAge      float64 `json:"heard_age,omitempty"`      // seconds

	Sent      uint64            `json:"sent"`      // adverts
	Received  uint64            `json:"received"`  // adverts that were believed
	Contested uint64            `json:"contested"` // adverts that were believed while this one was Active too
	Contest   float64           `json:"contest"`   // seconds for which another one was heard to be Active beside this one
	Restored  uint64            `json:"restored"`  // addresses, routes, rules, refusals that somebody else removed
	Drops     map[string]uint64 `json:"drops"`     // adverts that were not believed, by the reason
	Notices   map[string]uint64 `json:"notices"`   // adverts that were believed and odd, by the oddity
}

// ServiceStatus is one virtual service.
type ServiceStatus struct {
	Name      string         `json:"name"`
	Address   string         `json:"address"`
	Scheduler string         `json:"scheduler"`
	Forward   string         `json:"forward"`
	Servers   []ServerStatus `json:"servers"`
}

// ServerStatus is one real server of a service.
type ServerStatus struct {
	Address    string            `json:"address"`
	Verdict    string            `json:"verdict"` // up, down or unknown
	Weight     uint32            `json:"weight"`  // as in this director's kernel, 0 if out
	Configured uint32            `json:"configured_weight"`
	Cause      string            `json:"cause"` // why it is up or down
	Seen       map[string]string `json:"seen"`  // what each director saw, as far as this one knows
	Fallback   bool              `json:"fallback,omitempty"`
	Asymmetric bool              `json:"asymmetric,omitempty"` // this director's own check differs from the verdict
}

// Event is one thing that happened, with its cause.
type Event struct {
	Sequence uint64    `json:"sequence"` // of this agent; rises by one, and by more when it is started anew
	Time     time.Time `json:"time"`
	Director string    `json:"director"` // who tells it
	Index    uint64    `json:"index,omitempty"`
	Kind     string    `json:"kind"`
	Name     string    `json:"name,omitempty"`
	Text     string    `json:"text"`
}

// Plan is what an apply would do.
type Plan struct {
	Base        uint64              `json:"base"`           // the revision that it was made on
	Until       time.Time           `json:"until,omitzero"` // when that one takes itself back unless it is confirmed; zero if it is here to stay
	Changes     []config.Change     `json:"changes"`
	Problems    config.Problems     `json:"problems"`
	Kernel      map[string][]string `json:"kernel"`             // operations on IPVS, by director
	Unknown     []string            `json:"unknown,omitempty"`  // directors that did not say what it would be there
	Connections int                 `json:"connections"`        // established ones that would end
	AtLeast     bool                `json:"at_least,omitempty"` // there may be more: a director did not say, or could not be sure
	Risks       []Risk              `json:"risks"`              // why, of all of them; each is in one
}

// Risk is how many established connections a change would end for one reason.
type Risk struct {
	Connections int    `json:"connections"`
	Why         string `json:"why"`
}

// ApplyRequest asks for a configuration to be applied.
type ApplyRequest struct {
	Base   uint64     `json:"base"` // the revision that it was planned on
	Config fsm.Config `json:"config"`
	Terms
}

// ApplyResult is what became of it.
type ApplyResult struct {
	Revision uint64 `json:"revision"`
	Index    uint64 `json:"index"`

	Changes  []config.Change `json:"changes,omitempty"`  // of an edit
	Warnings config.Problems `json:"warnings,omitempty"` // about what an edit touched
	Until    time.Time       `json:"until,omitzero"`     // when it takes itself back unless it is confirmed
}

// JoinRequest asks an agent to join a cluster.
type JoinRequest struct {
	Address string `json:"address"`
	Token   string `json:"token"`
}

// TokenRequest asks for a token.
type TokenRequest struct {
	Role     string        `json:"role"`
	Lifetime time.Duration `json:"lifetime"` // nanoseconds
}

// Token is a token for one join.
type Token struct {
	ID      string    `json:"id"` // that list shows and revoke takes
	Token   string    `json:"token"`
	Expires time.Time `json:"expires"`
}

// Ended is what became of the wish that a membership, a token or a certificate ends.
type Ended struct {
	Before string `json:"before,omitempty"` // that it had ended before, in a sentence; else ""
}

// TokenInfo is what is known of a token that was made; not the token.
type TokenInfo struct {
	ID      string    `json:"id"`
	Role    string    `json:"role"`
	Expires time.Time `json:"expires"`
	UsedBy  string    `json:"used_by"`
	CA      string    `json:"ca,omitempty"` // ID of the CA that it is of, and ends with
}

// DrainRequest asks a director to own nothing, or ends that.
type DrainRequest struct {
	Director string `json:"director"`
	Draining bool   `json:"draining"`
}

// MoveRequest asks for a group to be owned by a director.
type MoveRequest struct {
	Group    string `json:"group"`
	Director string `json:"director"`
	Force    bool   `json:"force"`  // though it is not ready, lacks connections or is cut off on a segment
	Author   string `json:"author"` // who asks, for the reason of the move
}

// Explanation says who owns a group, since when and why, what each member says of it, and what was decided
// last.
type Explanation struct {
	Group     string    `json:"group"`
	Owner     string    `json:"owner"`  // name, "" or "foreign ADDRESS"
	Since     time.Time `json:"since"`  // when the owner became it, by its own clock; zero if it does not say
	Epoch     uint64    `json:"epoch"`  // that the log has the group in
	Named     string    `json:"named"`  // the owner by the log, in that epoch
	Reason    string    `json:"reason"` // as in a [GroupStatus]
	Order     []string  `json:"order"`  // successors by the log, best first
	Next      []string  `json:"next"`   // of these, who could take it now
	Cannot    []string  `json:"cannot"` // of the others, why not
	Moving    string    `json:"moving,omitempty"`
	Placement string    `json:"placement,omitempty"` // its policy
	// Wish is whom the policy would have the group on, if on another than its owner, and WishIn in how many seconds it is moved
	// there, as who leads says: unless that is otherwise by then.
	Wish       string  `json:"wish,omitempty"`
	WishReason string  `json:"wish_reason,omitempty"`
	WishIn     float64 `json:"wish_in,omitempty"`

	NoQuorum  string        `json:"no_quorum,omitempty"` // that nothing can be decided, as the one who was asked knows it
	Members   []Attestation `json:"members"`             // by name
	Decisions []Decision    `json:"decisions"`           // the last ten, oldest first
}

// Attestation is what one member says of a group.
type Attestation struct {
	Name     string            `json:"name"`
	Error    string            `json:"error,omitempty"` // why it said nothing
	Role     string            `json:"role,omitempty"`
	Draining bool              `json:"draining,omitempty"`
	Part     string            `json:"part"` // initialize, backup or active; "" for a witness
	Since    time.Time         `json:"since"`
	Reason   string            `json:"reason"` // of that part
	Priority uint8             `json:"priority"`
	Epoch    uint64            `json:"epoch"`           // that its log has the group in
	Hears    map[string]string `json:"hears,omitempty"` // router: the member that it hears own it now
	Gone     []string          `json:"gone,omitempty"`  // members that are silent to it on every path
	Ready    bool              `json:"ready"`
	Why      []string          `json:"why,omitempty"` // it is not ready
	// Sampled is how many of the owner's connections were looked at, and Covered is how many of these this member has
	// too; both 0 where there are none.
	Sampled int `json:"sampled,omitempty"`
	Covered int `json:"covered,omitempty"`
}

// Decision is something that a director decided about a group, with what it decided from.
type Decision struct {
	Time     time.Time `json:"time"`
	Director string    `json:"director"`
	Kind     string    `json:"kind"` // place, move, guard, yield, claim or contest
	Text     string    `json:"text"`
	Inputs   []string  `json:"inputs"`
}

// LeaveRequest asks the agent to leave its cluster.
type LeaveRequest struct {
	Force bool `json:"force"`
}

// Progress reports a step of a long operation, for people.
type Progress func(step string)

// Agent is what the API serves: one director's control process. Every method may be called at
// once with others. Errors are shown to people as they are.
type Agent interface {
	Status(ctx context.Context) (Status, error)
	Config(ctx context.Context) (cfg fsm.Config, revision uint64, err error)
	Events(ctx context.Context, after uint64, wait bool) ([]Event, error)
	Explain(ctx context.Context, group string) (Explanation, error)
	Init(ctx context.Context, p Progress) error
	Join(ctx context.Context, r JoinRequest, p Progress) error
	Leave(ctx context.Context, r LeaveRequest, p Progress) error
	Remove(ctx context.Context, name string, force bool) (Ended, error)
	Drain(ctx context.Context, r DrainRequest, p Progress) error
	Move(ctx context.Context, r MoveRequest, p Progress) error
	CreateToken(ctx context.Context, r TokenRequest) (Token, error)
	Tokens(ctx context.Context) ([]TokenInfo, error)
	RevokeToken(ctx context.Context, id string) (Ended, error)
	CreateCertificate(ctx context.Context, r CertificateRequest) (Certificate, error)
	Plan(ctx context.Context, r ApplyRequest) (Plan, error)
	Apply(ctx context.Context, r ApplyRequest) (ApplyResult, error)
	SaveSnapshot(ctx context.Context, r SaveRequest) (SavedState, error)
	PlanRestore(ctx context.Context, r RestoreRequest) (Plan, error)
	Restore(ctx context.Context, r RestoreRequest) (ApplyResult, error)
	History(ctx context.Context) ([]Revision, error)
	ConfigAt(ctx context.Context, revision uint64) (fsm.Config, error)
	Diff(ctx context.Context, from, to uint64) ([]config.Change, error) // of revisions, keys included, which it does not show
	PlanRollback(ctx context.Context, r RollbackRequest) (Plan, error)
	Rollback(ctx context.Context, r RollbackRequest) (ApplyResult, error)
	PlanEdit(ctx context.Context, r EditRequest) (Plan, error)
	Edit(ctx context.Context, r EditRequest) (ApplyResult, error)
	Confirm(ctx context.Context, r ConfirmRequest) (ApplyResult, error)
	UpgradeStatus(ctx context.Context) (UpgradeStatus, error)
	FinishUpgrade(ctx context.Context, r UpgradeRequest) (UpgradeResult, error)
	Keys(ctx context.Context) ([]KeyStatus, error)
	RotateKey(ctx context.Context, r RotateRequest, p Progress) error
	FinishRotation(ctx context.Context, r FinishRotationRequest) (KeyStatus, error)
	PlanRecovery(ctx context.Context, r RecoverRequest) (RecoveryPlan, error)
	Recover(ctx context.Context, r RecoverRequest, p Progress) error
}
