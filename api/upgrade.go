package api

import (
	"context"
	"net/http"
	"time"
)

// UpgradeStatus says who runs what, and what the next feature level waits for.
type UpgradeStatus struct {
	Name      string            `json:"name"`   // the director that answers
	Leader    string            `json:"leader"` // name or ""
	Level     int               `json:"feature_level"`
	Directors []UpgradeDirector `json:"directors"`
	Next      []NextLevel       `json:"next"` // the levels beyond the cluster's that the director that answers knows

	RaiseTo int       `json:"raise_to,omitempty"`      // the level that all members support, if the leader says so
	RaiseAt time.Time `json:"raise_at,omitzero"`       // when the leader raises the cluster's to that
	ByHand  bool      `json:"raise_by_hand,omitempty"` // `quorate upgrade finish` alone does: an agent file says so

	RaiseAwaits []string `json:"raise_awaits,omitempty"` // as long as there are any the leader does not raise it, whatever the time: who does not answer, or drains
}

// UpgradeDirector is what a member runs: what it says, or what it said last.
type UpgradeDirector struct {
	Name     string `json:"name"`
	State    string `json:"state"` // alive, unreachable, joining or leaving
	Version  string `json:"version"`
	MinLevel int    `json:"min_level"` // feature levels that it supports
	MaxLevel int    `json:"max_level"`
}

// NextLevel is a feature level beyond the cluster's.
type NextLevel struct {
	Level    int      `json:"level"`
	Brings   []string `json:"brings"`    // a line for each feature
	WaitsFor []string `json:"waits_for"` // the members that do not support it
}

// UpgradeRequest asks for the feature level of the binary that is asked.
type UpgradeRequest struct {
	Author string `json:"author"`
}

// UpgradeResult is the cluster's feature level.
type UpgradeResult struct {
	Was   int `json:"was"`
	Level int `json:"feature_level"`
}

// UpgradeStatus implements [Agent].
func (c *Client) UpgradeStatus(ctx context.Context) (st UpgradeStatus, err error) {
	return st, c.call(ctx, http.MethodGet, "/v1/upgrade", nil, &st)
}

// FinishUpgrade implements [Agent].
func (c *Client) FinishUpgrade(ctx context.Context, r UpgradeRequest) (res UpgradeResult, err error) {
	return res, c.call(ctx, http.MethodPost, "/v1/upgrade/finish", r, &res)
}
