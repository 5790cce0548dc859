package cluster

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/quorate/quorate/cluster/pki"
	"github.com/quorate/quorate/cluster/port"
)

// A member's certificate is renewed in the twelfth of its life that ends at two thirds of it: when in
// that, is each member's own. The key stays, so that nothing but time changes. The leader signs, after
// it has compared the clocks: a certificate by a clock that is ahead would be good for nobody else yet.
//
// One that has run out, since the host was off or the quorum lost for long, proves nothing to a leader
// any more. Its member extends it by itself: the CA's key is in its own state. It gains no right by that,
// for who is a member is what the others' logs say.

// Certificate returns how old this member's certificate is.
func (n *Node) Certificate() pki.Certificate {
	c := pki.AgeOf(n.creds.Leaf(), n.creds.Trust().Present())
	if why := n.overdue.Load(); why != nil {
		c.Trouble = *why
	}
	if why := n.refused.Load(); why != nil {
		c.Refused = *why
	}
	return c
}

// misfit reports whether another CA than the present one has signed this member's certificate.
func (n *Node) misfit() bool {
	return n.creds.Leaf().CheckSignatureFrom(n.creds.Trust().Present()) != nil
}

// renews keeps this member's certificate from running out, and from being a former CA's, until ctx ends.
func (n *Node) renews(ctx context.Context) error {
	news := make(chan struct{}, 1)
	defer n.keyNews.add(news)()
	failed := 0
	for ctx.Err() == nil && !n.unkept {
		if n.Removed() != nil {
			pause(ctx, time.Minute)
			continue
		}
		c, now, misfit := n.Certificate(), time.Now(), n.misfit()
		if wait := c.Due(n.id.ID).Sub(now); wait > 0 && !c.Void(now) && !misfit {
			pauseFor(ctx, news, min(wait, time.Minute)) // the clock may be set, and does not count while a host sleeps
			continue
		}
		err := n.renew(ctx, c, now)
		wait := c.Again(failed)
		if err == nil {
			failed = 0
			n.overdue.Store(nil)
			n.log.Info("certificate renewed", "ends", n.Certificate().Expires)
			if n.misfit() { // the leader has not come as far as this director
				wait = min(wait, n.cfg.Heartbeat/4)
			}
		} else if ctx.Err() == nil {
			failed++
			why := err.Error()
			n.overdue.Store(&why)
			if misfit {
				wait = min(wait, n.cfg.Heartbeat<<min(failed, 6))
			}
			n.log.Warn("certificate not renewed", "ends", c.Expires, "again in", wait, "err", err)
		}
		pauseFor(ctx, news, wait)
	}
	return nil
}

// pauseFor is a pause that news end.
func pauseFor(ctx context.Context, news <-chan struct{}, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-news:
	case <-t.C:
	}
}

// renew tries once to get a new certificate and take it into use.
func (n *Node) renew(ctx context.Context, c pki.Certificate, now time.Time) error {
	text, err := []byte(nil), error(nil)
	if c.Void(now) {
		text, err = n.extend(c, now)
	} else {
		text, err = n.askRenewal(ctx)
	}
	if err != nil {
		return err
	}
	return n.creds.Adopt(text, n.id)
}

// extend makes the present certificate good until a life from now.
func (n *Node) extend(c pki.Certificate, now time.Time) ([]byte, error) {
	if now.After(c.CAEnds) {
		return nil, fmt.Errorf("the cluster's CA ended at %s, and all certificates with it; is this host's clock right? If so, make a new cluster", c.CAEnds.UTC().Format(time.RFC3339))
	}
	from, until := c.Extended(now, n.cfg.CertificateLife)
	text, err := n.sign(n.creds.Leaf().PublicKey, n.id, from, until)
	if err != nil {
		return nil, fmt.Errorf("the certificate was good from %s to %s, and is not now; is this host's clock right? %w: `quorate leave --force` here, `quorate remove %s` on another director, then join again",
			c.Issued.UTC().Format(time.RFC3339), c.Expires.UTC().Format(time.RFC3339), err, n.id.Name)
	}
	return text, nil
}

// sign returns a certificate that is signed with the CA's key in the state.
func (n *Node) sign(pub crypto.PublicKey, p pki.Identity, from, until time.Time) ([]byte, error) {
	secrets := n.State().Secrets()
	if len(secrets.CAKey) == 0 {
		return nil, errors.New("the CA's key is not in this director's state")
	}
	return pki.SignMember(secrets.CACert, secrets.CAKey, pub, p, from, until)
}

// renewRequest asks the leader for a new certificate. For whom and for which key, the old one says by
// which it is asked: there is nothing to name another in.
type renewRequest struct {
	Now time.Time `json:"now"` // the member's clock
}

type renewResponse struct {
	Certificate []byte `json:"certificate"` // PEM
}

// askRenewal has the leader sign, and waits a while for there to be one.
func (n *Node) askRenewal(ctx context.Context) ([]byte, error) {
	waiting, cancel := context.WithTimeout(ctx, n.cfg.patience())
	defer cancel()
	for {
		var resp renewResponse
		now, err := time.Now(), errNotLeader
		if n.IsLeader() {
			resp.Certificate, err = n.reissue(n.id, n.creds.Leaf().PublicKey, now)
		} else if leader := n.Leader(); leader != "" {
			err = n.callAnew(waiting, leader, "/cluster/renew", renewRequest{now.UTC()}, &resp)
		}
		var dial *port.DialError
		if !errors.Is(err, errNotLeader) && !errors.As(err, &dial) {
			return resp.Certificate, err
		}
		pause(waiting, n.cfg.Heartbeat/20)
		if waiting.Err() != nil {
			if dial != nil {
				return nil, err
			}
			return nil, n.noLeader()
		}
	}
}

// serveRenew signs for the member at the other end of the connection, for nobody else.
func (n *Node) serveRenew(w http.ResponseWriter, r *http.Request) {
	var q renewRequest
	var resp renewResponse
	err := readJSON(w, r, &q)
	c, ok := r.Context().Value(connKey{}).(*port.Conn)
	if err == nil && (!ok || !n.IsLeader()) {
		err = errNotLeader
	}
	if err == nil {
		shown, now := c.ConnectionState().PeerCertificates[0], time.Now()
		resp.Certificate, err = n.renewal(shown, q.Now, now)
	}
	if err != nil {
		if !errors.Is(err, errNotLeader) {
			n.log.Warn("another's certificate not renewed", "from", r.RemoteAddr, "err", err)
		}
		writeError(w, err)
		return
	}
	writeJSON(w, resp)
}

// renewal is the leader's part: the certificate that follows the one that a member has shown.
func (n *Node) renewal(shown *x509.Certificate, there, here time.Time) ([]byte, error) {
	p, err := pki.IdentityOf(shown)
	if err != nil {
		return nil, err
	}
	if here.After(shown.NotAfter) { // its connection is older than that
		return nil, fmt.Errorf("the certificate of %s that this connection was opened with ended at %s", p.Name, shown.NotAfter.UTC().Format(time.RFC3339))
	}
	if err := n.clocksAgree(p.Name, there, here); err != nil {
		return nil, err
	}
	return n.reissue(p, shown.PublicKey, here)
}

// reissue signs for a member that has a certificate. Who was let in a moment ago is to ask again.
func (n *Node) reissue(p pki.Identity, pub crypto.PublicKey, now time.Time) ([]byte, error) {
	if m, ok := n.State().Members[p.Name]; !ok || m.ID != p.ID {
		return nil, errNotLeader
	}
	return n.sign(pub, p, now, now.Add(n.cfg.CertificateLife))
}
