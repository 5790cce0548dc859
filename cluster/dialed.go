package cluster

import (
	"crypto/tls"

	"github.com/quorate/quorate/lineage"
)

// A connection that was dialed counts as long as the CA does by which the other side was known: who has a stolen key of
// a CA that was dropped must not stay at the other end of one.

// dialed is a connection to a member that is remembered until it is closed.
type dialed struct {
	*tls.Conn
	in *openConns[*dialed]
}

// Close implements [net.Conn].
func (d *dialed) Close() error {
	d.in.forget(d)
	return d.Conn.Close()
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
