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
	secrets := n.State().Secrets()
	ca, err := pki.ParseCertificate(secrets.CACert)
	if err != nil {
		return "", fmt.Errorf("create token: the cluster's CA: %w", err)
	}
	now := time.Now().UTC().Truncate(time.Second)
	if err := checkTokenLife(lifetime, now, ca.NotAfter); err != nil {
		return "", err
	}
	t := pki.NewToken(ca.Raw)
	cmd := fsm.AddToken{ID: t.ID(), Token: fsm.Token{Hash: t.Hash(), Role: role, Expires: now.Add(lifetime), CA: n.nameCA(secrets)}, Now: now}
	if err := n.Propose(ctx, cmd); err != nil {
		return "", fmt.Errorf("create token: %w", err)
	}
	return t.String(), nil
}

// maxTokenLife is how long a token may be good: it is a secret that opens the cluster.
const maxTokenLife = pki.MemberLifetime

// checkTokenLife says what is wrong with the lifetime of a token of a CA that ends at some time.
func checkTokenLife(lifetime time.Duration, now, end time.Time) error {
	switch {
	case lifetime <= 0 || lifetime > maxTokenLife:
		return fmt.Errorf("a token's lifetime of %s: it must be more than nothing, and at most %s", inDays(lifetime), inDays(maxTokenLife))
	case now.Add(lifetime).After(end):
		return fmt.Errorf("a token's lifetime of %s: the cluster's CA ends on %s, and a token with it: ask for less, or have `quorate key rotate ca` put another in its place",
			inDays(lifetime), end.UTC().Format(time.RFC3339))
	}
	return nil
}

// inDays writes a duration as the command line takes it: in days where it is a number of them.
func inDays(d time.Duration) string {
	if day := 24 * time.Hour; d != 0 && d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	return d.String()
}

// nameCA is what the record of a token or certificate says of the CA that it ends with, once the cluster knows of that.
func (n *Node) nameCA(s fsm.Secrets) string {
	if n.State().Level < fsm.LevelKeys {
		return ""
	}
	return fsm.KeyID(s.CACert)
}
