package liveness

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
)

// A net of agents whose streams are pipes.
type testnet struct {
	mu      sync.Mutex
	agents  map[string]*agent
	opened  map[string]int      // from>to: how often
	cut     map[string]bool     // from>to: to open one takes for ever
	next    map[string]net.Conn // from>to: what the next attempt returns
	streams map[string]net.Conn // from>to: the newest, at the side that opened it
	members map[string][]string // as an agent knows them
}

type agent struct {
	*Pulse
	tracker *Tracker
	stop    context.CancelFunc
	done    chan struct{}
}

func newTestnet() *testnet {
	return &testnet{
		agents: map[string]*agent{}, opened: map[string]int{}, cut: map[string]bool{}, next: map[string]net.Conn{},
		streams: map[string]net.Conn{}, members: map[string][]string{},
	}
}

// with does something that the agents may see.
func (n *testnet) with(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f()
}

// start runs an agent.
func (n *testnet) start(name string, members ...string) *agent {
	a := &agent{tracker: NewTracker(time.Now(), Every, func() time.Duration { return 0 }), done: make(chan struct{})}
	a.Pulse = New(Config{
		Members: func() (all []string) { n.with(func() { all = n.members[name] }); return all },
		Open:    func(ctx context.Context, to string) (net.Conn, error) { return n.open(ctx, name, to) },
		Tracker: a.tracker,
		Log:     hclog.NewNullLogger(),
	})
	var ctx context.Context
	ctx, a.stop = context.WithCancel(context.Background())
	n.with(func() { n.agents[name], n.members[name] = a, members })
	go func() { defer close(a.done); a.Run(ctx) }()
	return a
}

func (n *testnet) end(names ...string) {
	for _, name := range names {
		var a *agent
		n.with(func() { a = n.agents[name]; delete(n.agents, name) })
		a.stop()
		<-a.done
	}
}

func (n *testnet) attempts(path string) (times int) {
	n.with(func() { times = n.opened[path] })
	return times
}

// stream is the newest of a path.
func (n *testnet) stream(path string) (conn net.Conn) {
	n.with(func() { conn = n.streams[path] })
	return conn
}

func (n *testnet) open(ctx context.Context, from, to string) (net.Conn, error) {
	path := from + ">" + to
	n.mu.Lock()
	defer n.mu.Unlock()
	n.opened[path]++
	other := n.agents[to]
	switch next := n.next[path]; {
	case n.cut[path]:
		n.mu.Unlock()
		<-ctx.Done()
		n.mu.Lock()
		return nil, ctx.Err()
	case next != nil:
		delete(n.next, path)
		return next, nil
	case other == nil:
		return nil, errors.New("connection refused")
	}
	here, there := net.Pipe()
	n.streams[path] = here
	go other.Receive(from, there)
	return here, nil
}

// unheard holds how long a member was silent, to a beat.
func (a *agent) unheard(t *testing.T, member string, least, most time.Duration) {
	t.Helper()
	if got := a.tracker.Unheard(member, time.Now()); got < least || got > most {
		t.Errorf("%s unheard for %v, want %v to %v", member, got, least, most)
	}
}

func TestMembersHearEachOtherAndMissWhoEndsWithinABeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newTestnet()
		a, b := n.start("a", "b", "c"), n.start("b", "a", "c")
		n.start("c", "a", "b")
		for range 50 {
			time.Sleep(33 * time.Millisecond)
			a.unheard(t, "b", 0, Every)
			a.unheard(t, "c", 0, Every)
			b.unheard(t, "c", 0, Every)
		}
		if !a.tracker.OnTime(time.Now()) {
			t.Error("not on time, and nothing was late")
		}
		n.end("c")
		time.Sleep(10 * time.Second)
		a.unheard(t, "b", 0, Every)
		a.unheard(t, "c", 10*time.Second, 10*time.Second+Every)
		if got := n.attempts("a>c"); got < 20 || got > 50 {
			t.Errorf("%d attempts to open a stream in ten seconds", got)
		}
		c := n.start("c", "a", "b")
		time.Sleep(50 * time.Millisecond) // its own stream tells that it is back
		synctest.Wait()
		a.unheard(t, "c", 0, 50*time.Millisecond)
		c.unheard(t, "a", 0, 50*time.Millisecond)
		n.end("a", "b", "c")
	})
}

func TestAMemberThatHangsDelaysNoOtherAndIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newTestnet()
		a, b := n.start("a", "b", "hangs"), n.start("b", "a")
		n.with(func() { n.cut["a>hangs"] = true })
		for range 100 {
			time.Sleep(33 * time.Millisecond)
			b.unheard(t, "a", 0, Every)
			a.unheard(t, "b", 0, Every)
		}
		a.unheard(t, "hangs", 3300*time.Millisecond, 3300*time.Millisecond)
		n.end("a", "b")
	})
}

