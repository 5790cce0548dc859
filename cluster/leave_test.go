package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func silently(string) {}

// gone waits until the others have neither the member nor its vote.
func gone(t *testing.T, name string, rest ...*testnode) {
	t.Helper()
	eventually(t, name+" is no member", func() error {
		for _, n := range rest {
			servers, err := n.servers()
			if err != nil || len(servers) != len(rest) || len(n.State().Members) != len(rest) {
				return fmt.Errorf("%s has servers %v, %v", n.cfg.Name, servers, err)
			}
		}
		return nil
	})
}

func TestAFollowerLeavesAndTwoLeavesAreOne(t *testing.T) {
	t.Parallel()
	ns := three(t)
	makeLead(t, ns[0], ns)
	var wg sync.WaitGroup
	errs := make([]error, 3)
	for i := range errs {
		wg.Go(func() { errs[i] = ns[1].Leave(t.Context(), false, silently) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	if Exists(ns[1].cfg.DataDir) || !ns[1].Left() {
		t.Error("it has not left")
	}
	gone(t, "b", ns[0], ns[2])
	if !ns[0].IsLeader() {
		t.Error("the leader changed for a follower that left")
	}
	if left, err := os.ReadDir(ns[1].cfg.DataDir); err != nil || len(left) != 1 {
		t.Errorf("left in its directory: %v, %v", left, err)
	}
}

func TestOfTwoOneLeavesAndTheOtherGoesOn(t *testing.T) {
	t.Parallel()
	for _, who := range []string{"the leader", "the follower"} {
		t.Run(who, func(t *testing.T) {
			a := first(t, "a")
			b := join(t, a, "b")
			ns := []*testnode{a, b}
			makeLead(t, a, ns)
			leaves, stays := b, a
			if who == "the leader" {
				leaves, stays = a, b
			}
			if err := leaves.Leave(t.Context(), false, silently); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the other leads alone", func() error { return leads(stays) })
			if err := stays.Propose(t.Context(), drain(stays.cfg.Name, true)); err != nil {
				t.Error(err)
			}
			gone(t, leaves.cfg.Name, stays)
			back := join(t, stays, leaves.cfg.Name)
			eventually(t, "two again", same(stays, back))
		})
	}
}

func TestALeaveThatWasCutOffIsRunAgain(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		members int
		cut     func(t *testing.T, n *testnode)
	}{
		{"after leadership was given away", 3, func(t *testing.T, n *testnode) {
			if err := n.LeadershipTransfer(t.Context()); err != nil {
				t.Fatal(err)
			}
		}},
		{"after it was removed, of three", 3, cutAfterRemoval},
		{"after it was removed, of two", 2, cutAfterRemoval},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := first(t, "a")
			ns := []*testnode{a}
			for _, name := range []string{"b", "c"}[:tt.members-1] {
				ns = append(ns, join(t, a, name))
			}
			makeLead(t, a, ns)
			a.leaving.Store(true)
			tt.cut(t, a)
			a.kill()
			again := start(t, a.cfg)
			eventually(t, "the leave runs again", func() error { return again.Leave(t.Context(), false, silently) })
			if Exists(a.cfg.DataDir) {
				t.Error("its data is left")
			}
			gone(t, "a", ns[1:]...)
		})
	}
	t.Run("while it was wiped", func(t *testing.T) {
		a := first(t, "a")
		b := join(t, a, "b")
		if err := b.Remove(t.Context(), "b", true); err != nil {
			t.Fatal(err)
		}
		b.kill()
		if err := os.Rename(filepath.Join(b.cfg.DataDir, liveDir), filepath.Join(b.cfg.DataDir, goneDir)); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(b.cfg); err == nil || Exists(b.cfg.DataDir) {
			t.Error("it believes itself a member")
		}
		text, err := a.CreateToken(t.Context(), "", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if err := Join(t.Context(), b.cfg, a.cfg.Bind.String(), text, silently); err != nil {
			t.Error(err)
		}
	})
}

// cutAfterRemoval ends a leader's leave when the others have removed it, and it does not know.
func cutAfterRemoval(t *testing.T, n *testnode) {
	t.Helper()
	if err := n.LeadershipTransfer(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is removed", func() error {
		switch {
		case n.Removed() != nil: // the answer to an earlier try came too late
			return nil
		case n.IsLeader():
			return errors.New("it leads")
		}
		return n.Remove(t.Context(), n.cfg.Name, true)
	})
}

