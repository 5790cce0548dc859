package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"
	"github.com/hashicorp/raft"
)

func TestALostQuorumIsSeenSoon(t *testing.T) {
	t.Parallel()
	for _, who := range []string{"the leader", "a follower"} {
		t.Run(who, func(t *testing.T) {
			ns := three(t)
			makeLead(t, ns[0], ns)
			if d := ns[1].leaderless(time.Now()); d != 0 && ns[1].Leader() != "" {
				t.Errorf("with a leader: none for %v", d)
			}
			stays, dead := ns[0], ns[1:]
			if who == "a follower" {
				stays, dead = ns[2], ns[:2]
			}
			var wg sync.WaitGroup
			for _, n := range dead {
				wg.Go(n.kill)
			}
			wg.Wait()
			began := time.Now()
			eventually(t, "it is seen", func() error {
				if stays.Quorum() || stays.Leader() != "" || stays.IsLeader() {
					return fmt.Errorf("quorum %v, leader %q", stays.Quorum(), stays.Leader())
				}
				return nil
			})
			if took := time.Since(began); took > 8*beat { // two heartbeats and the lease, and a busy machine
				t.Errorf("it took %v", took)
			}
			began = time.Now()
			err := stays.Propose(t.Context(), drain("a", true))
			if !errors.Is(err, ErrNoLeader) || !strings.Contains(err.Error(), "of 3 voters answer, 2 must reach each other") {
				t.Errorf("error %v", err)
			}
			if took := time.Since(began); took > 15*beat {
				t.Errorf("to say so took %v", took)
			}
			if others := dead[0].cfg.Name + ", " + dead[1].cfg.Name + " do not answer"; !strings.Contains(err.Error(), others) || !strings.Contains(err.Error(), "quorate recover") {
				t.Errorf("neither who is missing nor what to do: %v", err)
			}
			vain, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			select {
			case err := <-stays.hopeless(vain):
				if !errors.Is(err, ErrNoLeader) {
					t.Errorf("what is in vain: %v", err)
				}
			case <-vain.Done():
				t.Error("a change is waited for as long as there is time")
			}
			if stays.State().Members["a"].Draining {
				t.Error("it took effect")
			}
		})
	}
}

// gossipHears reports whether gossip has heard of a member lately.
func (n *testnode) gossipHears(name string) bool {
	m, ok := n.State().Members[name]
	list := n.gossip.Load()
	if !ok || list == nil {
		return false
	}
	return slices.ContainsFunc(list.Members(), func(node *memberlist.Node) bool { return node.Name == m.ID })
}

func TestGossipTellsWhoIsAlive(t *testing.T) {
	t.Parallel()
	ns := three(t)
	all := func(want bool, names ...string) func() error {
		return func() error {
			for _, n := range ns[:2] {
				for _, name := range names {
					if n.gossipHears(name) != want {
						return fmt.Errorf("%s says that %s is alive: %v", n.cfg.Name, name, !want)
					}
				}
			}
			return nil
		}
	}
	eventually(t, "all are alive", all(true, "a", "b", "c"))
	if ns[0].gossipHears("nobody") {
		t.Error("nobody is alive")
	}
	ns[2].kill()
	eventually(t, "c is not", all(false, "c"))
	if err := all(true, "a", "b")(); err != nil {
		t.Error(err)
	}
	ns[2] = start(t, ns[2].cfg)
	eventually(t, "c is again", all(true, "a", "b", "c"))
}

func openFiles(t *testing.T) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc on this host: ", err)
	}
	return len(fds)
}

// Not parallel: it counts what the process has.
func TestNothingIsLeftOfANodeThatEnded(t *testing.T) {
	cycle := func() {
		a := first(t, "a")
		b := join(t, a, "b")
		change(t, b, 3)
		client, base, err := a.Client("b")
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Get(base + "/cluster/progress")
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		silent, err := net.Dial("tcp", a.cfg.Bind.String())
		if err != nil {
			t.Fatal(err)
		}
		defer silent.Close()
		if err := b.Leave(t.Context(), false, silently); err != nil {
			t.Fatal(err)
		}
		a.end()
		again := start(t, a.cfg)
		eventually(t, "it leads", func() error { return leads(again) })
		again.kill()
	}
	cycle() // what libraries keep for good is there after it
	goroutines, files := 0, 0
	settle := func() { goroutines, files = runtime.NumGoroutine(), openFiles(t) }
	eventually(t, "the first settles", func() error {
		settle()
		pause(t.Context(), beat)
		if n := runtime.NumGoroutine(); n != goroutines {
			return fmt.Errorf("%d goroutines", n)
		}
		return nil
	})
	for range 3 {
		cycle()
	}
	eventually(t, "nothing is left", func() error {
		if g, f := runtime.NumGoroutine(), openFiles(t); g > goroutines || f > files {
			if g > goroutines+20 {
				buf := make([]byte, 1<<20)
				return fmt.Errorf("%d goroutines, were %d:\n%s", g, goroutines, buf[:runtime.Stack(buf, true)])
			}
			var names []string
			for fd := range 256 {
				if name, err := os.Readlink(fmt.Sprint("/proc/self/fd/", fd)); err == nil {
					names = append(names, name)
				}
			}
			return fmt.Errorf("%d goroutines, were %d; %d files, were %d: %v", g, goroutines, f, files, names)
		}
		return nil
	})
}

func FuzzParseRaftAddress(f *testing.F) {
	f.Add("id@127.0.0.1:7400")
	f.Add("@")
	f.Add("a@b@[fe80::1%eth0]:1")
	f.Fuzz(func(t *testing.T, text string) {
		id, at, err := parseRaftAddress(raft.ServerAddress(text))
		if err != nil {
			return
		}
		id2, at2, err := parseRaftAddress(raftAddress(id, at))
		if err != nil || id2 != id || at2 != at {
			t.Fatalf("%q is %q at %s, and then %q at %s, %v", text, id, at, id2, at2, err)
		}
	})
}
