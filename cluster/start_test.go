package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/cluster/logstore"
	"github.com/quorate/quorate/cluster/pki"
	"github.com/quorate/quorate/fsm"
)

// compact has a node write a snapshot and keep few entries before it.
func compact(t *testing.T, n *testnode, keep uint64) {
	t.Helper()
	r := n.raft.Load()
	c := r.ReloadableConfig()
	c.TrailingLogs = keep
	if err := r.ReloadConfig(c); err != nil {
		t.Fatal(err)
	}
	eventually(t, "what it has is a snapshot", func() error { return r.Snapshot().Error() }) // not while a configuration is agreed on
}

// change makes entries of which each leaves its trace in the state.
func change(t *testing.T, n *testnode, times int) {
	t.Helper()
	for range times {
		tok := pki.NewToken(nil)
		if err := n.Propose(t.Context(), fsm.AddToken{ID: tok.ID(), Token: fsm.Token{Hash: tok.Hash(), Role: fsm.RoleDirector, Expires: time.Now().UTC()}}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestASnapshotAndTheLogAfterItMakeTheState(t *testing.T) {
	t.Parallel()
	ns := three(t)
	change(t, ns[0], 9)
	for _, n := range ns {
		compact(t, n, 2)
	}
	change(t, ns[0], 8)
	eventually(t, "all have the same", same(ns...))
	want, index := ns[2].State().Hash(), ns[2].State().Index
	for _, n := range ns {
		n.kill()
	}
	cfg := ns[2].cfg
	var back atomic.Uint64 // an index that came after a higher one
	cfg.OnChange = func(prev, next *fsm.State, _ []fsm.Change) {
		if next.Index <= max(prev.Index, index) {
			back.Store(next.Index)
		}
	}
	alone := start(t, cfg)
	if alone.State().Index != index || alone.State().Hash() != want {
		t.Fatalf("it starts at %d, had applied %d", alone.State().Index, index)
	}
	if alone.Current() {
		t.Error("current, though Raft has handed nothing over")
	}
	second := start(t, ns[0].cfg)
	eventually(t, "current with the quorum", func() error {
		if !alone.Current() || !alone.Quorum() {
			return errors.New("not yet")
		}
		return nil
	})
	change(t, alone, 3)
	d := join(t, second, "d") // its first state comes with a snapshot
	eventually(t, "all have the same", same(alone, second, d))
	if i := back.Load(); i != 0 {
		t.Errorf("the state went back from %d to %d", index, i)
	}
}

func TestWithoutItsRecordANodeIsNotCurrentAlone(t *testing.T) {
	t.Parallel()
	ns := three(t)
	change(t, ns[0], 5)
	compact(t, ns[2], 2)
	change(t, ns[0], 6)
	eventually(t, "all have the same", same(ns...))
	index := ns[2].State().Index
	for _, n := range ns {
		n.kill()
	}
	if err := os.Remove(filepath.Join(ns[2].cfg.DataDir, liveDir, logstore.RecordFile)); err != nil {
		t.Fatal(err)
	}
	alone := start(t, ns[2].cfg)
	for range 20 {
		if alone.State().Index < index && alone.Current() {
			t.Fatalf("current at %d, had applied %d", alone.State().Index, index)
		}
		pause(t.Context(), beat/10)
	}
	if alone.Current() {
		t.Error("current, without a word from a leader")
	}
	second := start(t, ns[0].cfg)
	eventually(t, "current with the quorum", func() error {
		if !alone.Current() {
			return errors.New("not yet")
		}
		if alone.State().Index < index {
			t.Fatalf("current at %d, had applied %d", alone.State().Index, index)
		}
		return nil
	})
	eventually(t, "both have the same", same(alone, second))
}

func TestADamagedSnapshotIsPassedOverOrNamed(t *testing.T) {
	t.Parallel()
	a := first(t, "a")
	change(t, a, 5)
	compact(t, a, 100)
	change(t, a, 6)
	compact(t, a, 100)
	change(t, a, 3)
	index, want := a.State().Index, a.State().Hash()
	a.kill()
	files, err := filepath.Glob(filepath.Join(a.cfg.DataDir, liveDir, "snapshots", "*", "state.bin"))
	if err != nil || len(files) != 2 {
		t.Fatalf("snapshots %v, %v", files, err)
	}
	spoil := func(path string) {
		if err := os.WriteFile(path, []byte("not a state"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	spoil(files[1])
	n := start(t, a.cfg)
	if n.State().Index != index || n.State().Hash() != want {
		t.Errorf("from the older snapshot it starts at %d, was at %d", n.State().Index, index)
	}
	eventually(t, "it leads", func() error { return leads(n) })
	n.kill()
	spoil(files[0])
	if _, err := Open(a.cfg); err == nil || !strings.Contains(err.Error(), "no snapshot of this director can be used") {
		t.Errorf("with none that is whole: %v", err)
	}
}

func TestAHaltIsTheSameEverywhereAndCurrent(t *testing.T) {
	t.Parallel()
	ns := three(t)
	makeLead(t, ns[0], ns)
	eventually(t, "all have the same", same(ns...))
	poisoned := ns[0].raft.Load().Apply([]byte(`{"kind":"from-the-future/9","body":{}}`), time.Second)
	if err := poisoned.Error(); err != nil {
		t.Fatal(err)
	}
	check := func(n *testnode) {
		t.Helper()
		eventually(t, n.cfg.Name+" halts", func() error {
			var h *HaltError
			if !errors.As(n.Halted(), &h) || h.Index != poisoned.Index() || !errors.Is(h, fsm.ErrUnknownCommand) || !n.Current() {
				return fmt.Errorf("halted %v, want index %d; current %v", n.Halted(), poisoned.Index(), n.Current())
			}
			return nil
		})
		err := n.Propose(t.Context(), drain("a", true))
		if err == nil || !strings.Contains(err.Error(), fmt.Sprint(poisoned.Index())) || !strings.Contains(err.Error(), "from-the-future/9") {
			t.Errorf("%s takes a proposal: %v", n.cfg.Name, err)
		}
		if err := n.raft.Load().Snapshot().Error(); err == nil {
			t.Errorf("%s snapshots over the entry: it would be lost", n.cfg.Name)
		}
	}
	for _, n := range ns {
		check(n)
	}
	for i, n := range ns { // a binary that knows no better, everywhere
		n.kill()
		ns[i] = start(t, n.cfg)
	}
	for _, n := range ns {
		check(n)
		if n.State().Members["c"].Name == "" {
			t.Errorf("%s lost its state", n.cfg.Name)
		}
	}
}

func TestAHaltedNodeIsCurrentAndRemovesNobody(t *testing.T) {
	t.Parallel()
	a := first(t, "a")
	b := join(t, a, "b")
	halt := func(n *Node) {
		n.machine.halted.Store(&HaltError{Index: n.State().Index + 1, Cause: errors.New("test")})
	}
	halt(a.Node)
	old := *a.State()
	old.Members = map[string]fsm.Member{"a": old.Members["a"]}
	old = old.Sealed()
	a.machine.state.Store(&old) // b was admitted after the halt, by a leader that was not halted
	for range 3 {
		if pending, err := a.adjust(t.Context()); pending || err != nil {
			t.Errorf("pending %v, error %v", pending, err)
		}
	}
	if servers, err := a.servers(); err != nil || len(servers) != 2 {
		t.Errorf("servers %v, %v", servers, err)
	}
	b.kill()
	b = startWith(t, b.cfg, func(n *Node) {
		halt(n)
		n.id.Admitted = n.State().Index + 100 // it halted before the entry that let it in
	})
	eventually(t, "a halted node is current", func() error {
		if !b.Current() {
			return errors.New("nothing would ever be removed from its kernel")
		}
		return nil
	})
}

// slow is an OnChange that lets nothing pass while it is shut.
type slow struct{ gate atomic.Pointer[chan struct{}] }

func (s *slow) change(_, _ *fsm.State, _ []fsm.Change) {
	if gate := s.gate.Load(); gate != nil {
		<-*gate
	}
}

func TestALeaderThatIsBehindRemovesNobody(t *testing.T) {
	t.Parallel()
	ns := three(t)
	makeLead(t, ns[0], ns)
	ns[2].kill()
	var lag slow
	cfg := ns[2].cfg
	cfg.OnChange = lag.change
	c := start(t, cfg)
	ns[2] = c
	eventually(t, "it is back", same(ns...))
	gate := make(chan struct{})
	lag.gate.Store(&gate)
	d := config(t, "d")
	text, err := ns[0].CreateToken(t.Context(), "", time.Hour) // c is stuck in this entry
	if err != nil {
		t.Fatal(err)
	}
	if err := Join(t.Context(), d, ns[0].cfg.Bind.String(), text, silently); err != nil {
		t.Fatal(err)
	}
	has := func(n *testnode) error {
		servers, err := n.servers()
		if err != nil || len(servers) != 4 {
			return fmt.Errorf("servers %v, %v", servers, err)
		}
		return nil
	}
	eventually(t, "d is in Raft", func() error { return has(c) })
	eventually(t, "c leads", func() error {
		if c.IsLeader() {
			return nil
		}
		_ = ns[0].raft.Load().LeadershipTransferToServer(raft.ServerID(c.id.ID), raftAddress(c.id.ID, c.cfg.Bind)).Error()
		return errors.New("not yet")
	})
	if _, ok := c.State().Members["d"]; ok {
		t.Fatal("c was not held back")
	}
	for range 10 {
		pause(t.Context(), beat/2)
		if err := has(ns[1]); err != nil {
			t.Fatalf("d was removed by a leader that did not know it yet: %v", err)
		}
	}
	lag.gate.Store(nil)
	close(gate)
	nd := start(t, d)
	eventually(t, "d votes", func() error {
		if !nd.Voter() {
			return errors.New("not yet")
		}
		return nil
	})
	eventually(t, "all have the same", same(append(ns, nd)...))
}

func TestANodeWhoseRaftCannotStartClosesEverything(t *testing.T) {
	t.Parallel()
	a := first(t, "a")
	a.end()
	n, err := Open(a.cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.store.Bare.Close(); err != nil {
		t.Fatal(err)
	}
	if err := n.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "start Raft") {
		t.Errorf("run: %v", err)
	}
	if err := n.Run(t.Context()); err == nil {
		t.Error("it runs twice")
	}
	again := start(t, a.cfg) // lock and ports are free
	eventually(t, "it leads", func() error { return leads(again) })
}

func TestADirectorThatMovesIsFound(t *testing.T) {
	t.Parallel()
	ns := three(t)
	makeLead(t, ns[0], ns)
	ns[2].kill()
	cfg := ns[2].cfg
	cfg.Bind, cfg.Gossip = freePort(t), freePort(t)
	c := start(t, cfg)
	eventually(t, "it is found at its new address", func() error {
		m := ns[0].State().Members["c"]
		if m.Address != cfg.Bind || m.Gossip != cfg.Gossip || !c.Quorum() || !c.Current() {
			return fmt.Errorf("c is %+v, quorum %v", m, c.Quorum())
		}
		return nil
	})
	ns[1].kill() // with c's vote there is a majority
	change(t, c, 3)
	// And Raft's own list may follow.
	r := ns[0].raft.Load()
	if ns[0].IsLeader() {
		if err := r.AddVoter(raft.ServerID(c.id.ID), raftAddress(c.id.ID, cfg.Bind), 0, time.Second).Error(); err != nil {
			t.Error(err)
		}
	}
	change(t, c, 3)
	eventually(t, "both have the same", same(ns[0], c))
}
