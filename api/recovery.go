package api

import (
	"context"
	"net/http"
	"time"
)

// RecoverRequest asks the agent to make a new cluster of itself alone, since the others are lost.
type RecoverRequest struct {
	Force bool `json:"force"` // though some of them answer
}

// RecoveryPlan is what a recovery would begin with.
type RecoveryPlan struct {
	Done     bool         `json:"done"`     // this director recovered the cluster before, and it has a quorum
	Survivor string       `json:"survivor"` // this director
	Epoch    uint64       `json:"epoch"`    // that the cluster would have
	AsOf     uint64       `json:"as_of"`    // index of the last log entry that this director has
	Written  time.Time    `json:"written,omitzero"`
	Revision uint64       `json:"revision"`
	Halted   string       `json:"halted,omitempty"` // the entry that ends what can be kept
	Members  []LostMember `json:"members"`
}

// LostMember is a member that would be one no longer.
type LostMember struct {
	Name         string `json:"name"`
	Address      string `json:"address"`
	Answers      bool   `json:"answers"`
	AppliedIndex uint64 `json:"applied_index,omitempty"`
	Why          string `json:"why,omitempty"`  // it answers, and cannot be asked for more
	Owns         string `json:"owns,omitempty"` // the group as whose owner it is heard
}

// recovery is the part of the API for a cluster that is lost.
func recovery(mux *router, a Agent) {
	post(mux, "/v1/recover/plan", func(ctx context.Context, q RecoverRequest) (any, error) { return a.PlanRecovery(ctx, q) })
	stream(mux, "/v1/recover", a.Recover)
}

// PlanRecovery implements [Agent].
func (c *Client) PlanRecovery(ctx context.Context, r RecoverRequest) (p RecoveryPlan, err error) {
	return p, c.call(ctx, http.MethodPost, "/v1/recover/plan", r, &p)
}

// Recover implements [Agent].
func (c *Client) Recover(ctx context.Context, r RecoverRequest, p Progress) error {
	return c.stream(ctx, "/v1/recover", r, p)
}
