package api

import (
	"context"
	"net/http"
	"time"
)

// KeyStatus says of a key of the cluster itself which one it is and how far its rotation is. Keys are named by IDs, which
// tell nothing of them.
type KeyStatus struct {
	What      string   `json:"what"` // gossip or ca
	Present   string   `json:"present"`
	Next      string   `json:"next,omitempty"`   // that every director is to take before it is used
	Former    string   `json:"former,omitempty"` // that is still taken
	UnderWay  bool     `json:"under_way"`
	WaitsFor  []string `json:"waits_for,omitempty"` // why the former one is not dropped
	Directors []KeyUse `json:"directors"`

	// Of the CA: when it ends, and what ends with it, or with the former one while there is one: certificates of people and
	// programs, and tokens that nobody has used.
	Ends         time.Time `json:"ends,omitzero"`
	Certificates int       `json:"certificates,omitempty"`
	Tokens       int       `json:"tokens,omitempty"`
}

// KeyUse is the key that a director uses.
type KeyUse struct {
	Name    string `json:"name"`
	Answers bool   `json:"answers"`
	Uses    string `json:"uses"` // its ID; "" of who does not answer
}

// RotateRequest asks for a rotation.
type RotateRequest struct {
	What   string `json:"what"`
	Cert   []byte `json:"cert"` // of an own CA, in PEM; if it is nil the cluster makes it, and what is empty is refused
	Key    []byte `json:"key"`  // of that, in PEM
	Author string `json:"author"`
}

// FinishRotationRequest asks for the end of a rotation.
type FinishRotationRequest struct {
	What   string `json:"what"`
	Force  bool   `json:"force"`  // though a director does not use the present key yet
	Ending bool   `json:"ending"` // though certificates and tokens end with the former one
	Author string `json:"author"`
}

func keys(mux *router, a Agent) {
	get(mux, "/v1/keys", func(r *http.Request) (any, error) { return a.Keys(r.Context()) })
	stream(mux, "/v1/keys/rotate", a.RotateKey)
	post(mux, "/v1/keys/finish", func(ctx context.Context, q FinishRotationRequest) (any, error) { return a.FinishRotation(ctx, q) })
}

// Keys implements [Agent].
func (c *Client) Keys(ctx context.Context) (ks []KeyStatus, err error) {
	return ks, c.call(ctx, http.MethodGet, "/v1/keys", nil, &ks)
}

// RotateKey implements [Agent].
func (c *Client) RotateKey(ctx context.Context, r RotateRequest, p Progress) error {
	return c.stream(ctx, "/v1/keys/rotate", r, p)
}

// FinishRotation implements [Agent].
func (c *Client) FinishRotation(ctx context.Context, r FinishRotationRequest) (k KeyStatus, err error) {
	return k, c.call(ctx, http.MethodPost, "/v1/keys/finish", r, &k)
}
