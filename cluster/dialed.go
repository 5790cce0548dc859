package cluster

import (
	"crypto/tls"
	"sync"

	"github.com/quorate/quorate/lineage"
)

// A connection that was dialed counts as long as the CA does by which the other side was known: who has a stolen key of
// a CA that was dropped must not stay at the other end of one.

// dialed is a connection to a member that is remembered until it is closed.
type dialed struct {
	*tls.Conn
	in *outgoing
}

// Close implements [net.Conn].
func (d *dialed) Close() error {
	d.in.forget(d)
	return d.Conn.Close()
}

// outgoing are the connections to members that are open.
type outgoing struct {
	mu    sync.Mutex
	conns map[*dialed]struct{}
}

func (o *outgoing) remember(c *tls.Conn) *dialed {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.conns == nil {
		o.conns = map[*dialed]struct{}{}
	}
	d := &dialed{c, o}
	o.conns[d] = struct{}{}
	return d
}

func (o *outgoing) forget(d *dialed) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.conns, d)
}

// all are those that are open now.
func (o *outgoing) all() []*dialed {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := make([]*dialed, 0, len(o.conns))
	for d := range o.conns {
		all = append(all, d)
	}
	return all
}

// counts reports whether the CA still does that has signed the certificate of who was dialed.
func (c *credentials) counts(d *dialed) bool {
	return lineage.Signer(c.trust.Load().all, d.ConnectionState().PeerCertificates[0]) != nil
}

// hangUp closes the connections to whom nothing vouches any more.
func (c *credentials) hangUp() {
	for _, d := range c.outgoing.all() {
		if !c.counts(d) {
			c.outgoing.forget(d)
			_ = d.NetConn().Close() // nothing is left to say to it
		}
	}
}
