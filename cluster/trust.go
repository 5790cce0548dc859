package cluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/quorate/quorate/durable"
	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/lineage"
)

// The CAs by which a node knows the others are those that its state trusts. A node whose state is old, since it was
// away while the CA was rotated, knows none of the others any more: they all show certificates of a CA that came later.
// So they show beside them the links from each former CA to its successor ([fsm.Link]), and a node that dials learns by
// these whom its own CA has named. The links stay for good: by them also who comes back too late learns why it is refused.

// trust is what a node goes by at a time. It never changes.
type trust struct {
	present *x509.Certificate   // signs
	all     []*x509.Certificate // those that count, present included
	learned []*x509.Certificate // of these, those that the state does not have
	former  []*x509.Certificate // that count no more
	pool    *x509.CertPool
	shown   [][]byte // what is shown behind the own certificate
	server  *tls.Config
}

// certificates reads one after another of a PEM text.
func certificates(text []byte) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		out, text = append(out, cert), rest
	}
	if len(out) == 0 {
		return nil, errors.New("no certificate in PEM")
	}
	return out, nil
}

// trustedIn are the CAs that a state trusts, in PEM, the present one first.
func trustedIn(s fsm.Secrets) []byte {
	text := slices.Concat(s.CACert, s.CAFormer)
	if s.CANext != nil {
		text = append(text, s.CANext.Cert...)
	}
	return text
}

// newTrust makes a trust of what a state has, and of CAs that it may not know yet.
func newTrust(s fsm.Secrets, learned []*x509.Certificate) (*trust, error) {
	all, err := certificates(trustedIn(s))
	if err != nil {
		return nil, fmt.Errorf("the cluster's CA: %w", err)
	}
	var past, former, links []*x509.Certificate
	for _, l := range s.CALinks {
		cs, err := certificates(slices.Concat(l.Of, l.Cert))
		if err != nil {
			return nil, fmt.Errorf("the link to a CA: %w", err)
		}
		past, former, links = append(past, cs...), append(former, cs[0]), append(links, cs[1:]...)
	}
	past = append(past, all...)
	learned = slices.DeleteFunc(slices.Clone(learned), func(c *x509.Certificate) bool { return lineage.Has(past, c) }) // the state has gone on
	t := makeTrust(all, links, learned)
	t.former = former
	return t, nil
}

func makeTrust(all, links, learned []*x509.Certificate) *trust {
	t := &trust{present: all[0], all: slices.Concat(all, learned), learned: learned, pool: x509.NewCertPool()}
	for _, c := range t.all {
		t.pool.AddCert(c)
	}
	for _, c := range slices.Concat(all, links) {
		t.shown = append(t.shown, c.Raw)
	}
	return t
}

// text is all that is trusted in PEM, the present one first.
func (t *trust) text() []byte {
	var b []byte
	for _, c := range t.all {
		b = append(b, encodePEM("CERTIFICATE", c.Raw)...)
	}
	return b
}

// ids are the IDs of all that is trusted.
func (t *trust) ids() []string {
	var ids []string
	for _, c := range t.all {
		ids = append(ids, authorityID(c))
	}
	return ids
}

// authorityID is by what the state and people name a CA.
func authorityID(ca *x509.Certificate) string {
	return fsm.KeyID(encodePEM("CERTIFICATE", ca.Raw))
}

// trusts reports whether the CA still counts by which the other side of a connection was known.
func (c *credentials) trusts(s tls.ConnectionState) bool {
	t := c.trust.Load()
	return slices.ContainsFunc(s.VerifiedChains, func(chain []*x509.Certificate) bool { return lineage.Has(t.all, chain[len(chain)-1]) })
}

// follow takes up what a state trusts.
func (c *credentials) follow(s fsm.Secrets) error {
	if len(s.CACert) == 0 {
		return nil // the log has not come yet
	}
	c.changing.Lock()
	defer c.changing.Unlock()
	t, err := newTrust(s, c.trust.Load().all)
	if err != nil {
		return err
	}
	c.use(t)
	return nil
}

// use takes a trust into use. The caller holds changing.
func (c *credentials) use(t *trust) {
	t.server = c.serverBy(t)
	c.trust.Store(t)
}

