package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/cluster/pki"
	"github.com/quorate/quorate/fsm"
)

// CreateToken implements [api.Agent].
func (a *Agent) CreateToken(ctx context.Context, r api.TokenRequest) (api.Token, error) {
	s, err := a.current()
	if err != nil {
		return api.Token{}, err
	}
	switch fsm.Role(r.Role) {
	case fsm.RoleDirector, fsm.RoleWitness, "":
	default:
		return api.Token{}, fmt.Errorf("a token for the role %q lets nobody in: it is %s or %s", r.Role, fsm.RoleDirector, fsm.RoleWitness)
	}
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	token, err := s.node.CreateToken(ctx, fsm.Role(r.Role), r.Lifetime)
	if err != nil {
		return api.Token{}, err
	}
	id, err := pki.TokenID(token)
	return api.Token{ID: id, Token: token, Expires: time.Now().Add(r.Lifetime).UTC()}, err
}

// CreateCertificate implements [api.Agent].
func (a *Agent) CreateCertificate(ctx context.Context, r api.CertificateRequest) (api.Certificate, error) {
	s, err := a.current()
	if err != nil {
		return api.Certificate{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	h, err := s.node.CreateCertificate(ctx, r.CSR, r.Name, fsm.Role(r.Role), r.Lifetime)
	return api.Certificate{ID: h.ID, Certificate: h.Certificate, CA: h.CA, Expires: h.Expires}, err
}

// Tokens implements [api.Agent].
func (a *Agent) Tokens(context.Context) ([]api.TokenInfo, error) {
	s, err := a.current()
	if err != nil {
		return nil, err
	}
	secrets := s.node.State().Secrets()
	tokens, ca := secrets.Tokens, fsm.KeyID(secrets.CACert)
	out := []api.TokenInfo{}
	for _, id := range slices.Sorted(maps.Keys(tokens)) {
		t := tokens[id]
		out = append(out, api.TokenInfo{ID: id, Role: string(t.Role), Expires: t.Expires, UsedBy: t.UsedBy, CA: cmp.Or(t.CA, ca)})
	}
	return out, nil
}

// RevokeToken implements [api.Agent].
func (a *Agent) RevokeToken(ctx context.Context, id string) (api.Ended, error) {
	s, err := a.current()
	if err != nil {
		return api.Ended{}, err
	}
	err = s.propose(ctx, fsm.RevokeToken{ID: id})
	if errors.Is(err, fsm.ErrNotFound) {
		err = fmt.Errorf("%w: `quorate token list` and `quorate cert list` show the IDs", err)
	}
	return ended(err)
}
