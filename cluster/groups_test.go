package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/cluster/logstore"
	"github.com/quorate/quorate/cluster/logstore/faulty"
	"github.com/quorate/quorate/fsm"
)

// countedDisk counts the writes of the log.
type countedDisk struct {
	logstore.Disk
	writes atomic.Int64
}

// StoreLogs implements [raft.LogStore].
func (d *countedDisk) StoreLogs(es []*raft.Log) error {
	d.writes.Add(1)
	return d.Disk.StoreLogs(es)
}

func TestEntriesThatAreThereAtOneMomentTakeFewWrites(t *testing.T) {
	t.Parallel()
	n, d := first(t, "a"), &countedDisk{}
	n.kill()
	n = startWith(t, n.cfg, func(n *Node) { d.Disk, n.store.Bare = n.store.Bare, d })
	eventually(t, "it leads", func() error { return leads(n) })
	entry, err := fsm.Encode(drain("a", true))
	if err != nil {
		t.Fatal(err)
	}
	n.groups.mu.Lock()
	n.groups.sending = true // so that none goes before all are there
	n.groups.mu.Unlock()
	const entries, writes = 64, 32 // each by itself took 55; a leader that has just come about writes a few of its own
	var added []*pendingEntry
	for range entries {
		added = append(added, n.groups.add(n.raft.Load(), entry, time.Minute))
	}
	late := n.groups.add(n.raft.Load(), entry, 0)
	before := d.writes.Load()
	n.groups.send(n.raft.Load())
	var last uint64
	for i, e := range added {
		a := <-e.answer
		if a.err != nil || a.index <= last {
			t.Errorf("entry %d: %v, at %d after %d", i, a.err, a.index, last)
		}
		last = a.index
	}
	if a := <-late.answer; !errors.Is(a.err, raft.ErrEnqueueTimeout) {
		t.Errorf("what was too late: %v, at %d", a.err, a.index)
	}
	if got := d.writes.Load() - before; got > writes {
		t.Errorf("%d writes of the log for %d entries", got, entries)
	}
}

func TestAnAnswerCountsThoughNobodyHadToWaitForIt(t *testing.T) {
	ended, end := context.WithCancel(t.Context())
	end()
	for range 100 { // a select takes any of what is there
		e := &pendingEntry{answer: make(chan appended, 1)}
		e.taken.Store(true)
		e.answer <- appended{index: 5}
		if index, err := e.await(ended, ended); index != 5 || err != nil {
			t.Fatalf("an entry that is agreed: at %d, %v", index, err)
		}
	}
	e := &pendingEntry{answer: make(chan appended, 1)}
	if _, err := e.await(ended, t.Context()); !errors.Is(err, errNotLeader) {
		t.Errorf("one that did not go to Raft: %v", err)
	}
	if _, err := e.await(ended, t.Context()); !errors.Is(err, ErrUncertain) {
		t.Errorf("one that went there: %v", err)
	}
}

// What Raft does not get is known at once, though what goes before it hangs in the disk.
func TestWhatIsNotSentIsAnsweredBeforeWhatHangs(t *testing.T) {
	t.Parallel()
	n, d := restartOnBadDisk(t, first(t, "a"))
	eventually(t, "it leads", func() error { return leads(n) })
	entry, err := fsm.Encode(drain("a", true))
	if err != nil {
		t.Fatal(err)
	}
	free := make(chan struct{})
	t.Cleanup(func() { close(free) })
	d.HangLog(free)
	g := groups{places: make(chan struct{}, underWay), sending: true}
	hangs, late, withdrawn := g.add(n.raft.Load(), entry, time.Minute), g.add(n.raft.Load(), entry, 0), g.add(n.raft.Load(), entry, time.Minute)
	if !withdrawn.withdraw() {
		t.Fatal("it cannot be withdrawn")
	}
	g.send(n.raft.Load())
	for name, e := range map[string]*pendingEntry{"late": late, "withdrawn": withdrawn} {
		select {
		case a := <-e.answer:
			if !errors.Is(a.err, raft.ErrEnqueueTimeout) {
				t.Errorf("what is %s: %v", name, a.err)
			}
		case <-time.After(5 * beat):
			t.Errorf("what is %s waits for what hangs", name)
		}
	}
	if n := len(g.places); n != 1 || len(hangs.answer) > 0 || hangs.withdraw() {
		t.Errorf("%d places are held by one that hangs", n)
	}
}

// writers is how many write at a time where the leader's log hangs: more than Raft gets.
const writers = 200

