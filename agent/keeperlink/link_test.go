package keeperlink

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/director/keeper"
	"github.com/quorate/quorate/director/keeper/keepertest"
)

// starting is a log that tells when it says that a keeper is started.
type starting struct {
	said chan struct{}
	once sync.Once
}

func (s *starting) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte("keeper started")) {
		s.once.Do(func() { close(s.said) })
	}
	return len(line), nil
}

// Its unit and control are started at the same moment: it has the lock, and does not listen yet.
func TestNoKeeperIsStartedWhereOneIsAboutToListen(t *testing.T) {
	for name, tt := range map[string]struct {
		held    bool          // another keeper has the lock
		after   time.Duration // of the first look
		died    bool          // one has left its socket
		grace   time.Duration
		started bool
	}{
		"one has the lock": {held: true},
		"one that was started at the same moment has it a moment later": {held: true, after: 25 * time.Millisecond, grace: time.Minute},
		"none has it in time":                        {grace: 50 * time.Millisecond, started: true},
		"none has, and the one before did not end":   {died: true, grace: time.Minute, started: true},
		"one has, and the one before it did not end": {died: true, held: true},
	} {
		t.Run(name, func(t *testing.T) {
			socket, starts := filepath.Join(t.TempDir(), "k"), &starting{said: make(chan struct{})}
			lock, err := os.Create(socket + ".lock")
			if err != nil {
				t.Fatal(err)
			}
			defer lock.Close()
			takes := func() {
				if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); tt.held && err != nil {
					t.Error(err)
				}
			}
			if tt.died {
				leave(t, socket)
			}
			if tt.held && tt.after == 0 {
				takes()
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			var other sync.WaitGroup
			defer other.Wait()
			other.Go(func() {
				if tt.held && tt.after > 0 {
					time.Sleep(tt.after)
					takes()
				}
				if tt.started {
					select {
					case <-starts.said:
					case <-ctx.Done():
					}
				} else {
					time.Sleep(100 * time.Millisecond) // for long enough to start one
				}
				_ = os.Remove(socket)
				l, err := net.Listen("unix", socket)
				if err != nil {
					t.Error(err)
					return
				}
				t.Cleanup(func() { l.Close() })
			})
			k := New(socket, []string{"sleep", "5"}, hclog.New(&hclog.LoggerOptions{Output: starts}))
			k.grace = tt.grace
			c, err := k.connect(ctx)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			started := false
			select {
			case <-starts.said:
				started = true
			default:
			}
			if started != tt.started {
				t.Errorf("a keeper was started: %v", started)
			}
		})
	}
}

// leave leaves a socket at which nobody listens, as a keeper that is killed does.
func leave(t *testing.T, socket string) {
	t.Helper()
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAKeeperThatIsStartedAMomentTooLateIsNoError(t *testing.T) {
	dir := t.TempDir()
	socket, started, held := filepath.Join(dir, "k"), filepath.Join(dir, "started"), filepath.Join(dir, "held")
	go func() { // another keeper, which has the lock before the one that is started
		for _, err := os.Stat(started); err != nil; _, err = os.Stat(started) {
			time.Sleep(time.Millisecond)
		}
		lock, err := os.Create(socket + ".lock")
		if err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() { lock.Close() })
		err = errors.Join(unix.Flock(int(lock.Fd()), unix.LOCK_EX), os.WriteFile(held, nil, 0o600))
		time.Sleep(200 * time.Millisecond) // the other ends meanwhile
		l, errListen := net.Listen("unix", socket)
		if err := errors.Join(err, errListen); err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() { l.Close() })
	}()
	k := New(socket, []string{"sh", "-c", "touch " + started + "; while test -e " + started + " && ! test -e " + held + "; do sleep 0.01; done; exit 1"}, hclog.NewNullLogger())
	c, err := k.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

