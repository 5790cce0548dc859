package cluster

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/quorate/quorate/cluster/pki"
	"github.com/quorate/quorate/cluster/port"
)

// clients holds one client for each member, so that a call finds its connection open.
type clients struct {
	mu   sync.Mutex
	byID map[string]*client
}

type client struct {
	http *http.Client
	at   netip.AddrPort
}

// Connections to one member that are kept: as many as there are writers at once, of which each would make its own
// otherwise, and no longer than they are of use.
const (
	idlePerMember = 64
	idleFor       = 30 * time.Second
)

// Client returns how to call a member's agent: a client that shows this member's certificate and
// talks to that member only, and the URL that paths are appended to. Its connections stay open, so
// that a call costs one round trip; set deadlines by the requests' contexts.
func (n *Node) Client(name string) (*http.Client, string, error) {
	m, ok := n.State().Members[name]
	if !ok {
		return nil, "", fmt.Errorf("%s is no member of this cluster", name)
	}
	base, at := "https://"+pki.Hostname(m.ID), n.heard.of(m)
	n.clients.mu.Lock()
	defer n.clients.mu.Unlock()
	if c, ok := n.clients.byID[m.ID]; ok && c.at == at {
		return c.http, base, nil
	} else if ok {
		c.http.CloseIdleConnections() // it has moved
	}
	tr := &http.Transport{
		MaxIdleConnsPerHost: idlePerMember,
		IdleConnTimeout:     idleFor,
		DisableCompression:  true,
		DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, port.DialLimit)
			defer cancel()
			return n.reach(ctx, m, func(ctx context.Context, at netip.AddrPort) (net.Conn, error) {
				return n.dialer.Dial(ctx, at, m.ID, port.ALPNHTTP)
			})
		},
	}
	if n.clients.byID == nil {
		n.clients.byID = map[string]*client{}
	}
	for id, c := range n.clients.byID {
		if _, ok := memberByID(n.State(), id); !ok {
			c.http.CloseIdleConnections()
			delete(n.clients.byID, id)
		}
	}
	c := &client{http: &http.Client{Transport: clocked{tr, name, &n.clocks}}, at: at}
	n.clients.byID[m.ID] = c
	return c.http, base, nil
}

// Stream opens a stream to a member's agent: a connection that is its own, proves both sides to each other,
// and is handed to what the agent there serves at path, see [port.TakeStream]. It is the caller's to close, and
// the deadline of ctx ends with the opening. It is given up when its bytes are not acknowledged for as long as dead.
func (n *Node) Stream(ctx context.Context, name, path string, dead time.Duration) (net.Conn, error) {
	m, ok := n.State().Members[name]
	if !ok {
		return nil, fmt.Errorf("%s is no member of this cluster", name)
	}
	conn, err := n.reach(ctx, m, func(ctx context.Context, at netip.AddrPort) (net.Conn, error) {
		return n.dialer.Stream(ctx, at, m.ID, path, dead)
	})
	if err != nil {
		return nil, fmt.Errorf("open a stream to %s: %w", name, err)
	}
	return conn, nil
}

func (c *clients) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range c.byID {
		one.http.CloseIdleConnections()
	}
}
