package cluster

import (
	"context"
	"fmt"
	"time"

	"github.com/quorate/quorate/cluster/pki"
	"github.com/quorate/quorate/fsm"
)

// CreateToken makes a token that lets one agent join in a role, within a lifetime. Its text is
// known to nobody else afterwards.
func (n *Node) CreateToken(ctx context.Context, role fsm.Role, lifetime time.Duration) (string, error) {
	if role == "" {
		role = fsm.RoleDirector
	}
	if lifetime <= 0 {
		return "", fmt.Errorf("a token that is good for %v lets nobody in", lifetime)
	}
	secrets := n.State().Secrets()
	ca, err := pki.ParseCertificate(secrets.CACert)
	if err != nil {
		return "", fmt.Errorf("create token: the cluster's CA: %w", err)
	}
	t := pki.NewToken(ca.Raw)
	now := time.Now().UTC().Truncate(time.Second)
	cmd := fsm.AddToken{ID: t.ID(), Token: fsm.Token{Hash: t.Hash(), Role: role, Expires: now.Add(lifetime), CA: n.nameCA(secrets)}, Now: now}
	if err := n.Propose(ctx, cmd); err != nil {
		return "", fmt.Errorf("create token: %w", err)
	}
	return t.String(), nil
}

// nameCA is what the record of a token or certificate says of the CA that it ends with, once the cluster knows of that.
func (n *Node) nameCA(s fsm.Secrets) string {
	if n.State().Level < fsm.LevelKeys {
		return ""
	}
	return fsm.KeyID(s.CACert)
}
