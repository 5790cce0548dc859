package api_test

import (
	"context"

	"github.com/quorate/quorate/api"
)

var (
	keyStatus = api.KeyStatus{
		What: "gossip", Present: "0a1b2c3d", Former: "4e5f6071", UnderWay: true, WaitsFor: []string{"no answer comes from d2"},
		Directors: []api.KeyUse{{Name: "d1", Answers: true, Uses: "0a1b2c3d"}, {Name: "d2"}},
		Ends:      noon, Certificates: 2, Tokens: 1,
	}
	rotation = api.RotateRequest{What: "ca", Cert: []byte("cert"), Key: []byte("key"), Author: "root"}
	finish   = api.FinishRotationRequest{What: "gossip", Force: true, Ending: true, Author: "root"}
)

func (f *fake) Keys(context.Context) ([]api.KeyStatus, error) {
	return []api.KeyStatus{keyStatus}, f.ask("keys")
}

func (f *fake) RotateKey(_ context.Context, r api.RotateRequest, p api.Progress) error {
	return f.long(p, r)
}

func (f *fake) FinishRotation(_ context.Context, r api.FinishRotationRequest) (api.KeyStatus, error) {
	return keyStatus, f.ask(r)
}

// keyCalls are of what an agent is asked about the cluster's own keys.
func keyCalls() []call {
	one := func(v any, err error) ([]any, error) { return []any{v}, err }
	return []call{
		{"Keys", func(ctx context.Context, a api.Agent, _ api.Progress) ([]any, error) {
			return one(a.Keys(ctx))
		}, []any{"keys"}, []any{[]api.KeyStatus{keyStatus}}, false},
		{"RotateKey", func(ctx context.Context, a api.Agent, p api.Progress) ([]any, error) {
			return nil, a.RotateKey(ctx, rotation, p)
		}, []any{rotation}, nil, true},
		{"FinishRotation", func(ctx context.Context, a api.Agent, _ api.Progress) ([]any, error) {
			return one(a.FinishRotation(ctx, finish))
		}, []any{finish}, []any{keyStatus}, false},
	}
}