func TestALeaveBeforeRunWipes(t *testing.T) {
	t.Parallel()
	a := first(t, "a")
	a.end()
	n, err := Open(a.cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Leave(t.Context(), true, silently); err != nil || Exists(a.cfg.DataDir) {
		t.Errorf("leave: %v", err)
	}
	if err := n.Run(t.Context()); err == nil {
		t.Error("it runs after that")
	}
}

func TestALeaveThatIsStoppedBeforeItWipedSaysSo(t *testing.T) {
	t.Parallel()
	a := first(t, "a")
	a.end()
	if err := a.Leave(t.Context(), true, silently); err == nil || !Exists(a.cfg.DataDir) {
		t.Errorf("leave of a node that has stopped: %v", err)
	}
}

func TestRefusalsNameTheNumbers(t *testing.T) {
	t.Parallel()
	ns := three(t)
	makeLead(t, ns[0], ns)
	ns[2].kill()
	want := "without b it has 2 voters and needs 2 of them, but only 1 answer"
	for name, err := range map[string]error{
		"leave":              ns[1].Leave(t.Context(), false, silently),
		"remove":             ns[0].Remove(t.Context(), "b", false),
		"remove, a follower": ns[1].Remove(t.Context(), "b", false),
	} {
		if !errors.Is(err, ErrQuorumAtRisk) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	if len(ns[0].State().Members) != 3 || ns[1].leaving.Load() {
		t.Fatal("something was changed")
	}
	if err := ns[1].Propose(t.Context(), drain("a", true)); err != nil {
		t.Errorf("after the refusals: %v", err)
	}
	if err := ns[1].Remove(t.Context(), "c", false); err != nil { // the dead one costs nothing
		t.Fatal(err)
	}
	gone(t, "c", ns[0], ns[1])
	if err := ns[1].Remove(t.Context(), "a", false); err != nil { // the leader itself, by another
		t.Fatal(err)
	}
	eventually(t, "the removed leader knows", ns[0].knowsRemoval)
	eventually(t, "the other leads alone", func() error { return leads(ns[1]) })
	gone(t, "a", ns[1])
	err := ns[1].Leave(t.Context(), false, silently)
	if !errors.Is(err, ErrQuorumAtRisk) || !strings.Contains(err.Error(), "only member") {
		t.Errorf("the last: %v", err)
	}
}

func TestAForcedLeaveWithoutQuorumEndsHere(t *testing.T) {
	t.Parallel()
	ns := three(t)
	ns[0].kill()
	ns[1].kill()
	said := ""
	if err := ns[2].Leave(t.Context(), true, func(s string) { said += s }); err != nil || Exists(ns[2].cfg.DataDir) {
		t.Errorf("leave: %v", err)
	}
	if !strings.Contains(said, "the others were not told") {
		t.Errorf("it said %q", said)
	}
}

func TestWhoWasRemovedWhileAwayIsToldAndComesBack(t *testing.T) {
	t.Parallel()
	ns := three(t)
	makeLead(t, ns[0], ns)
	ns[2].kill()
	if err := ns[0].Remove(t.Context(), "c", false); err != nil {
		t.Fatal(err)
	}
	away := start(t, ns[2].cfg)
	if away.State().Members["c"].Name == "" {
		t.Error("its own log cannot know")
	}
	eventually(t, "it is told", away.knowsRemoval)
	if away.Current() || away.Quorum() || away.Leader() != "" || away.Voter() {
		t.Error("it still takes part")
	}
	away.kill()
	// At once after a restart, when it has not been told again, it can leave nevertheless.
	again := start(t, ns[2].cfg)
	if err := again.Leave(t.Context(), false, silently); err != nil {
		t.Fatal(err)
	}
	back := join(t, ns[1], "c")
	eventually(t, "three again", same(ns[0], ns[1], back))
}