// stuckWriters are writers on a leader whose log hangs until free is closed. Each has a register, and no limit.
func stuckWriters(t *testing.T) (ns []*testnode, answers []chan error, free func()) {
	t.Helper()
	ns = three(t)
	var d *faulty.Disk
	ns[0], d = restartOnBadDisk(t, ns[0])
	web := fsm.Service{Name: "web"}
	for i := range writers {
		web.Servers = append(web.Servers, fsm.Server{Address: register(i).Server})
	}
	eventually(t, "there are registers", func() error {
		return ns[0].Propose(t.Context(), fsm.PutConfig{Config: fsm.Config{Services: fsm.MapOf(map[string]fsm.Service{"web": web})}, Base: ns[0].State().Revision})
	})
	var entries [][]byte
	for i := range writers {
		entry, err := fsm.Encode(fsm.SetVerdicts{Verdicts: map[fsm.ServerKey]fsm.Verdict{register(i): {Health: fsm.Up, Cause: "written"}}})
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, entry)
	}
	makeLead(t, ns[0], ns)
	eventually(t, "all have the same", same(ns...))
	g := &ns[0].groups
	g.mu.Lock()
	g.sending = true // so that all are taken before it hangs: when that is seen none is any more
	g.mu.Unlock()
	for _, entry := range entries {
		answer := make(chan error, 1)
		answers = append(answers, answer)
		go func() {
			_, err := ns[0].append(context.WithoutCancel(t.Context()), entry)
			answer <- err
		}()
	}
	eventually(t, "all wait", func() error {
		g.mu.Lock()
		defer g.mu.Unlock()
		if n := len(g.pending); n < writers {
			return fmt.Errorf("%d do", n)
		}
		return nil
	})
	until := make(chan struct{})
	d.HangLog(until)
	go g.send(ns[0].raft.Load()) // ends when each was sent, or was too late
	eventually(t, "Raft gets no more", func() error {
		if n := len(ns[0].groups.places); n < underWay {
			return fmt.Errorf("it has %d", n)
		}
		return nil
	})
	return ns, answers, func() {
		d.HangLog(nil)
		close(until)
	}
}

// answersIn returns what writers are told, in time.
func answersIn(t *testing.T, answers []chan error) (told []error) {
	t.Helper()
	late := time.After(40 * beat)
	for i, answer := range answers {
		select {
		case err := <-answer:
			told = append(told, err)
		case <-late:
			t.Fatalf("writer %d of %d waits for ever", i, len(answers))
		}
	}
	return told
}

// A leader whose disk hangs takes nobody with it, though it has their changes in its buffer: another leads soon, and knows
// of each of them by its request.
func TestWhoWaitsForALeaderThatHangsIsAnsweredByTheNext(t *testing.T) {
	t.Parallel()
	ns := three(t)
	d := leadOnBadDisk(t, ns)
	free := make(chan struct{})
	t.Cleanup(func() { close(free) })
	d.HangLog(free)
	var answers []chan error
	for range 5 {
		answer := make(chan error, 1)
		answers = append(answers, answer)
		go func() { answer <- ns[0].Propose(t.Context(), drain("a", true)) }()
		pause(t.Context(), 50*time.Millisecond)
	}
	for i, err := range answersIn(t, answers) {
		if err != nil {
			t.Errorf("writer %d: %v", i, err)
		}
	}
	if ns[0].store.Stuck(time.Now()) == 0 {
		t.Error("its disk does not hang")
	}
}

// What Raft has in its buffer when it is shut down it never answers.
func TestWhoWaitsForALeaderThatStopsIsAnswered(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		stop func(n *testnode)
	}{
		{"is stopped", (*testnode).kill},
		{"is removed", func(n *testnode) { n.endRemoved(&removal{Name: n.cfg.Name, Index: n.State().Index}) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ns, answers, free := stuckWriters(t)
			stopped := make(chan struct{})
			go func() {
				tt.stop(ns[0])
				close(stopped)
			}()
			for i, err := range answersIn(t, answers) {
				if !errors.Is(err, ErrUncertain) && !errors.Is(err, errNotLeader) {
					t.Errorf("writer %d: %v", i, err)
				}
			}
			free()
			<-stopped
		})
	}
}

func TestWhoWaitsForALeaderThatIsDeposedIsToldTheTruth(t *testing.T) {
	t.Parallel()
	ns, answers, free := stuckWriters(t)
	eventually(t, "the others elect", func() error {
		if l := ns[1].Leader(); l == "" || l == ns[0].cfg.Name || ns[2].Leader() != l {
			return errors.New("not yet")
		}
		return nil
	})
	free()
	told, counts := answersIn(t, answers), map[string]int{}
	eventually(t, "it can be written again", func() error { return ns[1].Propose(t.Context(), drain("b", true)) })
	eventually(t, "all have the same", same(ns...))
	for i, err := range told {
		v, _ := ns[1].State().Verdicts.Of(register(i))
		written := v.Cause == "written"
		switch {
		case errors.Is(err, ErrUncertain):
			counts["uncertain"]++
		case errors.Is(err, errNotLeader) && !written:
			counts["not written"]++
		case err == nil && written:
			counts["written"]++
		default:
			t.Errorf("writer %d was told %v, and written is %v", i, err, written)
		}
	}
	if counts["not written"] < writers-underWay {
		t.Errorf("Raft had more than %d entries", underWay)
	}
	t.Log(counts)
}