func TestWhoSpeaksAndCannotBeReachedIsUnheard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newTestnet()
		a, b := n.start("a", "b", "c"), n.start("b", "a", "c")
		c := n.start("c", "a", "b")
		time.Sleep(time.Second)
		n.with(func() { n.cut["a>b"], n.cut["c>b"] = true, true })
		n.stream("a>b").Close()
		n.stream("c>b").Close()
		time.Sleep(unreachedAfter - Every)
		for _, x := range []*agent{a, c} { // a stream that breaks is no silence
			x.unheard(t, "b", 0, Every)
			if !x.Reaches("b") || x.OneWay("b") {
				t.Error("b is not reached, a moment after its stream broke")
			}
		}
		time.Sleep(5 * time.Second)
		for _, x := range []*agent{a, c} {
			x.unheard(t, "b", 5*time.Second-2*Every, 5*time.Second)
			if x.Reaches("b") || !x.OneWay("b") {
				t.Error("b is reached, and nothing can be opened to it")
			}
		}
		a.unheard(t, "c", 0, Every)
		b.unheard(t, "a", 5*time.Second, 6*time.Second) // nothing comes of those
		n.with(func() { clear(n.cut) })
		time.Sleep(openLimit + lastPause + Every)
		for _, x := range []*agent{a, c} {
			x.unheard(t, "b", 0, Every)
			if !x.Reaches("b") || x.OneWay("b") {
				t.Error("b is not reached again")
			}
		}
		n.end("a", "b", "c")
	})
}

func TestWhyNoStreamIsOpenIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newTestnet()
		a := n.start("a", "b")
		n.start("b", "a")
		time.Sleep(time.Second)
		if err := a.Failed("b"); err != nil {
			t.Errorf("it is open: %v", err)
		}
		n.end("b")
		n.stream("a>b").Close()
		time.Sleep(lastPause + time.Second)
		if err := a.Failed("b"); err == nil || err.Error() != "connection refused" {
			t.Errorf("nothing listens: %v", err)
		}
		n.start("b", "a")
		time.Sleep(lastPause + time.Second)
		if err := a.Failed("b"); err != nil || a.Failed("c") != nil {
			t.Errorf("it is open again: %v; no member: %v", err, a.Failed("c"))
		}
		n.end("a", "b")
	})
}

func TestAStreamThatTakesNothingIsOpenedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newTestnet()
		b, c := n.start("b", "a"), n.start("c", "a")
		n.start("a", "b", "c") // when they are there: it counts also the attempts that are refused
		time.Sleep(time.Second)
		here, there := net.Pipe()
		defer there.Close()
		n.with(func() { n.next["a>b"] = here })
		n.stream("a>b").Close()
		there.Read(make([]byte, wordSize)) // and nobody reads on
		for range 100 {
			time.Sleep(Every / 10)
			c.unheard(t, "a", 0, Every+writeLimit)
		}
		b.unheard(t, "a", 0, Every)
		if got := n.attempts("a>b"); got != 3 {
			t.Errorf("%d streams opened, want 3", got)
		}
		n.end("a", "b", "c")
	})
}

func TestANewerStreamReplacesAnOlder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newTestnet()
		b := n.start("b")
		first, err := n.open(t.Context(), "a", "b")
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		second, err := n.open(t.Context(), "a", "b")
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if _, err := first.Write([]byte{0}); err == nil {
			t.Error("the older stream is still read")
		}
		if _, err := second.Write([]byte{0}); err != nil {
			t.Errorf("the newer stream: %v", err)
		}
		time.Sleep(readLimit + 1) // it says no more, and is closed
		synctest.Wait()
		if _, err := second.Write([]byte{0}); err == nil || len(b.in) != 0 {
			t.Errorf("a stream that says nothing is kept: %v, %v", err, b.in)
		}
		n.end("b")
	})
}

func TestWhoIsNoMemberAnyMoreIsSentNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newTestnet()
		n.start("b")
		n.start("a", "b")
		time.Sleep(time.Second)
		if got := n.attempts("a>b"); got != 1 {
			t.Fatalf("%d streams to a member", got)
		}
		n.with(func() { n.members["a"] = nil })
		time.Sleep(time.Second)
		if _, err := n.stream("a>b").Write([]byte{0}); err == nil || n.attempts("a>b") != 1 {
			t.Errorf("the stream goes on: %v, %d opened", err, n.attempts("a>b"))
		}
		n.end("a", "b")
	})
}

func TestABeatSaysAWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		defer there.Close()
		said := make(chan uint32, 8)
		p := New(Config{
			Tracker: NewTracker(time.Now(), Every, func() time.Duration { return 0 }),
			Word:    func() uint32 { return 0x01020304 },
			Said:    func(member string, word uint32) { said <- word },
			Log:     hclog.NewNullLogger(),
		})
		go p.Receive("a", here)
		if err := beat(there, p.word()); err != nil {
			t.Fatal(err)
		}
		if got := <-said; got != 0x01020304 {
			t.Errorf("said %x", got)
		}
		if err := beat(there, []byte{0}); err != nil { // an older agent's
			t.Fatal(err)
		}
		synctest.Wait()
		if len(said) != 0 {
			t.Errorf("one byte says %x", <-said)
		}
		there.Close()
		synctest.Wait()
	})
}
