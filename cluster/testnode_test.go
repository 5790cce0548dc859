package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/cluster/port"
	"github.com/quorate/quorate/fsm"
)

// beat is the heartbeat of tests: short, but not below what a busy machine with the race detector keeps.
const beat = 400 * time.Millisecond

// testnode is a node of a cluster in this process.
type testnode struct {
	*Node
	cfg  Config
	stop context.CancelFunc
	done chan error
}

// config is a node's, on loopback and with a directory of its own.
func config(t testing.TB, name string) Config {
	t.Helper()
	return Config{
		Name: name, DataDir: t.TempDir(), Bind: freePort(t), Gossip: freePort(t), Heartbeat: beat,
		Version: "test", MinLevel: 1, MaxLevel: fsm.Newest, Log: hclog.NewNullLogger(),
	}
}

// freePort returns a loopback address of its own, outside the ports that the kernel gives to clients:
// a node that is down must find its port free when it comes back.
func freePort(t testing.TB) netip.AddrPort {
	t.Helper()
	for {
		a := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, byte(1 + rand.N(250)), byte(rand.N(250)), byte(1 + rand.N(250))}), uint16(10000+rand.N(20000)))
		if port.TryGossip(a) == nil {
			return a
		}
	}
}

// start opens and runs what is in cfg's directory.
func start(t testing.TB, cfg Config) *testnode {
	t.Helper()
	return startWith(t, cfg, func(*Node) {})
}

// startWith does something to the node before it runs.
func startWith(t testing.TB, cfg Config, prepare func(*Node)) *testnode {
	t.Helper()
	n, err := Open(cfg)
	if err != nil {
		t.Fatalf("open %s: %v", cfg.Name, err)
	}
	prepare(n)
	ctx, stop := context.WithCancel(context.Background())
	tn := &testnode{Node: n, cfg: cfg, stop: stop, done: make(chan error, 1)}
	go func() { tn.done <- n.Run(ctx) }()
	t.Cleanup(func() { tn.end() })
	return tn
}

// end stops a node in order.
func (n *testnode) end() {
	n.stop()
	select {
	case <-n.Node.done:
	case <-time.After(20 * time.Second):
		panic(n.cfg.Name + " does not stop")
	}
}

// kill stops a node as a power cut would: it hands nothing over.
func (n *testnode) kill() {
	n.abrupt = true
	n.end()
}

func eventually(t testing.TB, what string, f func() error) {
	t.Helper()
	var err error
	for range 2400 {
		if err = f(); err == nil {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatalf("%s: not in time: %v", what, err)
}

func first(t testing.TB, name string, with ...func(*Config)) *testnode {
	t.Helper()
	cfg := config(t, name)
	for _, f := range with {
		f(&cfg)
	}
	if err := Init(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	n := start(t, cfg)
	eventually(t, name+" leads", func() error { return leads(n) })
	return n
}

func leads(n *testnode) error {
	if n.Leader() != n.cfg.Name || !n.Quorum() || !n.Current() || !n.Voter() {
		return fmt.Errorf("leader %q, quorum %v, current %v, voter %v", n.Leader(), n.Quorum(), n.Current(), n.Voter())
	}
	return nil
}

// join makes name a member through another, and waits until it votes.
func join(t testing.TB, via *testnode, name string, with ...func(*Config)) *testnode {
	t.Helper()
	cfg, token := config(t, name), ""
	for _, f := range with {
		f(&cfg)
	}
	eventually(t, name+" joins", func() (err error) {
		if token == "" {
			token, err = via.CreateToken(t.Context(), fsm.RoleDirector, time.Hour)
		}
		if err == nil {
			err = Join(t.Context(), cfg, via.cfg.Bind.String(), token, func(string) {})
		}
		if err != nil && !lostLeader(err) {
			t.Fatal(err)
		}
		return err
	})
	n := start(t, cfg)
	eventually(t, name+" votes", func() error {
		if !n.Voter() || !n.Current() || !n.Quorum() {
			return fmt.Errorf("voter %v, current %v, quorum %v", n.Voter(), n.Current(), n.Quorum())
		}
		return nil
	})
	return n
}

// lostLeader reports whether an error, also of another node that has only its text, is of a busy machine: a leader
// that missed its heartbeats.
func lostLeader(err error) bool {
	return errors.Is(err, ErrNoLeader) || errors.Is(err, ErrUncertain) ||
		strings.Contains(err.Error(), ErrNoLeader.Error()) || strings.Contains(err.Error(), ErrUncertain.Error())
}

func three(t testing.TB, with ...func(*Config)) []*testnode {
	t.Helper()
	a := first(t, "a", with...)
	b := join(t, a, "b", with...)
	return []*testnode{a, b, join(t, b, "c", with...)} // through a follower
}

// drain is a small command that can be told from its effect.
func drain(name string, on bool) fsm.Command { return fsm.SetDraining{Name: name, Draining: on} }

func same(nodes ...*testnode) func() error {
	return func() error {
		for _, n := range nodes {
			if n.State().Hash() != nodes[0].State().Hash() {
				return fmt.Errorf("%s is at %d, %s at %d", n.cfg.Name, n.State().Index, nodes[0].cfg.Name, nodes[0].State().Index)
			}
		}
		return nil
	}
}
