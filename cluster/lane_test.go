package cluster

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/cluster/port"
	"github.com/quorate/quorate/fsm"
)

// follower returns a node that follows another's lead.
func followerOf(t *testing.T, ns []*testnode) *testnode {
	t.Helper()
	var found *testnode
	eventually(t, "somebody follows", func() error {
		for _, n := range ns {
			if !n.IsLeader() && n.Leader() != "" {
				found = n
				return nil
			}
		}
		return ErrNoLeader
	})
	return found
}

// Many writers on a follower have one lane, and each hears of its own entry: also that it is refused, and as what.
func TestWritersOfAFollowerShareALaneAndEachHearsItsAnswer(t *testing.T) {
	t.Parallel()
	ns := three(t)
	follower := followerOf(t, ns)
	asked := func(c fsm.Command) error {
		err := follower.Propose(t.Context(), c)
		for err != nil && lostLeader(err) && t.Context().Err() == nil { // on a busy machine
			err = follower.Propose(t.Context(), c)
		}
		return err
	}
	var writers sync.WaitGroup
	for w := range 16 {
		writers.Go(func() {
			for i := range 10 {
				if err := asked(drain("a", (w+i)%2 == 0)); err != nil {
					t.Errorf("writer %d: %v", w, err)
				}
				nobody := fmt.Sprint("nobody-", w, "-", i)
				if err := asked(drain(nobody, true)); !errors.Is(err, fsm.ErrNotFound) || !strings.Contains(err.Error(), nobody) {
					t.Errorf("writer %d was answered %v", w, err)
				}
			}
		})
	}
	writers.Wait()
	if follower.Leader() != follower.cfg.Name && follower.asked() == 0 {
		t.Error("nothing went by a lane")
	}
	follower.lanes.mu.Lock()
	defer follower.lanes.mu.Unlock()
	if l := follower.lanes.now; l != nil && !l.ended() {
		isGivenUpAfter(t, l.conn, port.DeadAfter) // as a request is
	}
}

// A leader of an older version knows no lanes, and is asked by requests.
func TestALeaderThatKnowsNoLanesIsAskedOtherwise(t *testing.T) {
	t.Parallel()
	ns := three(t)
	var tried, proposed atomic.Int64
	ns[0].kill()
	ns[0] = startWith(t, ns[0].cfg, func(n *Node) {
		serve := n.server.Handler
		n.server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case lanePath:
				tried.Add(1)
				http.NotFound(w, r)
				return
			case "/cluster/propose":
				proposed.Add(1)
			}
			serve.ServeHTTP(w, r)
		})
	})
	eventually(t, "it is asked otherwise", func() error {
		makeLead(t, ns[0], ns)
		for i := range 4 {
			if err := ns[1].Propose(t.Context(), drain("a", i%2 == 0)); err != nil {
				return err
			}
		}
		if proposed.Load() < 4 {
			return errNotLeader // another, on a busy machine
		}
		return nil
	})
	if n := tried.Load(); n < 1 || n > 2 { // once by each follower
		t.Errorf("a lane was asked for %d times", n)
	}
}

// Who could not open a lane since it is slow, or was given up, is no leader that knows none.
func TestALaneThatIsNotOpenedInTimeIsTriedAgain(t *testing.T) {
	t.Parallel()
	ns := three(t)
	var slow atomic.Bool
	slow.Store(true)
	ns[0].kill()
	ns[0] = startWith(t, ns[0].cfg, func(n *Node) {
		serve := n.server.Handler
		n.server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == lanePath && slow.Load() {
				<-r.Context().Done()
				return
			}
			serve.ServeHTTP(w, r)
		})
	})
	eventually(t, "it is given up", func() error {
		makeLead(t, ns[0], ns)
		ctx, cancel := context.WithTimeout(t.Context(), beat/2)
		defer cancel()
		if _, err := ns[1].laneTo(ctx, "a"); !errors.Is(err, errNotLeader) {
			return fmt.Errorf("it is answered %w", err)
		}
		return nil
	})
	slow.Store(false)
	eventually(t, "there is a lane", func() error {
		makeLead(t, ns[0], ns)
		l, err := ns[1].laneTo(t.Context(), "a")
		if errors.Is(err, errNoLane) {
			t.Fatal("it is taken for one that knows no lanes")
		}
		if err == nil {
			l.end(errUnused)
		}
		return err
	})
}

