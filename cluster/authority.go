package cluster

import (
	"context"
	"errors"
	"time"

	"github.com/quorate/quorate/cluster/pki"
	"github.com/quorate/quorate/fsm"
)

// RotateCA begins a rotation of the CA, and returns true: to one that is made here, or to one of a person's own, both in
// PEM. Where one is under way it goes on, which is no error, unless another CA is brought than the one that follows.
func (n *Node) RotateCA(ctx context.Context, cert, key []byte, author string) (begun bool, err error) {
	if _, err := n.CatchUp(ctx); err != nil {
		return false, err
	}
	brought := len(cert)+len(key) > 0
	if brought {
		if cert, key, err = pki.OwnCA(cert, key, n.id.ClusterID, time.Now()); err != nil {
			return false, err
		}
	}
	secrets := n.State().Secrets()
	r, underWay := secrets.Rotation(fsm.RotatesCA)
	switch id := fsm.KeyID(cert); {
	case brought && id == r.Present, brought && id == r.Next, !brought && underWay:
		return false, nil
	case brought:
		if err = pki.AnotherKey(secrets, cert); err != nil {
			return false, err
		}
	default:
		if cert, key, err = pki.NewCA(n.id.ClusterID, time.Now()); err != nil {
			return false, err
		}
	}
	link, err := pki.SignLink(secrets, cert)
	if err != nil {
		return false, err
	}
	err = n.Propose(ctx, fsm.OfferCA{Of: r.Present, CA: fsm.Authority{Cert: cert, Key: key, Link: link}, Author: author})
	if errors.Is(err, fsm.ErrTaken) && !brought {
		return false, nil // somebody else was faster
	}
	return err == nil, err
}