// It may find addresses that the one before it left, and it takes what it recorded.
func TestAKeeperThatIsAboutToBeStartedMayOwnSomethingAndIsStopped(t *testing.T) {
	dir := t.TempDir()
	socket, end := filepath.Join(dir, "k"), filepath.Join(dir, "end")
	k := New(socket, []string{"sh", "-c", "while ! test -e " + end + "; do sleep 0.01; done"}, hclog.NewNullLogger())
	if owned, known := k.Owned(); known {
		t.Errorf("one will be started, and owns %q", owned)
	}
	exited, err := k.spawn()
	if err != nil {
		t.Fatal(err)
	}
	told := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	go func() { told <- k.Stop(ctx, false) }()
	select {
	case err := <-told:
		t.Fatalf("Stop = %v before what was started listens", err)
	case <-time.After(100 * time.Millisecond):
	}
	run := keeper.Config{Socket: socket, Record: filepath.Join(dir, "r"), Log: hclog.NewNullLogger(), Host: keepertest.Bare{}}
	if err := keeper.Run(t.Context(), run); err != nil { // in its place
		t.Error(err)
	}
	if err := <-told; err != nil {
		t.Errorf("Stop = %v", err)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) { // it lets go of its lock last
		if _, known := k.Owned(); known {
			break
		}
		if time.Now().After(end) {
			t.Fatal("it was stopped, and may own something")
		}
	}
	if _, err := k.spawn(); err == nil {
		t.Error("another is started after it was told to stop")
	}
	if err := os.WriteFile(end, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	<-exited
}

func order(epoch int) keeper.Order {
	return keeper.Order{Groups: []keeper.Group{{Name: "g", Epoch: uint64(epoch), Priority: 100, Routers: []keeper.Router{{
		Name: "r", VRID: 1, Interface: "x", Interval: time.Second, Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24")},
	}}}}}
}

func TestAReconnectNeverEndsWithAnOldOrder(t *testing.T) {
	socket := keepertest.Run(t)
	for i := range 100 {
		k := New(socket, nil, hclog.NewNullLogger())
		k.Want(order(2*i + 1))
		c, err := keeper.Dial(socket)
		for err != nil {
			time.Sleep(time.Millisecond)
			c, err = keeper.Dial(socket)
		}
		life, end := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- k.serve(life, c) }()
		for !k.Attached() {
			time.Sleep(10 * time.Microsecond)
		}
		if err := k.Set(life, order(2*i+2)); err != nil { // what a director does when the log changes
			t.Fatal(err)
		}
		st, err := c.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got, want := st.Groups[0].Epoch, uint64(2*i+2); got != want {
			t.Fatalf("reconnect %d: the keeper has epoch %d, want %d", i, got, want)
		}
		end()
		<-served
		c.Close()
	}
}

func TestAKeeperThatIsGoneOwnsNothing(t *testing.T) {
	k := New("/nowhere", nil, hclog.NewNullLogger())
	k.client, k.last = new(keeper.Client), keeper.Status{Groups: []keeper.GroupStatus{{Name: "g", State: "active"}}}
	if owned, known := k.Owned(); !k.Active("g") || len(owned) != 1 || !known {
		t.Fatal("it does not own what it said to own")
	}
	k.lost()
	if owned, known := k.Owned(); k.Active("g") || owned != nil || !known || k.Attached() {
		t.Errorf("it is gone and owns %v", owned)
	}
	if err := k.Set(t.Context(), order(1)); !errors.Is(err, ErrNoKeeper) {
		t.Errorf("Set: %v", err)
	}
}

// It gets no time, and serves: to take it for one that owns nothing would leave it alone with what it owns.
func TestOfAKeeperThatDoesNotAnswerItIsNotKnownWhatItOwnsAndItIsStopped(t *testing.T) {
	socket := keepertest.Run(t)
	becomes := func(held bool) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); keeper.Held(socket) != held; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("it runs: %v", !held)
			}
		}
	}
	becomes(true)
	k := New(socket, nil, hclog.NewNullLogger())
	if owned, known := k.Owned(); known {
		t.Errorf("it has not answered, and owns %q", owned)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := k.Stop(ctx, false); err != nil {
		t.Error(err)
	}
	becomes(false)
	if _, known := k.Owned(); !known {
		t.Error("it has ended, and may own something")
	}
}