// asked is how many entries were asked for on the lane that there is.
func (n *Node) asked() uint64 {
	n.lanes.mu.Lock()
	defer n.lanes.mu.Unlock()
	if n.lanes.now == nil {
		return 0
	}
	n.lanes.now.mu.Lock()
	defer n.lanes.now.mu.Unlock()
	return n.lanes.now.last
}

// laneOf is a lane whose other end is the test.
func laneOf(t *testing.T) (*lane, net.Conn) {
	t.Helper()
	here, there := net.Pipe()
	l := &lane{to: "z", conn: here, out: outbox{conn: here}, used: make(chan struct{}, 1), waiting: map[uint64]chan<- laneAnswer{}}
	t.Cleanup(func() { l.end(errUnused); _ = there.Close() })
	go l.listen()
	return l, there
}

// Whoever waits when a lane ends hears that it is not known whether the entry was agreed; who comes after that has asked
// nothing.
func TestWhatWasAskedOnALaneThatEndsIsUncertain(t *testing.T) {
	t.Parallel()
	l, there := laneOf(t)
	answer := make(chan laneAnswer, 1)
	number, err := l.await(answer)
	if err != nil {
		t.Fatal(err)
	}
	go l.out.put(number, []byte("x"))
	if _, _, err := readFrame(bufio.NewReader(there)); err != nil {
		t.Fatal(err)
	}
	_ = there.Close()
	if a := <-answer; !errors.Is(a.err, ErrUncertain) || errors.Is(a.err, errNotLeader) {
		t.Errorf("who waited is told %v", a.err)
	}
	if _, err := l.await(make(chan laneAnswer, 1)); !errors.Is(err, errNotLeader) || errors.Is(err, ErrUncertain) {
		t.Errorf("who came after is told %v", err)
	}
}

// Frames that are put while a write is under way go out together, each once and whole.
func TestFramesGoTogetherWhileOneIsWritten(t *testing.T) {
	t.Parallel()
	here, there := net.Pipe()
	defer there.Close()
	counted := &counting{Conn: here}
	out := outbox{conn: counted}
	var puts sync.WaitGroup
	puts.Go(func() { out.put(0, []byte("0")) }) // hangs until somebody reads
	for counted.writes() == 0 {
		time.Sleep(time.Millisecond)
	}
	const frames = 50
	for i := 1; i < frames; i++ {
		out.put(uint64(i), fmt.Append(nil, i)) // does not
	}
	in := bufio.NewReader(there)
	seen := map[uint64]bool{}
	for range frames {
		number, said, err := readFrame(in)
		if err != nil || string(said) != fmt.Sprint(number) || seen[number] {
			t.Fatalf("%d %q: %v", number, said, err)
		}
		seen[number] = true
	}
	puts.Wait()
	if got := counted.writes(); got != 2 {
		t.Errorf("%d frames took %d writes", frames, got)
	}
}

type counting struct {
	net.Conn
	mu sync.Mutex
	n  int
}

func (c *counting) Write(b []byte) (int, error) {
	c.mu.Lock()
	c.n++
	c.mu.Unlock()
	return c.Conn.Write(b)
}

func (c *counting) writes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// A leader sees that a member is gone also while all hangs that it has asked for, and asks for nothing more than it can.
func TestALeaderWhoseDiskHangsSeesThatAMemberIsGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		defer here.Close()
		var hanging atomic.Int64
		gone := make(chan struct{})
		go func() {
			serveEntries(t.Context(), here, func(ctx context.Context, _ []byte) (uint64, error) {
				hanging.Add(1)
				defer hanging.Add(-1)
				<-ctx.Done()
				return 0, ctx.Err()
			})
			close(gone)
		}()
		const more = 5
		go func() {
			for i := range uint64(laneDepth + more) {
				_, _ = there.Write(appendFrame(nil, i, []byte("x"))) // who reads finds out
			}
		}()
		in := bufio.NewReader(there)
		for i := range more {
			_ = there.SetReadDeadline(time.Now().Add(time.Minute))
			number, said, err := readFrame(in)
			if a := parseAnswer(said); err != nil || number < laneDepth || !errors.Is(a.err, errNotLeader) {
				t.Errorf("of what is too much, %d is answered with %v: %v, %v", i, number, a.err, err)
			}
		}
		synctest.Wait()
		if n := hanging.Load(); n != laneDepth {
			t.Errorf("%d hang", n)
		}
		there.Close()
		synctest.Wait()
		if n := hanging.Load(); n != 0 {
			t.Errorf("of a member that is gone, %d hang", n)
		}
		<-gone
	})
}

