package api

import (
	"context"
	"net/http"
)

// SaveRequest asks for the cluster's whole state.
type SaveRequest struct {
	Stale bool `json:"stale"` // what this director has, though nobody else can be asked
}

// SavedState is the text of a file that `quorate snapshot save` keeps: secrets and all.
type SavedState struct {
	Text []byte `json:"text"`
}

// RestoreRequest asks for the configuration of a saved state to be the cluster's.
type RestoreRequest struct {
	Text   []byte `json:"text"`  // of the file
	Force  bool   `json:"force"` // though it is another cluster's
	Base   uint64 `json:"base"`  // the revision that it was planned on
	Author string `json:"author"`
}

// snapshots are the parts of the API that save and restore.
func snapshots(mux *router, a Agent) {
	post(mux, "/v1/snapshot/save", func(ctx context.Context, q SaveRequest) (any, error) { return a.SaveSnapshot(ctx, q) })
	post(mux, "/v1/snapshot/plan", func(ctx context.Context, q RestoreRequest) (any, error) { return a.PlanRestore(ctx, q) })
	post(mux, "/v1/snapshot/restore", func(ctx context.Context, q RestoreRequest) (any, error) { return a.Restore(ctx, q) })
}

// SaveSnapshot implements [Agent].
func (c *Client) SaveSnapshot(ctx context.Context, r SaveRequest) (s SavedState, err error) {
	return s, c.call(ctx, http.MethodPost, "/v1/snapshot/save", r, &s)
}

// PlanRestore implements [Agent].
func (c *Client) PlanRestore(ctx context.Context, r RestoreRequest) (p Plan, err error) {
	return p, c.call(ctx, http.MethodPost, "/v1/snapshot/plan", r, &p)
}

// Restore implements [Agent].
func (c *Client) Restore(ctx context.Context, r RestoreRequest) (res ApplyResult, err error) {
	return res, c.call(ctx, http.MethodPost, "/v1/snapshot/restore", r, &res)
}
