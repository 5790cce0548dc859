package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/fsm"
)

// Terms are who asks for a change and why, and on what condition it stays.
type Terms struct {
	Author  string `json:"author"`            // counts from root only; else it is who opened the socket
	Message string `json:"message,omitempty"` // for the history

	Confirm     time.Duration `json:"confirm,omitempty"`      // nanoseconds in which it takes itself back unless it is confirmed
	RevertBelow int           `json:"revert_below,omitempty"` // percent; it does so at once if fewer of the servers that it touched are up
}

// Limits of what may be said about a change.
const (
	MaxMessage    = 500 // bytes
	ShortestTrial = time.Second
	LongestTrial  = 24 * time.Hour
)

// Check says what is wrong with terms, whatever the change is.
func (t Terms) Check() error {
	switch {
	case len(t.Message) > MaxMessage:
		return fmt.Errorf("the message has %d bytes, and the history takes %d: say it shorter; nothing was applied", len(t.Message), MaxMessage)
	case t.RevertBelow != 0 && t.Confirm == 0:
		return errors.New("--revert-below looks only while a change waits to be confirmed: add --confirm 60s; nothing was applied")
	case t.Confirm == 0:
		return nil
	case t.RevertBelow < 0 || t.RevertBelow > 100:
		return fmt.Errorf("--revert-below %d%%: it must be 1%% to 100%%; nothing was applied", t.RevertBelow)
	}
	return CheckTrial(t.Confirm)
}

// CheckTrial says what is wrong with the time that a change which is to be confirmed waits.
func CheckTrial(wait time.Duration) error {
	if wait < ShortestTrial || wait > LongestTrial {
		return fmt.Errorf("--confirm %v: it must be %v to %v; nothing was applied", wait, ShortestTrial, LongestTrial)
	}
	return nil
}

// Revision is one change of the configuration that the cluster remembers.
type Revision struct {
	Revision  uint64    `json:"revision"`
	Time      time.Time `json:"time"`
	Author    string    `json:"author"`
	Message   string    `json:"message"`
	Cause     string    `json:"cause,omitempty"` // of what is no plain change: "rollback to revision 5"
	Summary   string    `json:"summary"`         // what changed, in a line
	Confirmed string    `json:"confirmed,omitempty"`
	Until     time.Time `json:"until,omitzero"` // when it takes itself back; zero for what is here to stay
}

// RollbackRequest asks for the configuration of an older revision.
type RollbackRequest struct {
	Base     uint64 `json:"base"` // the revision that it was planned on
	Revision uint64 `json:"revision"`
	Terms
}

// EditRequest asks for small changes of the configuration as it is, all in one revision.
type EditRequest struct {
	Edits []config.Edit `json:"edits"`
	Terms
}

// ConfirmRequest keeps a change that would take itself back.
type ConfirmRequest struct {
	Revision uint64 `json:"revision,omitempty"` // 0: whichever waits
	Author   string `json:"author"`
}

// history is the part of the API that knows the past of the configuration, and changes it without a file.
func history(mux *router, a Agent) {
	get(mux, "/v1/history", func(r *http.Request) (any, error) { return a.History(r.Context()) })
	get(mux, "/v1/config", func(r *http.Request) (any, error) {
		text := r.FormValue("revision")
		if text == "" {
			cfg, rev, err := a.Config(r.Context())
			return ApplyRequest{Base: rev, Config: cfg}, err
		}
		revision, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return nil, badRequest{fmt.Errorf("revision=%q is not the number of a revision", text)}
		}
		cfg, err := a.ConfigAt(r.Context(), revision)
		return ApplyRequest{Base: revision, Config: cfg}, err
	})
	get(mux, "/v1/diff", func(r *http.Request) (any, error) {
		var revisions [2]uint64
		for i, name := range []string{"from", "to"} {
			n, err := strconv.ParseUint(r.FormValue(name), 10, 64)
			if err != nil {
				return nil, badRequest{fmt.Errorf("%s=%q is not the number of a revision", name, r.FormValue(name))}
			}
			revisions[i] = n
		}
		changes, err := a.Diff(r.Context(), revisions[0], revisions[1])
		return append([]config.Change{}, changes...), err // [] in JSON, not null
	})
	post(mux, "/v1/rollback/plan", func(ctx context.Context, q RollbackRequest) (any, error) { return a.PlanRollback(ctx, q) })
	post(mux, "/v1/rollback", func(ctx context.Context, q RollbackRequest) (any, error) { return a.Rollback(ctx, q) })
	post(mux, "/v1/edit/plan", func(ctx context.Context, q EditRequest) (any, error) { return a.PlanEdit(ctx, q) })
	post(mux, "/v1/edit", func(ctx context.Context, q EditRequest) (any, error) { return a.Edit(ctx, q) })
	post(mux, "/v1/confirm", func(ctx context.Context, q ConfirmRequest) (any, error) { return a.Confirm(ctx, q) })
}

// History implements [Agent].
func (c *Client) History(ctx context.Context) (rs []Revision, err error) {
	return rs, c.call(ctx, http.MethodGet, "/v1/history", nil, &rs)
}

// ConfigAt implements [Agent].
func (c *Client) ConfigAt(ctx context.Context, revision uint64) (fsm.Config, error) {
	cfg, _, err := c.config(ctx, "/v1/config?revision="+strconv.FormatUint(revision, 10))
	return cfg, err
}

// Diff implements [Agent].
func (c *Client) Diff(ctx context.Context, from, to uint64) (changes []config.Change, err error) {
	return changes, c.call(ctx, http.MethodGet, fmt.Sprintf("/v1/diff?from=%d&to=%d", from, to), nil, &changes)
}

// PlanRollback implements [Agent].
func (c *Client) PlanRollback(ctx context.Context, r RollbackRequest) (p Plan, err error) {
	return p, c.call(ctx, http.MethodPost, "/v1/rollback/plan", r, &p)
}

// Rollback implements [Agent].
func (c *Client) Rollback(ctx context.Context, r RollbackRequest) (res ApplyResult, err error) {
	return res, c.call(ctx, http.MethodPost, "/v1/rollback", r, &res)
}

// PlanEdit implements [Agent].
func (c *Client) PlanEdit(ctx context.Context, r EditRequest) (p Plan, err error) {
	return p, c.call(ctx, http.MethodPost, "/v1/edit/plan", r, &p)
}

// Edit implements [Agent].
func (c *Client) Edit(ctx context.Context, r EditRequest) (res ApplyResult, err error) {
	return res, c.call(ctx, http.MethodPost, "/v1/edit", r, &res)
}

// Confirm implements [Agent].
func (c *Client) Confirm(ctx context.Context, r ConfirmRequest) (res ApplyResult, err error) {
	return res, c.call(ctx, http.MethodPost, "/v1/confirm", r, &res)
}