// A lane that was of no use for a while ends. Who asks at just that moment is answered, or has asked nothing.
func TestALaneIsUnusedOnlyWhileNobodyAsks(t *testing.T) {
	t.Parallel()
	for range 100 { // which of two that wake at one moment is first, is left to chance
		synctest.Test(t, func(t *testing.T) {
			l, there := laneOf(t)
			n := unled(t, nil)
			n.cfg.Heartbeat = beat
			l.to = n.Leader()
			ended := make(chan struct{})
			go func() { n.watchLane(l); close(ended) }()
			time.Sleep(idleFor)
			answer := make(chan laneAnswer, 1)
			number, err := l.await(answer)
			if err == nil {
				synctest.Wait()
				_, _ = there.Write(appendFrame(nil, number, laneAnswer{index: 7}.said())) // fails if the lane has ended
				if a := <-answer; a.err != nil || a.index != 7 {
					t.Errorf("who asked is answered %v", a)
				}
			} else if !errors.Is(err, errNotLeader) {
				t.Error(err)
			}
			<-ended
			if _, err := there.Read(make([]byte, 1)); err == nil {
				t.Error("its connection stays open")
			}
		})
	}
}

// A caller that waits no longer is not answered, and others are.
func TestALaneForgetsWhoWaitsNoLonger(t *testing.T) {
	t.Parallel()
	l, there := laneOf(t)
	n := &Node{lanes: lanes{opening: make(chan struct{}, 1), now: l}}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, _, _ = readFrame(bufio.NewReader(there))
		cancel()
	}()
	if _, err := n.askByLane(ctx, "z", []byte("x")); !errors.Is(err, ErrUncertain) || !errors.Is(err, context.Canceled) {
		t.Errorf("given up with %v", err)
	}
	if !l.idle() {
		t.Error("the lane still waits for an answer")
	}
}

// Where the machine of a leader is gone, who wants a lane to it is kept no longer than until it leads no more: neither who
// opens one, nor who waits for that.
func TestALaneToWhoLeadsNoMoreIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := unled(t, func(ctx context.Context) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		var asking sync.WaitGroup
		for range 8 {
			asking.Go(func() {
				if _, err := n.laneTo(t.Context(), "z"); !errors.Is(err, errNotLeader) {
					t.Errorf("it is answered %v", err)
				}
			})
		}
		began := time.Now()
		asking.Wait()
		if took := time.Since(began); took > 0 {
			t.Errorf("it took %v", took)
		}
	})
}

// unled is a node that knows a member z, and of no leader.
func unled(t *testing.T, connect func(context.Context) (net.Conn, error)) *Node {
	t.Helper()
	n := &Node{life: t.Context(), machine: newMachine(hclog.NewNullLogger()), dialer: port.NewDialer(nil), lanes: lanes{opening: make(chan struct{}, 1)}}
	n.machine.state.Store(&fsm.State{Members: map[string]fsm.Member{"z": {Name: "z"}}})
	n.dialer.Connect = func(ctx context.Context, _, _ string) (net.Conn, error) { return connect(ctx) }
	return n
}

// FuzzFrames reads what a member may send. What is read is written as the same bytes.
func FuzzFrames(f *testing.F) {
	f.Add(appendFrame(appendFrame(nil, 1, []byte("entry")), 2, nil))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 1})
	f.Add(appendFrame(nil, 3, laneAnswer{err: fsm.ErrStale}.said()))
	f.Fuzz(func(t *testing.T, text []byte) {
		in := bufio.NewReader(bytes.NewReader(text))
		var back []byte
		for {
			number, said, err := readFrame(in)
			if err != nil {
				if errors.Is(err, io.EOF) && !bytes.Equal(back, text) {
					t.Errorf("%x was read of %x", back, text)
				}
				return
			}
			if a := parseAnswer(said); a.err == nil && len(said) != 8 {
				t.Errorf("%q is an answer", said)
			}
			back = appendFrame(back, number, said)
		}
	})
}
