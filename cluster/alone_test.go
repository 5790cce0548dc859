//go:build proofs

package cluster

import (
	"errors"
	"testing"
	"time"
)

// aloneBeat is long enough that a busy machine does not lose its leader by itself.
const aloneBeat = 2 * time.Second

// isolated cuts the last of three nodes off, as far as the cluster port goes, has them go on for a while, and heals. It
// returns how much the term of who was alone rose meanwhile, and that of the others until it was back, and the three, of which
// the first led.
func isolated(t *testing.T, eager bool, during time.Duration) (ns []*testnode, alone, others uint64) {
	t.Helper()
	ns = three(t, func(c *Config) { c.Heartbeat = aloneBeat })
	networks := make([]*gates, len(ns))
	for i, n := range ns {
		n.kill()
		networks[i] = &gates{}
		ns[i] = startWith(t, n.cfg, func(n *Node) {
			n.dialer.Connect = networks[i].connect
			n.eager = eager
		})
	}
	a, b, c := ns[0], ns[1], ns[2]
	makeLead(t, a, ns)
	eventually(t, "all have the same", same(ns...))
	for _, g := range networks[:2] {
		g.set([]string{c.cfg.Bind.String()})
	}
	networks[2].set([]string{a.cfg.Bind.String(), b.cfg.Bind.String()})
	eventually(t, "it hears nobody", func() error {
		if c.Quorum() {
			return errors.New("it does")
		}
		return nil
	})
	term, before := c.raft.Load().CurrentTerm(), a.raft.Load().CurrentTerm()
	for cut, last := time.Now(), before; time.Since(cut) < during && t.Context().Err() == nil; pause(t.Context(), 50*time.Millisecond) {
		if now := a.raft.Load().CurrentTerm(); now != last {
			t.Logf("after %v the term of the others is %d, it was %d; a is %v", time.Since(cut).Round(time.Millisecond), now, last, a.raft.Load().State())
			last = now
		}
	}
	alone = c.raft.Load().CurrentTerm() - term
	eventually(t, "the others go on", func() error { return a.Propose(t.Context(), drain("b", true)) })
	for _, g := range networks {
		g.set(nil)
	}
	eventually(t, "it is back", same(ns...))
	eventually(t, "it is in the quorum", func() error {
		if !c.Quorum() {
			return errors.New("not yet")
		}
		return nil
	})
	pause(t.Context(), 4*aloneBeat) // it could still ask
	return ns, alone, a.raft.Load().CurrentTerm() - before
}

// TestWhoIsAloneDisturbsNobodyWhenItIsBack isolates a follower for five minutes: leader and term are the same after it,
// since it asks for no votes that it would not get.
func TestWhoIsAloneDisturbsNobodyWhenItIsBack(t *testing.T) {
	t.Parallel()
	const during = 5 * time.Minute
	ns, alone, others := isolated(t, false, during)
	t.Logf("alone for %v: its term rose by %d, that of the others by %d", during, alone, others)
	if alone > 0 || others > 0 || !ns[0].IsLeader() {
		t.Errorf("its term rose by %d, that of the others by %d, and %s leads", alone, others, ns[0].Leader())
	}
}

// The control: who does not ask first whether there would be votes raises its term.
func TestWithoutAPreVoteWhoIsAloneRaisesItsTerm(t *testing.T) {
	t.Parallel()
	if _, alone, _ := isolated(t, true, 3*aloneBeat); alone == 0 {
		t.Error("it does not: the proof proves nothing")
	}
}
