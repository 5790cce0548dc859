package cluster

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quorate/quorate/fsm"
)

// TestASavedStateHasEverythingThatWasConfirmed saves on every node while others write: what was confirmed
// before a save began is in it, whoever is asked.
func TestASavedStateHasEverythingThatWasConfirmed(t *testing.T) {
	t.Parallel()
	ns := three(t)
	for i := range 8 {
		id := fmt.Sprintf("%012x", i)
		if err := ns[i%3].Propose(t.Context(), fsm.AddToken{ID: id, Token: fsm.Token{Role: fsm.RoleDirector}}); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for _, n := range ns {
			all.Go(func() {
				s, err := n.Saved(t.Context(), false)
				if err != nil {
					t.Errorf("%s: %v", n.cfg.Name, err)
					return
				}
				if _, ok := s.State.Secrets().Tokens[id]; !ok || s.Stale {
					t.Errorf("%s saved index %d without token %s", n.cfg.Name, s.State.Index, id)
				}
			})
		}
		all.Wait()
	}
}

// TestWhoCatchesUpHasAllThatWasConfirmed also sees that the time is the leader's.
func TestWhoCatchesUpHasAllThatWasConfirmed(t *testing.T) {
	t.Parallel()
	cfg := config(t, "a")
	cfg.Now = func() time.Time { return time.Now().Add(time.Hour) }
	if err := Init(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	a := start(t, cfg)
	eventually(t, "a leads", func() error { return leads(a) })
	b := join(t, a, "b")
	for i := range 20 {
		if err := a.Propose(t.Context(), drain("b", i%2 == 0)); err != nil {
			t.Fatal(err)
		}
		want, term := a.State().Index, b.raft.Load().CurrentTerm()
		now, err := b.CatchUp(t.Context())
		if err != nil || b.State().Index < want {
			t.Fatalf("caught up with %d of %d: %v", b.State().Index, want, err)
		}
		if b.IsLeader() || b.raft.Load().CurrentTerm() != term { // on a busy machine
			makeLead(t, a, []*testnode{a, b})
			continue
		}
		if ahead := time.Until(now); ahead < 59*time.Minute || ahead > 61*time.Minute {
			t.Fatalf("the leader's clock is an hour ahead, and b was told of one that is %v ahead", ahead)
		}
	}
	a.kill()
	if _, err := b.CatchUp(t.Context()); !errors.Is(err, ErrNoLeader) {
		t.Errorf("without a leader: %v", err)
	}
}

func TestANodeThatDiffersSavesNothing(t *testing.T) {
	t.Parallel()
	ns := three(t)
	for _, n := range ns {
		if n.IsLeader() {
			continue
		}
		eventually(t, "all have the same", same(ns...))
		other := *n.State()
		other.Revision += 5
		other = other.Sealed()
		n.machine.state.Store(&other)
		if _, err := n.Saved(t.Context(), false); !errors.Is(err, errDiverged) {
			t.Errorf("%v", err)
		}
		return
	}
	t.Error("no follower")
}

func TestWithoutALeaderOnlyAStaleStateIsSaved(t *testing.T) {
	t.Parallel()
	ns := three(t)
	eventually(t, "all have the same", same(ns...))
	ns[0].kill()
	ns[1].kill()
	if _, err := ns[2].Saved(t.Context(), false); !errors.Is(err, ErrNoLeader) && !errors.Is(err, ErrUncertain) {
		t.Errorf("not stale: %v", err)
	}
	s, err := ns[2].Saved(t.Context(), true)
	if err != nil || !s.Stale || s.State.Hash() != ns[2].State().Hash() {
		t.Fatalf("%+v, %v", s, err)
	}
	text, err := s.Encode()
	if err != nil || !strings.Contains(string(text), `"stale":true`) {
		t.Errorf("%v", err)
	}
}
