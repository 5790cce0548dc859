package api

import (
	"context"
	"net/http"
)

// UpgradeRequest asks for the feature level of the binary that is asked.
type UpgradeRequest struct {
	Author string `json:"author"`
}

// UpgradeResult is the cluster's feature level.
type UpgradeResult struct {
	Was   int `json:"was"`
	Level int `json:"feature_level"`
}

// FinishUpgrade implements [Agent].
func (c *Client) FinishUpgrade(ctx context.Context, r UpgradeRequest) (res UpgradeResult, err error) {
	return res, c.call(ctx, http.MethodPost, "/v1/upgrade/finish", r, &res)
}
