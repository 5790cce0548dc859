package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/cluster/pki"
	"github.com/quorate/quorate/fsm"
)

// DefaultPort is the cluster port that an address without a port means.
const DefaultPort = 7400

// Config is what a node needs. Name, DataDir, Bind and Gossip are required.
type Config struct {
	Name      string         // of this member, unique in the cluster
	DataDir   string         // of the agent; cluster has a directory of its own in it
	Bind      netip.AddrPort // cluster port: Raft, the agents' calls, joining; others reach this node there
	Gossip    netip.AddrPort // gossip port, TCP and UDP
	Contact   netip.AddrPort // where another member may be that has moved; need not be valid
	Role      fsm.Role       // empty: a director
	Sources   func() []netip.Addr
	Version   string
	MinLevel  int           // feature levels that this binary supports
	MaxLevel  int           // 0: 1
	Heartbeat time.Duration // of Raft, and its lease; more where answers are slow, see pace. 0: 500 ms

	// CertificateLife is how long a member's certificate lasts that this node signs. 0: a year.
	CertificateLife time.Duration

	// Handler serves everything on the cluster port but what is below /cluster/ and /v1/. Only members reach
	// it; [Peer] tells it which.
	Handler http.Handler
	// API serves what is below /v1/, to whoever has a certificate of the cluster; [CallerOf] tells it who asks,
	// and in which role. nil: nobody is answered there.
	API http.Handler
	// OnChange is told of every entry that was applied, in order, refused ones with no changes. It
	// must not block. What Open replayed is not told: that is where a node starts from.
	OnChange func(prev, next *fsm.State, changes []fsm.Change)
	// Duties run while this node leads, after it has applied everything that was agreed before. Their
	// context ends with the leadership.
	Duties []func(ctx context.Context, n *Node)

	// Now is the clock by which this node, while it leads, tells the others the time. nil: this machine's.
	Now func() time.Time

	// Unfenced reports, in tests, whether this node goes on though a recovery has left it behind.
	Unfenced func() bool
	// Patient reports, in tests, whether a disk that hangs or is slow is waited for, whoever waits with it.
	Patient func() bool
	step    func(string) // tests: told of each step of a recovery

	Log hclog.Logger
}

// checked returns the configuration with its defaults, or what is wrong with it.
func (c Config) checked() (Config, error) {
	switch {
	case c.Name == "":
		return c, errors.New("cluster: no name")
	case !goodName(c.Name):
		return c, badName(c.Name)
	case c.DataDir == "":
		return c, errors.New("cluster: no data directory")
	case c.Bind == c.Gossip:
		return c, fmt.Errorf("cluster: bind and gossip are both %s: each needs a port of its own", c.Bind)
	}
	for what, a := range map[string]netip.AddrPort{"bind": c.Bind, "gossip": c.Gossip} {
		if !a.IsValid() || a.Addr().IsUnspecified() || a.Port() == 0 {
			return c, fmt.Errorf("cluster: %s address %s: the other directors need one address and port by which they reach this one", what, a)
		}
	}
	if c.Role == "" {
		c.Role = fsm.RoleDirector
	}
	if c.MaxLevel == 0 {
		c.MinLevel, c.MaxLevel = 1, 1
	}
	if c.Heartbeat == 0 {
		c.Heartbeat = 500 * time.Millisecond
	}
	if c.CertificateLife == 0 {
		c.CertificateLife = pki.MemberLifetime
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Patient == nil {
		c.Patient = func() bool { return false }
	}
	if c.step == nil {
		c.step = func(string) {}
	}
	if c.Log == nil {
		c.Log = hclog.NewNullLogger()
	}
	return c, nil
}

// member is this node as the log should know it.
func (c Config) member(id string) fsm.Member {
	m := fsm.Member{
		ID: id, Name: c.Name, Role: c.Role, Address: c.Bind, Gossip: c.Gossip,
		MinLevel: c.MinLevel, MaxLevel: c.MaxLevel, Version: c.Version,
	}
	if c.Sources != nil {
		m.Sources = c.Sources()
	}
	return m
}

// commitTimeout is how often Raft tells a member what is agreed though nothing is added, and tries to reach one that
// did not answer. It need not be often, see [pipeline]. Raft waits for up to twice as long.
func (c Config) commitTimeout() time.Duration { return min(500*time.Millisecond, c.Heartbeat) }

// elections is how many timeouts of Raft a call waits for a leader to come about.
const elections = 10

// patience is how long that is where answers are fast.
func (c Config) patience() time.Duration { return elections * c.Heartbeat }