func TestAKeeperKeepsWhatItOwnsAndWhatItFoundWhenItWasStarted(t *testing.T) {
	k := New("/nowhere", nil, hclog.NewNullLogger())
	k.last = keeper.Status{Groups: []keeper.GroupStatus{
		{Name: "owned", State: "active", Routers: []keeper.RouterStatus{{}}},
		{Name: "found", State: "backup", Routers: []keeper.RouterStatus{{}, {Present: true}}},
		{Name: "another's", State: "backup", Routers: []keeper.RouterStatus{{}}},
	}}
	if got, want := k.Kept(), []string{"owned", "found"}; !slices.Equal(got, want) {
		t.Errorf("it keeps %v, want %v", got, want)
	}
	k.lost()
	if got := k.Kept(); got != nil {
		t.Errorf("it is gone and keeps %v", got)
	}
}

// It says so when it asks its kernel to remove them, and that may take a while. They end by themselves after their lifetime.
func TestAddressesOfAGroupThatTheKeeperHasJustGivenUpMayStillBeThere(t *testing.T) {
	lifetime := keeper.Lifetime(time.Second)
	for name, tt := range map[string]struct {
		states []string // what it said, one after another
		ago    time.Duration
		lost   bool
		want   []string
	}{
		"it owns it":                        {states: []string{"active"}},
		"it never had it":                   {states: []string{"backup", "initialize"}},
		"it has given it up":                {states: []string{"active", "initialize"}, want: []string{"web"}},
		"it has said so again":              {states: []string{"active", "backup", "initialize"}, want: []string{"web"}},
		"it has it again":                   {states: []string{"active", "backup", "active"}},
		"a moment before the lifetime ends": {states: []string{"active", "backup"}, ago: lifetime - time.Second/2, want: []string{"web"}},
		"the lifetime has ended":            {states: []string{"active", "backup"}, ago: lifetime},
		"it is gone":                        {states: []string{"active", "backup"}, lost: true},
	} {
		t.Run(name, func(t *testing.T) {
			k, c := New("/nowhere", nil, hclog.NewNullLogger()), new(keeper.Client)
			k.Want(keeper.Order{Groups: []keeper.Group{{Name: "web", Routers: []keeper.Router{{Interval: time.Second}}}, {Name: "mail"}}})
			k.client = c
			asked := time.Now().Add(-tt.ago)
			for i, state := range tt.states {
				k.said(c, asked.Add(time.Duration(i-len(tt.states)+1)), keeper.Status{Groups: []keeper.GroupStatus{{Name: "web", State: state}}})
			}
			if tt.lost {
				k.lost()
			}
			if got := k.Leaves(); !slices.Equal(got, tt.want) {
				t.Errorf("there may be addresses of %v, want %v", got, tt.want)
			}
		})
	}
}

func TestAKeeperThatIsFrozenWhenControlStartsIsNotAttachedAndDoesNotAnswer(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "k")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	k := New(socket, nil, hclog.NewNullLogger())
	if k.Attached() || !k.Answers(t.Context(), time.Millisecond) {
		t.Error("none is there, and it hangs")
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- k.Run(ctx) }()
	for k.Answers(t.Context(), 10*time.Millisecond) { // until it is dialed
		time.Sleep(time.Millisecond)
	}
	if k.Attached() {
		t.Error("it has never answered, and is attached")
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if !k.Answers(t.Context(), time.Millisecond) {
		t.Error("it is let go, and hangs")
	}
}

// linked returns a link that has dialed a keeper, and the client. The keeper is does, which has the connection until it returns.
func linked(t *testing.T, does func(k *Link, conn net.Conn)) (*Link, *keeper.Client) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "k")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	c, err := keeper.Dial(socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	k := New(socket, nil, hclog.NewNullLogger())
	k.dialed = c
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		does(k, conn)
	}()
	return k, c
}

// asked waits until a keeper is asked.
func asked(conn net.Conn) { _, _ = bufio.NewReader(conn).ReadString('\n') }

