package cluster

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/cluster/logstore/faulty"
)

// restartOnBadDisk restarts a node with a disk that can be made bad.
func restartOnBadDisk(t *testing.T, n *testnode) (*testnode, *faulty.Disk) {
	t.Helper()
	n.kill()
	d := faulty.New(nil)
	again := startWith(t, n.cfg, func(n *Node) {
		d.Over(n.store.Bare)
		n.store.Bare = d
	})
	return again, d
}

// leadOnBadDisk has the first of some nodes lead, with a disk that can be made bad.
func leadOnBadDisk(t *testing.T, ns []*testnode) (d *faulty.Disk) {
	t.Helper()
	ns[0], d = restartOnBadDisk(t, ns[0])
	makeLead(t, ns[0], ns)
	return d
}

// makeLead has one of the nodes lead.
func makeLead(t *testing.T, n *testnode, all []*testnode) {
	t.Helper()
	eventually(t, n.cfg.Name+" leads", func() error {
		if n.IsLeader() {
			return nil
		}
		for _, m := range all {
			if m.IsLeader() {
				_ = m.raft.Load().LeadershipTransferToServer(raft.ServerID(n.id.ID), raftAddress(n.id.ID, n.cfg.Bind)).Error()
			}
		}
		return errors.New("another leads")
	})
	eventually(t, "and all know it", func() error {
		for _, m := range all {
			if m.Leader() != n.cfg.Name {
				return errors.New(m.cfg.Name + " does not")
			}
		}
		return nil
	})
}

func TestWithoutAVoteOnDiskThereIsNoElection(t *testing.T) {
	t.Parallel()
	ns := three(t)
	makeLead(t, ns[0], ns)
	voter, d := restartOnBadDisk(t, ns[2])
	eventually(t, "it hears the leader", func() error {
		if voter.Leader() != "a" {
			return errors.New("not yet")
		}
		return nil
	})
	d.FailStable(unix.EIO)
	ns[0].kill()
	for deadline := time.Now().Add(8 * beat); time.Now().Before(deadline); pause(t.Context(), beat/10) {
		if ns[1].IsLeader() || voter.IsLeader() {
			t.Fatal("a leader was elected by a vote that is on no disk")
		}
	}
	d.FailStable(nil)
	eventually(t, "the healed disk lets them elect", func() error { return ns[1].Propose(t.Context(), drain("b", true)) })
	eventually(t, "both have the same", same(ns[1], voter))
}

func TestALeaderWhoseLogHangsIsReplaced(t *testing.T) {
	t.Parallel()
	ns := three(t)
	d := leadOnBadDisk(t, ns)
	free := make(chan struct{})
	d.HangLog(free)
	pending := make(chan error, 1)
	go func() { pending <- ns[0].Propose(t.Context(), drain("a", true)) }()
	eventually(t, "the others elect", func() error {
		if l := ns[1].Leader(); l == "" || l == "a" || ns[2].Leader() != l {
			return errors.New("not yet")
		}
		return nil
	})
	if ns[0].Quorum() {
		t.Error("who hangs believes itself in the quorum")
	}
	if err := ns[1].Propose(t.Context(), drain("b", true)); err != nil {
		t.Error(err)
	}
	select {
	case err := <-pending:
		if err != nil { // the next leader has done it
			t.Errorf("the change that hangs: %v", err)
		}
	case <-time.After(40 * beat):
		t.Error("a change on the hanging leader waits for ever")
	}
	d.HangLog(nil)
	close(free)
	eventually(t, "it follows when its disk answers", same(ns...))
}

// Of two voters none can be elected without the other's vote, and who hangs in its disk gives none. So nobody leads: both say
// so, a change is refused with that, and once the disk answers all goes on by itself.
func TestOfTwoVotersNobodyLeadsWhileTheLeadersLogHangs(t *testing.T) {
	t.Parallel()
	a := first(t, "a")
	ns := []*testnode{a, join(t, a, "b")}
	d := leadOnBadDisk(t, ns)
	free := make(chan struct{})
	d.HangLog(free)
	pending := make(chan error, 1)
	go func() { pending <- ns[0].Propose(t.Context(), drain("a", true)) }()
	eventually(t, "both say that nobody leads", func() error {
		if ns[0].Quorum() || ns[1].Quorum() || ns[0].Leader() != "" || ns[1].Leader() != "" || !strings.Contains(ns[0].Disk(), "does not answer") {
			return fmt.Errorf("quorum %v and %v, leader %q and %q, disk: %q", ns[0].Quorum(), ns[1].Quorum(), ns[0].Leader(), ns[1].Leader(), ns[0].Disk())
		}
		return nil
	})
	for _, n := range ns {
		if err := n.Propose(t.Context(), drain("b", true)); !errors.Is(err, ErrNoLeader) {
			t.Errorf("a change on %s: %v", n.cfg.Name, err)
		}
	}
	d.HangLog(nil)
	close(free)
	if err := <-pending; err != nil && !lostLeader(err) {
		t.Errorf("the change that hung: %v", err)
	}
	eventually(t, "both go on by themselves", func() error { return ns[1].Propose(t.Context(), drain("b", true)) })
	eventually(t, "both have the same", same(ns...))
	eventually(t, "and the disk is well", func() error {
		if why := ns[0].Disk(); why != "" {
			return errors.New(why)
		}
		return nil
	})
}

func TestANodeStopsThoughItsLogHangs(t *testing.T) {
	t.Parallel()
	ns := three(t)
	d := leadOnBadDisk(t, ns)
	free := make(chan struct{})
	defer close(free)
	d.HangLog(free)
	go func() { _ = ns[0].Propose(t.Context(), drain("a", true)) }()
	eventually(t, "it hangs", func() error {
		if ns[0].store.Stuck(time.Now()) < beat {
			return errors.New("not yet")
		}
		return nil
	})
	ns[0].end() // panics if it takes too long
}

func TestALeaderWithAFullDiskStepsDown(t *testing.T) {
	t.Parallel()
	ns := three(t)
	d := leadOnBadDisk(t, ns)
	d.FailLog(unix.ENOSPC)
	err := ns[0].Propose(t.Context(), drain("a", true)) // refused, or by the next leader, if one is there in time
	if err != nil && !strings.Contains(err.Error(), "no space left") && !lostLeader(err) {
		t.Errorf("on the full disk: %v", err)
	}
	eventually(t, "the others go on", func() error { return ns[1].Propose(t.Context(), drain("b", true)) })
	d.FailLog(nil)
	eventually(t, "it catches up when there is room", same(ns...))
	if got := ns[0].State().Members["a"].Draining; got != (err == nil) && !errors.Is(err, ErrUncertain) {
		t.Errorf("it drains: %v, and the answer was %v", got, err)
	}
}