// learn trusts CAs that follow those which count.
func (c *credentials) learn(more []*x509.Certificate) {
	c.changing.Lock()
	old := c.trust.Load()
	t := *old
	for _, cert := range more {
		if !lineage.Has(t.all, cert) {
			t.all, t.learned = append(slices.Clip(t.all), cert), append(slices.Clip(t.learned), cert)
		}
	}
	if len(t.all) > len(old.all) {
		t.pool = t.pool.Clone()
		for _, cert := range t.all[len(old.all):] {
			t.pool.AddCert(cert)
		}
		c.use(&t)
	}
	c.changing.Unlock()
	if c.onLearned != nil {
		c.onLearned()
	}
}

// verify holds the certificate of a member that was dialed against the CAs that count and, if it is of none of these,
// against those that follow them; where only the epoch is told, which is signed, against
// those that once counted, too: who was left behind by a recovery may have nothing newer.
func (c *credentials) verify(id string, epoch bool, s tls.ConnectionState) error {
	t, leaf := c.trust.Load(), s.PeerCertificates[0]
	opts := x509.VerifyOptions{Roots: t.pool, DNSName: hostname(id)}
	_, err := leaf.Verify(opts)
	var unknown x509.UnknownAuthorityError
	if err == nil || !errors.As(err, &unknown) {
		return err
	}
	if ca := lineage.Signer(t.former, leaf); epoch && ca != nil {
		opts.Roots = x509.NewCertPool()
		opts.Roots.AddCert(ca)
		_, err := leaf.Verify(opts)
		return err
	}
	more := lineage.Following(t.all, s.PeerCertificates[1:])
	if lineage.Signer(more, leaf) == nil {
		return err
	}
	opts.Roots = x509.NewCertPool()
	for _, cert := range more {
		opts.Roots.AddCert(cert)
	}
	if _, err := leaf.Verify(opts); err != nil {
		return err
	}
	c.learn(more)
	return nil
}

// noteRefusal notes what became of a call to a member, for who was away when the CA was rotated and its own was dropped:
// no other takes its certificate any more, and only a person can help.
func (n *Node) noteRefusal(by string, err error) {
	t := n.creds.trust.Load()
	late := len(t.learned) > 0 && lineage.Signer(t.learned, n.creds.pair.Load().Leaf) == nil
	switch {
	case err == nil:
		n.refused.Store(nil)
	case late && lineage.Refused(err):
		text := fmt.Sprintf("%s does not take this director's certificate: it is of CA %s, which the cluster has dropped while this director was away: "+
			"run `quorate leave --force` here, `quorate remove %s` on another director, then join again", by, authorityID(t.present), n.id.Name)
		if n.refused.Swap(&text) == nil {
			n.log.Error("the others take this director's certificate no more", "err", text)
		}
	}
}

// keepsTrust has the CAs that count on disk too, until ctx ends, and ends connections of those that count no more.
func (n *Node) keepsTrust(ctx context.Context) error {
	news := make(chan struct{}, 1)
	defer n.keyNews.add(news)()
	for failed := 0; ctx.Err() == nil; {
		n.dropStrangers()
		n.creds.hangUp()
		var again <-chan time.Time
		if err := n.creds.keep(); err != nil { // a full disk, mostly: the next news may be years away
			wait := min(keepAgain<<min(failed, 6), time.Minute)
			again = time.After(wait)
			failed++
			n.log.Error("the cluster's CAs are not kept on disk", "again in", wait, "err", err)
		} else {
			failed = 0
		}
		select {
		case <-ctx.Done():
		case <-news:
		case <-again:
		}
	}
	return nil
}

// keepAgain is when it is tried again to keep the CAs, the first time.
const keepAgain = time.Second

// keep writes what is trusted to disk, if that is not there.
func (c *credentials) keep() error {
	path, text := filepath.Join(c.dir, caFile), c.trust.Load().text()
	if there, err := os.ReadFile(path); err == nil && bytes.Equal(there, text) {
		return nil
	}
	return durable.Write(path, text, 0o600)
}
