package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/cluster/logstore/faulty"
)

// onBadDisks are three nodes with disks that can be made bad, tries included.
func onBadDisks(t *testing.T) ([]*testnode, []*faulty.Disk) {
	t.Helper()
	ns := three(t)
	var disks []*faulty.Disk
	for i, n := range ns {
		n.kill()
		d := faulty.New(nil)
		ns[i] = startWith(t, n.cfg, func(n *Node) {
			d.Over(n.store.Bare)
			n.store.Bare = d
			n.disk.Probe = d.LogError
		})
		disks = append(disks, d)
		eventually(t, "all have the same", same(ns...))
	}
	return ns, disks
}

func TestADirectorWithAFullDiskSaysSoAndLeadsNothingUntilThereIsRoom(t *testing.T) {
	t.Parallel()
	ns, disks := onBadDisks(t)
	makeLead(t, ns[0], ns)
	disks[0].FailLog(unix.ENOSPC)
	eventually(t, "the others go on", func() error { return ns[1].Propose(t.Context(), drain("b", true)) })
	eventually(t, "it says so", func() error {
		if why := ns[0].Disk(); !strings.Contains(why, "no space left") {
			return errors.New("it says " + why)
		}
		return nil
	})
	// Nor does it stand for election, though a term and a vote could be stored.
	if ns[0].IsLeader() { // an entry might never be answered: Raft has room for it while it waits for the disk
		t.Error("it still leads")
	}
	var resp raft.RequestVoteResponse
	err := transport{cannot: ns[0].store.Cannot}.RequestVote("", "", &raft.RequestVoteRequest{}, &resp)
	if !errors.Is(err, unix.ENOSPC) {
		t.Errorf("it asks for votes: %v", err)
	}
	disks[0].FailLog(nil)
	eventually(t, "it catches up", same(ns...))
	eventually(t, "it says nothing any more", func() error {
		if why := ns[0].Disk(); why != "" {
			return errors.New("it says " + why)
		}
		return nil
	})
	makeLead(t, ns[0], ns)
}

func TestThatThereIsNoLeaderIsSaidWithTheDiskThatIsFull(t *testing.T) {
	t.Parallel()
	ns, disks := onBadDisks(t)
	makeLead(t, ns[0], ns)
	ns[2].kill()
	disks[0].FailLog(unix.ENOSPC)
	ctx, cancel := context.WithTimeout(t.Context(), 4*beat)
	defer cancel()
	if err := ns[0].Propose(ctx, drain("b", true)); err == nil { // a disk is bad when a write shows it
		t.Error("something was agreed that is on one disk")
	}
	for _, n := range ns[:2] {
		eventually(t, n.cfg.Name+" says so", func() error {
			if err := n.noLeader(); !strings.Contains(err.Error(), "2 of 3 voters answer, which is enough, and none leads; a: nothing can be written to ") || !strings.Contains(err.Error(), "no space left on device") {
				return err
			}
			return nil
		})
	}
	disks[0].FailLog(nil)
	eventually(t, "nothing is said of it any more", func() error {
		if err := ns[1].noLeader(); err.Error() != "no leader: 2 of 3 voters answer, which is enough, and none leads; nothing was changed" {
			return err
		}
		return nil
	})
}

func TestAClusterWhoseDisksWereAllFullGoesOnWhenThereIsRoom(t *testing.T) {
	t.Parallel()
	ns, disks := onBadDisks(t)
	for _, d := range disks {
		d.FailLog(unix.ENOSPC)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*beat)
	defer cancel()
	if err := ns[0].Propose(ctx, drain("b", true)); err == nil {
		t.Error("something was agreed that is on no disk")
	}
	eventually(t, "nobody leads", func() error {
		for _, n := range ns {
			if n.IsLeader() {
				return errors.New(n.cfg.Name + " does")
			}
		}
		return nil
	})
	for _, n := range ns {
		if n.State().Members["b"].Draining || len(n.State().Members) != 3 {
			t.Errorf("%s has another state", n.cfg.Name)
		}
	}
	for _, d := range disks {
		d.FailLog(nil)
	}
	eventually(t, "they go on", func() error { return ns[0].Propose(t.Context(), drain("c", true)) })
	eventually(t, "all have the same", same(ns...))
}

// A director whose disk takes nothing cannot follow the log: who asks it for a change, or for what is agreed, is not kept waiting for that,
// and is told why and whom to ask.
func TestWhoseDiskTakesNothingIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	ns, disks := onBadDisks(t)
	makeLead(t, ns[1], ns)
	if why := ns[0].Unwritable(); why != "" {
		t.Errorf("while all is well: %s", why)
	}
	disks[0].FailLog(fmt.Errorf("write log: %w", unix.ENOSPC))
	on := false
	eventually(t, "it takes nothing", func() error {
		on = !on
		if err := ns[1].Propose(t.Context(), drain("b", on)); err != nil {
			return err
		}
		if why := ns[0].Unwritable(); why != "its disk takes nothing: no space left on device" {
			return errors.New("it says " + why)
		}
		return nil
	})
	eventually(t, "it hears who leads", func() error { // a change may have been asked of who led before
		if leader := ns[0].Leader(); leader != "b" {
			return errors.New(leader)
		}
		return nil
	})
	began := time.Now()
	if err := ns[0].Propose(t.Context(), drain("c", true)); err != nil {
		t.Errorf("a change: %v", err)
	}
	if _, err := ns[0].CatchUp(t.Context()); err == nil || !strings.HasSuffix(err.Error(), "is agreed, as its disk takes nothing: no space left on device: ask another director, as b") {
		t.Errorf("what is agreed: %v", err)
	}
	if took := time.Since(began); took >= ns[0].cfg.patience() {
		t.Errorf("it took %v", took)
	}
	disks[0].FailLog(nil)
	eventually(t, "it follows", func() error {
		_, err := ns[0].CatchUp(t.Context())
		return err
	})
}
