package cluster

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm"
)

// envCommitPage is where BenchmarkCommit writes its page.
const envCommitPage = "QUORATE_COMMIT_PAGE"

const (
	commitRounds = 3
	commitSpan   = 2 * time.Second
)

// commits are how long writers waited for what they wrote.
type commits []time.Duration

func (c commits) at(share float64) time.Duration {
	slices.Sort(c)
	return c[min(len(c)-1, int(float64(len(c))*share))]
}

// commit has so many writers write for a while, and returns how long each write took.
func commit(b *testing.B, writers int, write func(writer, n int) error) commits {
	b.Helper()
	var mu sync.Mutex
	var all commits
	var wg sync.WaitGroup
	until := time.Now().Add(commitSpan)
	for w := range writers {
		wg.Go(func() {
			var own commits
			for n := 0; time.Now().Before(until); n++ {
				began := time.Now()
				if err := write(w, n); err != nil {
					b.Errorf("writer %d: %v", w, err)
					return
				}
				own = append(own, time.Since(began))
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, own...)
		})
	}
	wg.Wait()
	if len(all) == 0 {
		b.Fatal("nothing was written")
	}
	return all
}

// way is one way to have something agreed.
type way struct {
	name   string
	write  func(writer, n int) error
	beside string // the way that its ratio is by
}

// ways are plain Raft's leader, and the same asked over TCP, quorate's leader and a follower, and Raft that has to do some of
// what quorate has. All write the same.
func ways(b *testing.B) []way {
	ns := three(b, func(c *Config) { c.Heartbeat = 500 * time.Millisecond })
	if level := ns[0].State().Level; level != fsm.Newest {
		b.Fatalf("the cluster is at feature level %d, not at the newest", level)
	}
	web := fsm.Service{Name: "web"}
	for i := range 64 {
		web.Servers = append(web.Servers, fsm.Server{Address: register(i).Server})
	}
	if err := ns[0].Propose(b.Context(), fsm.ChangeConfig{Delta: fsm.Delta{Services: map[string]*fsm.Service{"web": &web}}}); err != nil {
		b.Fatal(err)
	}
	leader := slices.IndexFunc(ns, func(n *testnode) bool { return n.IsLeader() })
	if leader < 0 {
		b.Fatal("nobody leads")
	}
	verdict := func(w, n int) fsm.Command {
		return fsm.SetVerdicts{Verdicts: map[fsm.ServerKey]fsm.Verdict{register(w): {Health: fsm.Up, Cause: fmt.Sprintf("d1, d2, d3: answer %d", n)}}}
	}
	through := func(n *testnode) func(w, i int) error {
		return func(w, i int) error { return n.Propose(context.Background(), verdict(w, i)) }
	}
	by := func(r *raft.Raft) func(w, n int) error {
		return func(w, n int) error {
			entry, err := fsm.Encode(fsm.Once{Request: rand.Text(), Command: verdict(w, n)})
			if err != nil {
				return err
			}
			return r.Apply(entry, 10*time.Second).Error()
		}
	}
	plain := peer{machine: func() raft.FSM { return mute{} }}.begin(b)
	asking := askedBy(b, plain)
	return []way{
		{plainLeader, by(plain), plainLeader},
		{plainFollower, func(w, n int) error {
			entry, err := fsm.Encode(fsm.Once{Request: rand.Text(), Command: verdict(w, n)})
			if err != nil {
				return err
			}
			return asking.Call("Asked.Apply", entry, new(uint64))
		}, plainFollower},
		{"quorate, leader", through(ns[leader]), plainLeader},
		{"quorate, follower", through(ns[(leader+1)%3]), plainFollower},
		{"raft with TLS and the same state, leader", by(loaded(b, *ns[leader].State()).begin(b)), plainLeader},
	}
}

const (
	plainLeader   = "plain raft, leader"
	plainFollower = "plain raft, asked over TCP"
)

// BenchmarkCommit is how long a writer waits until a change is agreed and applied, beside plain Raft with the same store
// in the same run. The ways take turns, so that what else the machine does hits all alike.
func BenchmarkCommit(b *testing.B) {
	all := ways(b)
	var page strings.Builder
	fmt.Fprintf(&page, `# Commits, %s

Written by `+"`make bench-cluster`"+` from its own run: three nodes in one process over loopback, each with its log on this machine's disk
(%s/%s, %d CPUs), %d rounds of %v each, in turns. Plain raft is hashicorp/raft with its defaults, the same store and TCP without TLS;
quorate's numbers have TLS, the apply on the node that was asked, and through a follower the way to the leader in them. Plain raft takes no
changes through a follower: what is asked over TCP is its leader, by Go's net/rpc over one connection, as a follower of it would ask with the least
that there is. It is answered when the leader is; quorate's answer comes when the follower's own state has the change. Ratio is the time of the row
by that of plain raft's leader with as many writers, and of the row through a follower by plain raft that is asked over TCP, and in brackets by its
leader; the goal is 1.3. Plain raft encrypts nothing and its state machine does nothing: so the last row is hashicorp/raft with TLS and
quorate's state machine, and without all else that quorate does. All three nodes share the processors that one node would have to itself, so what
each of them does for an entry counts three times here.

| writers | through | p50 | p99 | a second | ratio of p50 | ratio of p99 |
| --- | --- | --- | --- | --- | --- | --- |
`, time.Now().Format("2006-01-02"), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), commitRounds, commitSpan)
	for _, writers := range []int{1, 64} {
		got := make([]commits, len(all))
		for range commitRounds {
			for i, w := range all {
				got[i] = append(got[i], commit(b, writers, w.write)...)
			}
		}
		ratio := func(of commits, beside string, share float64) string {
			by := func(name string) float64 {
				i := slices.IndexFunc(all, func(w way) bool { return w.name == name })
				return float64(of.at(share)) / float64(got[i].at(share))
			}
			if beside == plainLeader {
				return fmt.Sprintf("%.2f", by(beside))
			}
			return fmt.Sprintf("%.2f (%.2f)", by(beside), by(plainLeader))
		}
		for i, w := range all {
			p50, p99 := got[i].at(.5), got[i].at(.99)
			rate := float64(len(got[i])) / (commitRounds * commitSpan.Seconds())
			fmt.Fprintf(&page, "| %d | %s | %v | %v | %.0f | %s | %s |\n", writers, w.name, p50.Round(10*time.Microsecond), p99.Round(10*time.Microsecond), rate,
				ratio(got[i], w.beside, .5), ratio(got[i], w.beside, .99))
			unit := strings.NewReplacer(", ", "-", " ", "-").Replace(w.name) + fmt.Sprintf("-%d", writers)
			b.ReportMetric(float64(p50.Microseconds()), unit+"-p50-us")
			b.ReportMetric(float64(p99.Microseconds()), unit+"-p99-us")
		}
	}
	if path := os.Getenv(envCommitPage); path != "" {
		if err := os.WriteFile(path, []byte(page.String()), 0o644); err != nil {
			b.Fatal(err)
		}
	}
}
