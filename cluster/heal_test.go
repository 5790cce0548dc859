package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/cluster/logstore"
	"github.com/quorate/quorate/cluster/pki"
	"github.com/quorate/quorate/fsm"
)

// corrupt puts a state into a node that is another than what it has applied. The sum that was kept stays, as when a
// byte flips, unless it is sealed: then it is as if this node had applied an entry otherwise.
func corrupt(m *machine, sealed bool) {
	m.applying.Lock()
	defer m.applying.Unlock()
	bad := *m.state.Load()
	web := bad.Config.Services.Of("web")
	web.Servers = slices.Clone(web.Servers)
	web.Servers[0].Weight ^= 4
	bad.Config.Services = bad.Config.Services.With("web", web)
	if sealed {
		bad = bad.Sealed()
	}
	m.state.Store(&bad)
}

func weight(m *machine) uint32 { return m.state.Load().Config.Services.Of("web").Servers[0].Weight }

func web(weight uint32) map[string]*fsm.Service {
	return map[string]*fsm.Service{"web": {Name: "web", Servers: []fsm.Server{{Address: register(0).Server, Weight: weight}}}}
}

// alone is a node that does not run, with a log of a few entries.
func alone(t *testing.T) *Node {
	t.Helper()
	s, err := logstore.Open(t.TempDir(), hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	n := &Node{id: pki.Identity{Name: "a"}, log: hclog.NewNullLogger(), machine: newMachine(hclog.NewNullLogger()), store: s, health: health{only: make(chan struct{}, 1)}}
	for i, c := range []fsm.Command{
		fsm.InitCluster{ClusterID: "c1", Level: fsm.LevelSum, Member: fsm.Member{Name: "a"}},
		fsm.ChangeConfig{Delta: fsm.Delta{Services: web(1)}},
		fsm.ChangeConfig{Base: 1, Delta: fsm.Delta{Services: web(2)}},
	} {
		entry, err := fsm.Encode(c)
		if err != nil {
			t.Fatal(err)
		}
		l := &raft.Log{Index: uint64(i + 1), Term: 1, Type: raft.LogCommand, Data: entry}
		if err := s.Logs().StoreLog(l); err != nil {
			t.Fatal(err)
		}
		if err := n.machine.Apply(l); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

func TestAFlippedByteIsFoundAndHealedWithinTenSeconds(t *testing.T) {
	for _, scrubbed := range []bool{true, false} {
		t.Run(fmt.Sprintf("scrubbed %v", scrubbed), func(t *testing.T) {
			n := alone(t)
			hash := n.State().Hash()
			synctest.Test(t, func(t *testing.T) {
				var said []fsm.Change
				n.machine.onChange = func(_, _ *fsm.State, changes []fsm.Change) { said = changes }
				n.machine.changed = make(chan struct{}) // of this bubble
				n.health.only = make(chan struct{}, 1)
				var wg sync.WaitGroup
				if scrubbed {
					wg.Go(func() { _ = n.scrub(t.Context()) })
				}
				time.Sleep(time.Hour)
				if n.Healed() != "" || n.Sound() != nil {
					t.Fatalf("a sound state was healed: %s", n.Healed())
				}
				corrupt(n.machine, false)
				time.Sleep(10 * time.Second)
				synctest.Wait()
				if n.State().Hash() != hash {
					t.Error("its hash tells of the flipped byte: then nobody has to scrub")
				}
				if got := weight(n.machine) == 2 && n.State().Verify() == nil; got != scrubbed {
					t.Errorf("healed: %v, scrubbed: %v", got, scrubbed)
				}
				if scrubbed && (len(said) == 0 || said[0].Kind != fsm.StateHealed || !strings.Contains(said[0].Text, "memory of this host")) {
					t.Errorf("said %v", said)
				}
				if told := strings.Contains(n.Healed(), "(1 times, last at "); told != scrubbed {
					t.Errorf("told %q", n.Healed())
				}
			})
		})
	}
}

func TestEntriesThatComeWhileAStateIsMadeAnewAreInIt(t *testing.T) {
	n := alone(t)
	fresh, err := n.fromDisk(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	entry, _ := fsm.Encode(fsm.ChangeConfig{Base: 2, Delta: fsm.Delta{Services: web(3)}})
	l := &raft.Log{Index: 4, Term: 1, Type: raft.LogCommand, Data: entry}
	if err := n.store.Logs().StoreLog(l); err != nil {
		t.Fatal(err)
	}
	n.machine.Apply(l)
	corrupt(n.machine, false)
	if err := n.machine.replace(fresh, n.store, "test"); err != nil || n.State().Index != 4 || weight(n.machine) != 3 {
		t.Errorf("at %d, weight %d: %v", n.State().Index, weight(n.machine), err)
	}
	behind := newMachine(n.log)
	if err := n.store.Bare.DeleteRange(1, 4); err != nil {
		t.Fatal(err)
	}
	if err := n.machine.replace(behind, n.store, "test"); err == nil || n.State().Index != 4 {
		t.Errorf("the state went back to %d: %v", n.State().Index, err)
	}
}

func TestAHealThatFailsIsNotNeededOnceNobodySaysThatTheStateIsWrong(t *testing.T) {
	n := alone(t)
	if err := n.HealFrom(t.Context(), "outvoted", 3, "x", nil); err == nil || n.Sound() == nil {
		t.Fatalf("nobody has a state to heal from: %v, %v", err, n.Sound())
	}
	corrupt(n.machine, false)
	if n.Agrees(); n.Sound() == nil {
		t.Error("a byte flipped meanwhile, and it is called sound")
	}
	corrupt(n.machine, true)
	if n.Agrees(); n.Sound() != nil {
		t.Errorf("nobody says so any more: %v", n.Sound())
	}
	n.health.wrong.Store(&fault{why: "scrubbed"})
	if n.Agrees(); n.Sound() == nil {
		t.Error("what the scrub has found is no vote of others")
	}
}

// TestAStateThatIsAheadOfTheLogIsNotRecorded: whoever healed from another member and is killed before its own log has
// come as far must start again.
func TestAStateThatIsAheadOfTheLogIsNotRecorded(t *testing.T) {
	t.Parallel()
	a := first(t, "a")
	had := a.State().Index
	ahead := *a.State()
	ahead.Index += 100
	ahead = ahead.Sealed()
	fresh := newMachine(a.log)
	fresh.state.Store(&ahead)
	if err := a.machine.replace(fresh, a.store, "test"); err != nil {
		t.Fatal(err)
	}
	a.kill()
	n, err := Open(a.cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if n.State().Index > had || n.recorded > had {
		t.Errorf("it had %d in its log and starts at %d, with %d on record", had, n.State().Index, n.recorded)
	}
}

func TestAFetchedStateIsTheOneThatAMajorityHas(t *testing.T) {
	s := *alone(t).State()
	for _, tt := range []struct {
		voted hashed
		ok    bool
	}{{hashed{3, s.Hash()}, true}, {hashed{3, "x"}, false}, {hashed{4, s.Hash()}, false}, {hashed{2, "x"}, true}} {
		if err := tt.voted.fits("b", &s); (err == nil) != tt.ok {
			t.Errorf("%v: %v", tt.voted, err)
		}
	}
}

// overtaken is a disk that Raft changes while somebody reads it.
type overtaken struct {
	logstore.Disk
	meanwhile func()
}

func (o *overtaken) GetLog(index uint64, l *raft.Log) error {
	o.meanwhile()
	return o.Disk.GetLog(index, l)
}

func TestALogThatIsCompactedDuringAHealIsNotCalledDamaged(t *testing.T) {
	n := alone(t)
	var once sync.Once
	compact := func() {
		if err := n.store.Bare.DeleteRange(1, 2); err != nil {
			t.Error(err)
		}
	}
	n.store.Bare = &overtaken{n.store.Bare, func() { once.Do(compact) }}
	if _, err := n.fromDisk(t.Context()); err == nil || strings.Contains(err.Error(), "damaged") {
		t.Errorf("without a snapshot: %v", err)
	}
	if _, err := newMachine(n.log).replayAtRest(n.store, 3); err == nil || !strings.Contains(err.Error(), "is damaged") {
		t.Errorf("at the start: %v", err)
	}

	n = alone(t)
	once = sync.Once{}
	n.store.Bare = &overtaken{n.store.Bare, func() {
		once.Do(func() {
			snap, err := n.machine.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			sink, err := n.store.Snapshots.Create(1, 2, 1, raft.Configuration{}, 1, nil)
			if err == nil {
				err = snap.Persist(sink)
			}
			if err != nil {
				t.Fatal(err)
			}
			compact()
		})
	}}
	if fresh, err := n.fromDisk(t.Context()); err != nil || fresh.state.Load().Hash() != n.State().Hash() {
		t.Errorf("with a newer snapshot: %v", err)
	}
}

// newest raises a cluster to the newest level and gives it a service.
func newest(t *testing.T, ns []*testnode) {
	t.Helper()
	eventually(t, "there is a service", func() error {
		err := ns[0].Propose(t.Context(), fsm.ChangeConfig{Delta: fsm.Delta{Services: web(2)}})
		if errors.Is(err, fsm.ErrStale) {
			return nil
		}
		return err
	})
	eventually(t, "all have the same", same(ns...))
}

func TestALeaderWithAWrongStateGivesLeadershipAwayAndHeals(t *testing.T) {
	t.Parallel()
	ns := three(t)
	newest(t, ns)
	for _, tt := range []struct {
		name   string
		sealed bool
	}{{"a byte flips", false}, {"it applied an entry otherwise", true}} {
		gave := false
		for i := 0; i < 5 && !gave; i++ { // a machine that is busy may have nobody in time who would take it
			makeLead(t, ns[0], ns)
			term := ns[0].raft.Load().CurrentTerm()
			corrupt(ns[0].machine, tt.sealed)
			if tt.sealed {
				right := ns[1].State()
				if err := ns[0].HealFrom(t.Context(), "test", right.Index, right.Hash(), []string{"b", "c"}); err != nil {
					t.Fatal(err)
				}
			}
			eventually(t, tt.name+": it heals", func() error {
				if weight(ns[0].machine) != 2 || ns[0].Sound() != nil {
					return fmt.Errorf("weight %d, %v", weight(ns[0].machine), ns[0].Sound())
				}
				return nil
			})
			gave = ns[0].raft.Load().CurrentTerm() != term
		}
		if !gave {
			t.Errorf("%s: it leads on", tt.name)
		}
		if err := ns[1].Propose(t.Context(), drain("a", tt.sealed)); err != nil && !lostLeader(err) {
			t.Error(err)
		}
		eventually(t, tt.name+": all have the same", same(ns...))
	}
	if ns[1].Healed() != "" || ns[2].Healed() != "" {
		t.Errorf("who was right healed: %q %q", ns[1].Healed(), ns[2].Healed())
	}
}

// blockedSink takes a snapshot when a test says so.
type blockedSink struct {
	io.Writer
	free chan struct{}
}

func (s blockedSink) Write(b []byte) (int, error) {
	<-s.free
	return s.Writer.Write(b)
}

func (blockedSink) Close() error  { return nil }
func (blockedSink) ID() string    { return "" }
func (blockedSink) Cancel() error { return nil }

func TestASnapshotNeverBlocksApply(t *testing.T) {
	n := alone(t)
	snap, err := n.machine.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	sink := blockedSink{&text, make(chan struct{})}
	written := make(chan error, 1)
	go func() { written <- snap.Persist(sink) }()
	for i := range 100 { // returns, though the snapshot's disk hangs
		entry, _ := fsm.Encode(fsm.ChangeConfig{Base: uint64(2 + i), Delta: fsm.Delta{Services: web(uint32(i))}})
		if err := n.machine.Apply(&raft.Log{Index: uint64(4 + i), Type: raft.LogCommand, Data: entry}); err != nil {
			t.Fatal(err)
		}
	}
	close(sink.free)
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	back, err := fsm.ReadSnapshot(strings.NewReader(text.String()))
	if err != nil || back.Index != 3 || n.State().Index != 103 {
		t.Errorf("the snapshot is of %d, the state of %d: %v", back.Index, n.State().Index, err)
	}
	corrupt(n.machine, false)
	bad, err := n.machine.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if err := bad.Persist(sink); !errors.Is(err, fsm.ErrCorrupt) {
		t.Errorf("a corrupt state was written: %v", err)
	}
	if _, err := n.Saved(t.Context(), true); !errors.Is(err, fsm.ErrCorrupt) {
		t.Errorf("a corrupt state was saved: %v", err)
	}
}

// TestAScrubIsSpreadOverItsTime holds that one of a large state takes as long as it may, finds what is wrong, and ends with the
// node.
func TestAScrubIsSpreadOverItsTime(t *testing.T) {
	m := newMachine(hclog.NewNullLogger())
	many := map[string]*fsm.Service{}
	for i := range 10*scrubParts + 7 {
		name := fmt.Sprint("s", i)
		many[name] = &fsm.Service{Name: name, Servers: []fsm.Server{{Address: register(0).Server, Weight: 1}}}
	}
	many["web"] = web(2)["web"]
	state := *m.state.Load()
	for _, c := range []fsm.Command{
		fsm.InitCluster{ClusterID: "c1", Level: fsm.LevelSum, Member: fsm.Member{Name: "a"}}, fsm.ChangeConfig{Delta: fsm.Delta{Services: many}},
	} {
		next, _, err := fsm.Apply(state, state.Index+1, c)
		if err != nil {
			t.Fatal(err)
		}
		state = next
	}
	m.state.Store(&state)
	for _, flipped := range []bool{false, true} {
		if flipped {
			corrupt(m, false)
		}
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			err := verifySlowly(t.Context(), m.state.Load())
			if took := time.Since(began); errors.Is(err, fsm.ErrCorrupt) != flipped || took < scrubEvery || took > scrubEvery+scrubEvery/10 {
				t.Errorf("flipped %v: %v after %v", flipped, err, took)
			}
			ctx, stop := context.WithTimeout(t.Context(), scrubEvery/3)
			defer stop()
			began = time.Now()
			err = verifySlowly(ctx, m.state.Load())
			if took := time.Since(began); !errors.Is(err, fsm.ErrGivenUp) || took != scrubEvery/3 {
				t.Errorf("ended: %v after %v", err, took)
			}
		})
	}
}

func TestAScrubHasNoMorePartsThanItMay(t *testing.T) {
	for all, parts := range map[int]int{0: 0, 1: 1, scrubParts: scrubParts, scrubParts + 1: 13, 2*scrubParts - 1: 24, 2 * scrubParts: scrubParts, 4000: scrubParts} {
		if is := all / scrubPart(all); is != parts {
			t.Errorf("of %d it has %d, not %d", all, is, parts)
		}
	}
}
