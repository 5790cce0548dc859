package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/quorate/quorate/cluster/pki"
	"github.com/quorate/quorate/fsm"
)

// A data directory may be copied, key and all. Then two agents are one member for everybody else: both tell where they are,
// and whoever was heard last gets the log. So before an agent is where the cluster does not know it, it asks where the cluster
// does: who answers there with this member's key is another one.

// retellEach is how often a member tells of another address of its own, at most.
const retellEach = time.Minute

// twinSaidFor is for how long it is said that another one was heard of.
const twinSaidFor = 5 * time.Minute

// errTwin means that another agent has this one's name, identity and key.
var errTwin = errors.New("this data directory is a copy")

// twins is what a node knows of agents with its own identity.
type twins struct {
	mu   sync.Mutex
	why  string
	at   time.Time // when that was found
	told time.Time // when this node told of a new address last
}

// Twin says that another agent has this one's identity, as found lately, or is empty.
func (n *Node) Twin() string {
	n.twins.mu.Lock()
	defer n.twins.mu.Unlock()
	if n.twins.why == "" || time.Since(n.twins.at) > twinSaidFor {
		return ""
	}
	return n.twins.why
}

// noteTwin keeps what was found, and logs it when it is news.
func (n *Node) noteTwin(why string) {
	n.twins.mu.Lock()
	news := n.twins.why != why || time.Since(n.twins.at) > twinSaidFor
	n.twins.why, n.twins.at = why, time.Now()
	n.twins.mu.Unlock()
	if news {
		n.log.Error("another agent has the identity of this one", "err", why)
		n.machine.poke()
	}
}

// twinAt returns an error that matches errTwin if an agent with this member's identity answers at an address that is not this
// node's.
func (n *Node) twinAt(ctx context.Context, at netip.AddrPort) error {
	if !at.IsValid() || at == n.cfg.Bind {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	if a, err := n.tellEpochAt(ctx, fsm.Member{Name: n.id.Name, ID: n.id.ID}, at, netip.AddrPort{}); err != nil || !a.counts || a.Process == n.process {
		return nil // nobody of that identity is there, or this one itself: an address may be translated
	}
	return fmt.Errorf("%s runs at %s already, and this is %s: %w; stop one of them, or remove %s here and join under another name", n.id.Name, at, n.cfg.Bind, errTwin, n.creds.Dir())
}

// meet asks the others for the cluster's epoch and where they know this member. If that is not here, and no agent with its identity
// is there, it tells them where this one is: what they hear they dial.
func (n *Node) meet(ctx context.Context) error {
	at := n.askEpochs(ctx, netip.AddrPort{})
	if err := n.twinAt(ctx, at); err != nil {
		return err
	}
	m, ok := memberByID(n.State(), n.id.ID)
	if !ok || n.Removed() != nil || m.Address == n.cfg.Bind && (!at.IsValid() || at == n.cfg.Bind) {
		return nil
	}
	if m.Address != at {
		if err := n.twinAt(ctx, m.Address); err != nil {
			return err
		}
	}
	n.askEpochs(ctx, n.cfg.Bind)
	return nil
}

// aloneAtStart refuses to be a second one of this member: who has its identity may be where this node's log says that it is.
func (n *Node) aloneAtStart() error {
	if m, ok := n.State().Members[n.id.Name]; ok && m.ID == n.id.ID {
		return n.twinAt(n.life, m.Address)
	}
	return nil
}

// mayMove returns nil if this member may tell the cluster another address of its own than it knows: nobody of its
// identity is at that one, and it has not told of one a moment ago.
func (n *Node) mayMove(ctx context.Context) error {
	m := n.State().Members[n.id.Name]
	if m.Address == n.cfg.Bind && m.Gossip == n.cfg.Gossip {
		return nil
	}
	if err := n.twinAt(ctx, m.Address); err != nil {
		n.noteTwin(err.Error())
		return err
	}
	n.twins.mu.Lock()
	defer n.twins.mu.Unlock()
	if time.Since(n.twins.told) < retellEach {
		return fmt.Errorf("another address of %s was told less than %v ago", n.id.Name, retellEach)
	}
	return nil
}

// moved notes that the cluster was told of this member's address.
func (n *Node) moved() {
	n.twins.mu.Lock()
	defer n.twins.mu.Unlock()
	n.twins.told = time.Now()
}

// hearTwin notes that somebody with this member's own identity has called.
func (n *Node) hearTwin(c tls.ConnectionState, from string) {
	p, err := pki.IdentityOf(c.PeerCertificates[0])
	if err == nil && p.ID == n.id.ID {
		host := from
		if at, err := netip.ParseAddrPort(from); err == nil {
			host = at.Addr().Unmap().String()
		}
		n.noteTwin(fmt.Sprintf("another agent with the identity of %s has called from %s: its data directory is a copy of the one here, or this one of that: stop one of them, and remove its directory before it joins under another name", n.id.Name, host))
	}
}
