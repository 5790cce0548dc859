package cluster

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quorate/quorate/fsm"
)

// long is short, or long where the proofs are to take the time that they name.
func long(short, long int) int {
	if os.Getenv("QUORATE_PROOFS") != "" {
		return long
	}
	return short
}

// A load is writers, each with a register that it counts up in, through the nodes of the moment.
type load struct {
	nodes     atomic.Pointer[[]*testnode] // that are asked
	confirmed [4]atomic.Int64             // the highest number that was confirmed to each writer
	written   atomic.Int64
	failed    atomic.Int64 // surely not done, or not known
	stop      context.CancelFunc
	all       sync.WaitGroup
}

// underLoad has writers write until the load is ended.
func underLoad(t *testing.T, ns []*testnode) *load {
	t.Helper()
	l := &load{}
	l.nodes.Store(&ns)
	web := fsm.Service{Name: "web"}
	for i := range l.confirmed {
		web.Servers = append(web.Servers, fsm.Server{Address: register(i).Server})
	}
	eventually(t, "there are registers", func() error {
		return ns[0].Propose(t.Context(), fsm.PutConfig{Config: fsm.Config{Services: fsm.MapOf(map[string]fsm.Service{"web": web})}, Base: ns[0].State().Revision})
	})
	ctx, cancel := context.WithCancel(t.Context())
	l.stop = cancel
	for w := range l.confirmed {
		l.all.Go(func() { l.write(ctx, w) })
	}
	return l
}

// write counts up, each time through another node.
func (l *load) write(ctx context.Context, w int) {
	for n := int64(1); ctx.Err() == nil; n++ {
		ns := *l.nodes.Load()
		node := ns[int(n)%len(ns)]
		ask, cancel := context.WithTimeout(ctx, 20*beat)
		err := node.Propose(ask, fsm.SetVerdicts{Verdicts: map[fsm.ServerKey]fsm.Verdict{register(w): {Health: fsm.Up, Cause: strconv.FormatInt(n, 10)}}})
		cancel()
		if err != nil {
			l.failed.Add(1)
			continue
		}
		l.written.Add(1)
		l.confirmed[w].Store(n)
	}
}

// shown is the number in a writer's register on a node.
func shown(n *testnode, w int) int64 {
	last, _ := n.State().Verdicts.Of(register(w))
	v, _ := strconv.ParseInt(last.Cause, 10, 64)
	return v
}

// end ends the load, and holds that every node has all that was confirmed.
func (l *load) end(t *testing.T, ns []*testnode) {
	t.Helper()
	l.stop()
	l.all.Wait()
	eventually(t, "all have the same", same(ns...))
	for _, n := range ns {
		for w := range l.confirmed {
			if got, want := shown(n, w), l.confirmed[w].Load(); got < want {
				t.Errorf("%s has %d of writer %d, and %d was confirmed", n.cfg.Name, got, w, want)
			}
		}
	}
	t.Logf("%d writes confirmed, %d not", l.written.Load(), l.failed.Load())
	if l.written.Load() == 0 {
		t.Error("nothing was written")
	}
}

func TestLeadershipIsGivenAwayUnderLoadAndNothingIsLost(t *testing.T) {
	t.Parallel()
	ns := three(t)
	l := underLoad(t, ns)
	began, times := time.Now(), long(5, 1000)
	for i := range times {
		makeLead(t, ns[i%len(ns)], ns)
	}
	t.Logf("%d times in %v", times, time.Since(began).Round(time.Millisecond))
	l.end(t, ns)
}

func TestAllAreRestartedOneAfterTheOtherUnderLoad(t *testing.T) {
	t.Parallel()
	ns := three(t)
	l := underLoad(t, ns)
	began, rounds := time.Now(), long(3, 50)
	for range rounds {
		for i := range ns {
			rest := append(append([]*testnode{}, ns[:i]...), ns[i+1:]...)
			l.nodes.Store(&rest)
			ns[i].end()
			ns[i] = start(t, ns[i].cfg)
			eventually(t, "it takes part again", func() error {
				if !ns[i].Current() || !ns[i].Quorum() {
					return errors.New("not yet")
				}
				return nil
			})
			all := append([]*testnode{}, ns...)
			l.nodes.Store(&all)
		}
	}
	t.Logf("%d rounds in %v", rounds, time.Since(began).Round(time.Millisecond))
	l.end(t, ns)
}

// TestThreeInitsAtOnce runs init three times in one directory, of which one makes a cluster, and once in each of three,
// which are three clusters then, and stay so: none takes the other for its own.
func TestThreeInitsAtOnce(t *testing.T) {
	t.Parallel()
	cfg := config(t, "a")
	var won atomic.Int64
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			if err := Init(t.Context(), cfg); err == nil {
				won.Add(1)
			} else if !strings.Contains(err.Error(), cfg.DataDir) && !strings.Contains(err.Error(), "already") {
				t.Errorf("error %v", err)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Fatalf("%d have made a cluster", won.Load())
	}
	cfgs := []Config{config(t, "b"), config(t, "c")}
	for _, c := range cfgs {
		all.Go(func() {
			if err := Init(t.Context(), c); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	a, b := start(t, cfg), start(t, cfgs[0])
	for _, n := range []*testnode{a, b} {
		eventually(t, n.cfg.Name+" leads", func() error { return leads(n) })
	}
	tok := mustToken(t, a, fsm.RoleDirector)
	err := Join(t.Context(), cfgs[1], a.cfg.Bind.String(), tok.String(), silently)
	if err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("who has a cluster of its own joins another: %v", err)
	}
	if len(a.State().Members) != 1 || len(b.State().Members) != 1 || a.State().ClusterID == b.State().ClusterID {
		t.Errorf("members %v and %v", a.State().Members, b.State().Members)
	}
	c := start(t, cfgs[1])
	eventually(t, "it leads its own", func() error { return leads(c) })
	if err := c.Leave(t.Context(), true, silently); err != nil {
		t.Fatal(err)
	}
	if err := Join(t.Context(), cfgs[1], a.cfg.Bind.String(), tok.String(), silently); err != nil {
		t.Errorf("after it has left its own: %v", err)
	}
}
