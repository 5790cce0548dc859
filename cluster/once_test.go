package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/quorate/quorate/fsm"
)

// Writers go on through every node while leadership is handed about. Nobody is told
// that a change is uncertain, and none takes effect twice: the revision counts them.
func TestChangesTakeEffectOnceThoughLeadersAreLost(t *testing.T) {
	t.Parallel()
	ns := three(t)
	const changes, writer = 60, 2
	done := make(chan error, 1)
	go func() {
		for i := range changes {
			if err := ns[writer].Propose(t.Context(), fsm.PutConfig{Base: uint64(i)}); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	var others sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	others.Go(func() { // they make the leader's log move at every moment
		for i := 0; ctx.Err() == nil; i++ {
			if err := ns[0].Propose(ctx, drain("a", i%2 == 0)); err != nil && ctx.Err() == nil {
				t.Errorf("drain %d: %v", i, err)
			}
		}
	})
	handed := 0
	for end := false; !end; {
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("with %d handings over: %v", handed, err)
			}
			end = true
		default:
			for _, n := range ns {
				if n.IsLeader() && n.LeadershipTransfer(t.Context()) == nil {
					handed++
				}
			}
			pause(t.Context(), ns[0].cfg.Heartbeat/2)
		}
	}
	stop()
	others.Wait()
	eventually(t, "all have the same", same(ns...))
	if got := ns[0].State().Revision; got != changes {
		t.Errorf("revision %d after %d changes", got, changes)
	}
	if handed == 0 {
		t.Error("leadership was never handed over")
	}
	t.Logf("%d changes, %d times with another leader", changes, handed)
}

// The answer of a leader that is killed while it is asked never comes: the next leader is asked.
func TestALeaderThatDiesWithTheAnswerIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	ns := three(t)
	eventually(t, "all have the same", same(ns...))
	var leader, follower *testnode
	for _, n := range ns {
		if n.IsLeader() {
			leader = n
		} else {
			follower = n
		}
	}
	request := fsm.Once{Request: "r", Command: fsm.PutConfig{}}
	entry, err := fsm.Encode(request)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := leader.append(t.Context(), entry); err != nil { // as the leader does before it dies
		t.Fatal(err)
	}
	leader.kill()
	index, err := follower.agree(t.Context(), request)
	if err != nil {
		t.Errorf("made again: %v", err)
	}
	eventually(t, "the follower has it", func() error {
		if got := follower.State().Index; got < index {
			return fmt.Errorf("it is at %d, not at %d", got, index)
		}
		return nil
	})
	if got := follower.State().Revision; got != 1 {
		t.Errorf("revision %d", got)
	}
	if err := follower.Propose(t.Context(), fsm.PutConfig{}); !errors.Is(err, fsm.ErrStale) {
		t.Errorf("another request: %v", err)
	}
}

// A cluster of an older feature level has members that know no requests: their log must hold none.
func TestAClusterOfAnOlderLevelIsAskedWithoutRequests(t *testing.T) {
	t.Parallel()
	cfg := config(t, "a")
	cfg.MaxLevel = fsm.LevelHistory - 1
	if err := Init(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	n := start(t, cfg)
	eventually(t, "it leads", func() error { return leads(n) })
	for i := range 3 {
		if err := n.Propose(t.Context(), drain("a", i%2 == 0)); err != nil {
			t.Fatal(err)
		}
	}
	if s := n.State(); s.Level >= fsm.LevelHistory || s.Requests.Len() != 0 {
		t.Errorf("level %d, requests %v", s.Level, s.Requests)
	}
	cut := fsm.Router{Name: "r", VRID: 1, Placement: fsm.Placement{OnSegmentCut: fsm.OneSide}}
	if err := n.Propose(t.Context(), fsm.PutConfig{Config: fsm.Config{Routers: map[string]fsm.Router{"r": cut}}}); err == nil || !strings.Contains(err.Error(), "upgrade finish") {
		t.Errorf("what needs the next level: %v", err)
	}
}
