package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/raft"
)

// readers is how many read at a time: more than Raft gets entries.
const readers = 1000

// underWayOn waits until a barrier is under way on a node.
func underWayOn(t *testing.T, n *testnode) *barrier {
	t.Helper()
	var b *barrier
	eventually(t, "a barrier is under way", func() error {
		n.barriers.mu.Lock()
		defer n.barriers.mu.Unlock()
		if b = n.barriers.last; b == nil || n.barriers.next != nil {
			return errors.New("not yet")
		}
		select {
		case <-b.done:
			return errors.New("it has ended")
		default:
			return nil
		}
	})
	return b
}

// readersOf has so many read from a node at a time, and returns what each is told.
func readersOf(ctx context.Context, n *testnode, count int) (told []chan error) {
	for range count {
		answer := make(chan error, 1)
		told = append(told, answer)
		go func() { answer <- n.barrier(ctx) }()
	}
	return told
}

// A read that shared a barrier which began before it might not see what was confirmed in between.
func TestReadsShareTheNextBarrierAndNotTheOneUnderWay(t *testing.T) {
	t.Parallel()
	n, d := restartOnBadDisk(t, first(t, "a"))
	eventually(t, "it leads", func() error { return leads(n) })
	eventually(t, "its term has begun", func() error { return n.barrier(t.Context()) })
	before, until := barriersOf(t, n), make(chan struct{})
	free := sync.OnceFunc(func() {
		d.HangLog(nil)
		close(until)
	})
	t.Cleanup(free)
	d.HangLog(until)
	one := readersOf(t.Context(), n, 1)
	begun := underWayOn(t, n)
	ctx, goAway := context.WithCancel(t.Context())
	gone, stay := readersOf(ctx, n, readers), readersOf(t.Context(), n, readers)
	next := n.barriers.join(n.Node)
	if next == begun || next != n.barriers.join(n.Node) {
		t.Error("what is asked now does not share the next barrier")
	}
	goAway()
	for _, err := range answersIn(t, gone) {
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("who went away was told %v", err)
		}
	}
	free()
	for _, err := range answersIn(t, append(one, stay...)) {
		if err != nil && !errors.Is(err, raft.ErrLeadershipLost) { // on a busy machine it hung for too long
			t.Fatalf("who stayed was told %v", err)
		}
	}
	eventually(t, "it goes on", func() error { return n.barrier(t.Context()) })
	if got := barriersOf(t, n) - before; got > 8 { // and some of its own, where it did not lead for a moment
		t.Errorf("%d barriers came into the log", got)
	}
}

func TestWhoReadsFromALeaderThatHangsIsToldThatItLeadsNoMore(t *testing.T) {
	t.Parallel()
	ns := three(t)
	d := leadOnBadDisk(t, ns)
	free := make(chan struct{})
	t.Cleanup(func() { close(free) })
	d.HangLog(free)
	for _, err := range answersIn(t, readersOf(context.WithoutCancel(t.Context()), ns[0], readers)) {
		if err == nil {
			t.Fatal("a barrier is passed, and nothing is agreed")
		}
	}
}

// Writers are agreed in groups, however many read beside them.
func TestReadersKeepNoPlaceFromWriters(t *testing.T) {
	t.Parallel()
	n := first(t, "a")
	eventually(t, "its term has begun", func() error { return n.barrier(t.Context()) })
	before := barriersOf(t, n)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var reads, most atomic.Int64
	var all sync.WaitGroup
	for range readers {
		all.Go(func() {
			for ctx.Err() == nil {
				if n.barrier(ctx) != nil {
					pause(ctx, beat/10)
					continue
				}
				reads.Add(1)
			}
		})
	}
	eventually(t, "all read", func() error {
		most.Store(max(most.Load(), int64(len(n.groups.places))))
		if got := reads.Load(); got < 2*readers {
			return fmt.Errorf("%d reads", got)
		}
		return nil
	})
	if got := most.Load(); got > 0 {
		t.Errorf("readers hold %d places", got)
	}
	var writers sync.WaitGroup
	for w := range 8 {
		writers.Go(func() {
			for i := range 20 {
				if err := n.Propose(t.Context(), drain("a", (w+i)%2 == 0)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	stop()
	all.Wait()
	if got := int64(barriersOf(t, n) - before); got*10 > reads.Load() {
		t.Errorf("%d barriers came into the log for %d reads", got, reads.Load())
	}
}

// barriersOf is how many barriers are in a node's log.
func barriersOf(t *testing.T, n *testnode) (count int) {
	t.Helper()
	from, err := n.store.Bare.FirstIndex()
	to, failed := n.store.Bare.LastIndex()
	if err := errors.Join(err, failed); err != nil {
		t.Fatal(err)
	}
	for ; from <= to; from++ {
		var l raft.Log
		if err := n.store.Bare.GetLog(from, &l); err != nil {
			t.Fatal(err)
		}
		if l.Type == raft.LogBarrier {
			count++
		}
	}
	return count
}
