package cluster

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/fsm"
)

const (
	handovers = 50
	deaths    = 10
	joins     = 10
	starts    = 5
)

// asShipped has a node beat as it does where the agent file says nothing.
func asShipped(c *Config) { c.Heartbeat = 500 * time.Millisecond }

// BenchmarkLives is how long a cluster is without a leader, a joiner until it votes, and a node with 100,000 servers in
// its state until it has them; and what memory that takes.
func BenchmarkLives(b *testing.B) {
	var page strings.Builder
	fmt.Fprintf(&page, `
## Leaders, joins, starts

With the default heartbeat of 500 ms, three nodes in one process. A change of leader is measured from the deed to the first change that
another director has agreed after it, which a client sees.

| what | times | p50 | p99 |
| --- | --- | --- | --- |
`)
	row := func(what, unit string, got commits) {
		fmt.Fprintf(&page, "| %s | %d | %v | %v |\n", what, len(got), got.at(.5).Round(time.Millisecond), got.at(.99).Round(time.Millisecond))
		b.ReportMetric(float64(got.at(.5).Milliseconds()), unit+"-p50-ms")
		b.ReportMetric(float64(got.at(.99).Milliseconds()), unit+"-p99-ms")
	}
	ns := three(b, asShipped)
	row("leadership is given away", "handover", changes(b, ns, handovers, func(leader int) {
		_ = ns[leader].LeadershipTransfer(b.Context()) // a try that fails takes its time too
	}))
	row("the leader dies", "death", changes(b, ns, deaths, func(leader int) { ns[leader].kill() }))
	row("join until it votes", "join", joined(b, ns[0]))
	began, heap := begun(b)
	row("open a log with 100,000 servers in the state, until they are there", "start", began)
	fmt.Fprintf(&page, "\nThe state of 100,000 servers takes %d MiB of heap on each node.\n", heap>>20)
	b.ReportMetric(float64(heap>>20), "MiB-of-100000-servers")
	b.ReportMetric(0, "ns/op") // the time of all of it means nothing
	if path := os.Getenv(envCommitPage); path != "" {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			b.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(page.String()); err != nil {
			b.Fatal(err)
		}
	}
}

// changes has the leader go, again and again, and returns how long it took until another had something agreed.
func changes(b *testing.B, ns []*testnode, times int, deed func(leader int)) commits {
	b.Helper()
	var all commits
	for range times {
		leader := -1
		eventually(b, "one leads, and all are there", func() error {
			for i, n := range ns {
				if n.IsLeader() {
					leader = i
				}
				if !n.Quorum() || !n.Current() {
					return ErrNoLeader
				}
			}
			if leader < 0 {
				return ErrNoLeader
			}
			return nil
		})
		other := ns[(leader+1)%len(ns)]
		began := time.Now()
		deed(leader)
		for n := 0; other.Leader() == ns[leader].cfg.Name || other.Propose(context.Background(), drain(other.cfg.Name, n%2 == 0)) != nil; n++ {
			time.Sleep(time.Millisecond)
		}
		all = append(all, time.Since(began))
		select {
		case <-ns[leader].Node.done:
			ns[leader] = start(b, ns[leader].cfg)
		default:
		}
	}
	return all
}

// joined has directors join, one after the other, and returns how long each took to vote.
func joined(b *testing.B, via *testnode) commits {
	b.Helper()
	var all commits
	for i := range joins {
		token, err := via.CreateToken(b.Context(), fsm.RoleDirector, time.Hour)
		if err != nil {
			b.Fatal(err)
		}
		cfg := config(b, fmt.Sprint("j", i))
		asShipped(&cfg)
		began := time.Now()
		if err := Join(b.Context(), cfg, via.cfg.Bind.String(), token, func(string) {}); err != nil {
			b.Fatal(err)
		}
		n := start(b, cfg)
		for !n.Voter() || !n.Current() {
			time.Sleep(time.Millisecond)
		}
		all = append(all, time.Since(began))
		if err := n.Leave(b.Context(), false, func(string) {}); err != nil {
			b.Fatal(err)
		}
	}
	return all
}

// begun starts the node of a cluster of one with 100,000 servers, and returns how long it took to have them, and the
// memory of the state.
func begun(b *testing.B) (all commits, heap uint64) {
	b.Helper()
	n := first(b, "a", asShipped)
	delta := fsm.Delta{Services: map[string]*fsm.Service{}}
	for name, s := range large().Services.All() {
		delta.Services[name] = &s
	}
	if err := n.Propose(b.Context(), fsm.ChangeConfig{Delta: delta}); err != nil {
		b.Fatal(err)
	}
	delta = fsm.Delta{}
	for range starts {
		n.end()
		cfg := n.cfg
		n = nil
		before := inUse()
		began := time.Now()
		n = start(b, cfg)
		all = append(all, time.Since(began))
		if got := n.State().Config.Services.Len(); got != large().Services.Len() {
			b.Fatalf("it has %d services", got)
		}
		heap = inUse() - before
	}
	return all, heap
}

// inUse is the heap that is in use.
func inUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