// silent hears what it is asked, until the client is closed.
func silent(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

// ownsNothing answers that, and stays: one that is gone has not answered.
func ownsNothing(conn net.Conn) {
	_, _ = io.WriteString(conn, `{"id":1,"status":{"groups":[{"name":"g","state":"backup"}]}}`+"\n")
	silent(conn)
}

func TestWhoAsksWhileAnAnswerIsAwaitedWaitsForThatOne(t *testing.T) {
	k, c := linked(t, func(_ *Link, conn net.Conn) { silent(conn) })
	for name, tt := range map[string]struct {
		other answer
		want  bool
	}{
		"it came":                        {answer{from: c, got: outcome{said: true}}, true},
		"it did not":                     {answer{from: c, got: outcome{hangs: true}}, false},
		"it came from the keeper before": {answer{got: outcome{said: true}}, false},
	} {
		tt.other.done = make(chan struct{})
		k.asked = &tt.other
		go close(tt.other.done)
		within := 20 * time.Millisecond
		if tt.want {
			within = time.Minute
		}
		if got := k.Answers(t.Context(), within); got != tt.want {
			t.Errorf("%s: the keeper answers: %v", name, got)
		}
	}
	k.asked = nil
	if k.Answers(t.Context(), 20*time.Millisecond) || k.asked != nil {
		t.Errorf("nobody asks, and it waits for %+v", k.asked)
	}
}

func TestWhatAKeeperAnswersIsKnownOnceItHasAnswered(t *testing.T) {
	k, c := linked(t, func(_ *Link, conn net.Conn) { // a keeper that was frozen, and has given up what it owned
		asked(conn)
		ownsNothing(conn)
	})
	before, owns := time.Now(), keeper.Status{Groups: []keeper.GroupStatus{{Name: "g", State: "active"}}}
	k.client = c
	k.said(c, before, owns)
	if !k.Active("g") {
		t.Fatal("it does not own what it said to own")
	}
	if !k.Answers(t.Context(), time.Minute) || k.Active("g") || len(k.Status().Groups) != 1 {
		t.Errorf("it has answered that it does not own the group: %+v", k.Status())
	}
	k.said(c, before, owns) // comes late
	k.said(nil, time.Now(), owns)
	if k.Active("g") {
		t.Error("it owns the group by what it said before that, or by what another keeper said")
	}
}

func TestAKeeperThatIsLostWhileItIsAskedIsNotVerified(t *testing.T) {
	for name, does := range map[string]struct{ lost, ends bool }{"it stays": {}, "it is lost": {lost: true}, "it ends": {ends: true}} {
		t.Run(name, func(t *testing.T) {
			k, c := linked(t, func(k *Link, conn net.Conn) {
				asked(conn)
				switch {
				case does.ends:
					return
				case does.lost:
					k.lost()
				}
				ownsNothing(conn)
			})
			k.client = c
			if got := k.Verifies(t.Context(), time.Minute); got != (does == struct{ lost, ends bool }{}) || got != (len(k.Status().Groups) == 1) {
				t.Errorf("it is verified: %v, and says %+v", got, k.Status())
			}
		})
	}
}

func TestAKeeperThatIsAttachedHasSaidWhatItOwns(t *testing.T) {
	socket := keepertest.Run(t)
	c, err := keeper.Dial(socket)
	for end := time.Now().Add(10 * time.Second); err != nil; c, err = keeper.Dial(socket) {
		if time.Now().After(end) {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
	defer c.Close()
	k := New(socket, nil, hclog.NewNullLogger())
	k.dialed = c
	owns := keeper.Status{Groups: []keeper.GroupStatus{{Name: "g", State: "active"}}}
	if err := k.begin(t.Context(), c, time.Now(), owns); err != nil || !k.Attached() || !k.Active("g") {
		t.Errorf("it is attached: %v, and says %+v: %v", k.Attached(), k.Status(), err)
	}
}

// It is asked each second, so that nothing is missed; what nobody needs to know wakes nobody.
func TestOfAKeeperThatSaysTheSameNobodyIsTold(t *testing.T) {
	t.Parallel()
	k := New(keepertest.Run(t), nil, hclog.NewNullLogger())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- k.Run(ctx) }()
	defer func() { cancel(); <-done }()
	<-k.Changed()
	asked := func() {
		t.Helper()
		before := k.Status().Time
		for end := time.Now().Add(10 * time.Second); !k.Status().Time.After(before); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("it is not asked")
			}
		}
	}
	for range 2 { // the second time, it is known what became of the first answer
		asked()
	}
	if len(k.Changed()) > 0 {
		t.Error("it said the same, and somebody was told")
	}
	if err := k.Set(t.Context(), order(1)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-k.Changed():
	case <-time.After(10 * time.Second):
		t.Error("it said something else, and nobody was told")
	}
}
