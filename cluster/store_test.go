package cluster

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"golang.org/x/sys/unix"
)

// badDisk is a disk whose writes fail or hang when a test says so.
type badDisk struct {
	disk

	mu     sync.Mutex
	stable error         // of writes of term and vote
	logs   error         // of writes of the log
	hang   chan struct{} // writes of the log wait for it to be closed
	tries  int
}

func (d *badDisk) set(f func(d *badDisk)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f(d)
}

func (d *badDisk) attempt() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tries++
	return d.stable
}

func (d *badDisk) Set(key, val []byte) error {
	if err := d.attempt(); err != nil {
		return err
	}
	return d.disk.Set(key, val)
}

func (d *badDisk) SetUint64(key []byte, val uint64) error {
	if err := d.attempt(); err != nil {
		return err
	}
	return d.disk.SetUint64(key, val)
}

func (d *badDisk) StoreLogs(es []*raft.Log) error {
	d.mu.Lock()
	err, hang := d.logs, d.hang
	d.mu.Unlock()
	if hang != nil {
		<-hang
	}
	if err != nil {
		return err
	}
	return d.disk.StoreLogs(es)
}

// restartOnBadDisk restarts a node with a disk that can be made bad.
func restartOnBadDisk(t *testing.T, n *testnode) (*testnode, *badDisk) {
	t.Helper()
	n.kill()
	d := &badDisk{}
	again := startWith(t, n.cfg, func(n *Node) {
		d.disk = n.store.bolt
		n.store.bolt = d
	})
	return again, d
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

func TestAWriteOfTermOrVoteIsTriedUntilItWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &badDisk{disk: raftMemory{raft.NewInmemStore()}, stable: unix.ENOSPC}
		s := &store{bolt: d, log: hclog.NewNullLogger(), closed: make(chan struct{})}
		done := make(chan error, 1)
		go func() { done <- stableStore{s}.SetUint64([]byte("CurrentTerm"), 7) }()
		time.Sleep(time.Minute)
		synctest.Wait()
		select {
		case err := <-done:
			t.Fatalf("it returned %v with nothing written", err)
		default:
		}
		if d.tries < 100 {
			t.Errorf("tried %d times in a minute", d.tries)
		}
		d.set(func(d *badDisk) { d.stable = nil })
		time.Sleep(time.Second)
		if err := <-done; err != nil {
			t.Error(err)
		}
		if term, err := s.bolt.GetUint64([]byte("CurrentTerm")); term != 7 || err != nil {
			t.Errorf("stored %d, %v", term, err)
		}
	})
}

func TestAWriteThatNeverWorksEndsItsGoroutineOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &badDisk{disk: raftMemory{raft.NewInmemStore()}, stable: unix.EIO}
		s := &store{bolt: d, log: hclog.NewNullLogger(), closed: make(chan struct{})}
		returned, ended := false, make(chan struct{})
		go func() {
			defer close(ended)
			_ = stableStore{s}.Set([]byte("LastVoteCand"), []byte("x"))
			returned = true
		}()
		time.Sleep(time.Second)
		s.release()
		<-ended
		if returned {
			t.Error("it said that the vote was stored")
		}
	})
}

// raftMemory is a disk in memory.
type raftMemory struct{ *raft.InmemStore }

func (raftMemory) Close() error { return nil }

// hangingClose is a disk that is never done.
type hangingClose struct {
	disk
	free chan struct{}
}

func (d hangingClose) Close() error {
	<-d.free
	return nil
}

func TestClosingDoesNotWaitForADiskThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := hangingClose{free: make(chan struct{})}
		s := &store{bolt: d, log: hclog.NewNullLogger(), closed: make(chan struct{})}
		if err := s.Close(); err == nil || !strings.Contains(err.Error(), "hangs") {
			t.Error(err)
		}
		close(d.free)
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
	d.set(func(d *badDisk) { d.stable = unix.EIO })
	ns[0].kill()
	for deadline := time.Now().Add(8 * beat); time.Now().Before(deadline); pause(t.Context(), beat/10) {
		if ns[1].IsLeader() || voter.IsLeader() {
			t.Fatal("a leader was elected by a vote that is on no disk")
		}
	}
	d.set(func(d *badDisk) { d.stable = nil })
	eventually(t, "the healed disk lets them elect", func() error { return ns[1].Propose(t.Context(), drain("b", true)) })
	eventually(t, "both have the same", same(ns[1], voter))
}

func TestALeaderWhoseLogHangsIsReplaced(t *testing.T) {
	t.Parallel()
	ns := three(t)
	var d *badDisk
	ns[0], d = restartOnBadDisk(t, ns[0])
	makeLead(t, ns[0], ns)
	free := make(chan struct{})
	d.set(func(d *badDisk) { d.hang = free })
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
		if !errors.Is(err, ErrUncertain) && !errors.Is(err, ErrNoLeader) {
			t.Errorf("the change that hangs: %v", err)
		}
	case <-time.After(40 * beat):
		t.Error("a change on the hanging leader waits for ever")
	}
	d.set(func(d *badDisk) { d.hang = nil })
	close(free)
	eventually(t, "it follows when its disk answers", same(ns...))
}

func TestANodeStopsThoughItsLogHangs(t *testing.T) {
	t.Parallel()
	ns := three(t)
	var d *badDisk
	ns[0], d = restartOnBadDisk(t, ns[0])
	makeLead(t, ns[0], ns)
	free := make(chan struct{})
	defer close(free)
	d.set(func(d *badDisk) { d.hang = free })
	go func() { _ = ns[0].Propose(t.Context(), drain("a", true)) }()
	eventually(t, "it hangs", func() error {
		if ns[0].store.stuck(time.Now()) < beat {
			return errors.New("not yet")
		}
		return nil
	})
	ns[0].end() // panics if it takes too long
}

func TestALeaderWithAFullDiskStepsDown(t *testing.T) {
	t.Parallel()
	ns := three(t)
	var d *badDisk
	ns[0], d = restartOnBadDisk(t, ns[0])
	makeLead(t, ns[0], ns)
	d.set(func(d *badDisk) { d.logs = unix.ENOSPC })
	err := ns[0].Propose(t.Context(), drain("a", true)) // refused, or by the next leader, if one is there in time
	if err != nil && !strings.Contains(err.Error(), "no space left") && !lostLeader(err) {
		t.Errorf("on the full disk: %v", err)
	}
	eventually(t, "the others go on", func() error { return ns[1].Propose(t.Context(), drain("b", true)) })
	d.set(func(d *badDisk) { d.logs = nil })
	eventually(t, "it catches up when there is room", same(ns...))
	if got := ns[0].State().Members["a"].Draining; got != (err == nil) && !errors.Is(err, ErrUncertain) {
		t.Errorf("it drains: %v, and the answer was %v", got, err)
	}
}
