package checks

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/e2e/lab"
	"github.com/quorate/quorate/fsm"
)

// fakes is a network of fake servers. A server answers as set, after its delay.
type fakes struct {
	mu      sync.Mutex
	down    map[netip.AddrPort]Result        // by server; absent: passes
	delay   map[netip.AddrPort]time.Duration // before the answer
	hang    map[netip.AddrPort]bool          // ignore the deadline until told to stop
	probes  map[netip.AddrPort][]time.Time   // starts
	kinds   map[fsm.CheckKind]Result         // a failure of one kind of check only
	current map[netip.AddrPort]int
	running int
	most    int // at once
}

func newFakes() *fakes {
	return &fakes{
		down: map[netip.AddrPort]Result{}, delay: map[netip.AddrPort]time.Duration{}, hang: map[netip.AddrPort]bool{},
		probes: map[netip.AddrPort][]time.Time{}, kinds: map[fsm.CheckKind]Result{}, current: map[netip.AddrPort]int{},
	}
}

func (f *fakes) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fakes) times(a netip.AddrPort) []time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.probes[a])
}

// prober is a [Config] NewProber.
func (f *fakes) prober(c fsm.Check, key fsm.ServerKey) (Prober, error) {
	return probeFunc(func(ctx context.Context) Result { return f.probe(ctx, c, key.Server) }), nil
}

type probeFunc func(context.Context) Result

func (p probeFunc) Probe(ctx context.Context) Result { return p(ctx) }

func (f *fakes) probe(ctx context.Context, c fsm.Check, a netip.AddrPort) Result {
	f.mu.Lock()
	f.probes[a] = append(f.probes[a], time.Now())
	f.running++
	f.most = max(f.most, f.running)
	f.current[a]++
	if f.current[a] > 1 {
		panic("two attempts of one check at once")
	}
	delay, hang := f.delay[a], f.hang[a]
	f.mu.Unlock()
	limit := c.Timeout
	if hang {
		limit = time.Hour
	}
	late := delay > limit
	select {
	case <-time.After(min(delay, limit)):
	case <-ctx.Done():
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.running--
	f.current[a]--
	if r, ok := f.kinds[c.Kind]; ok {
		return r
	}
	if r, ok := f.down[a]; ok {
		return r
	}
	if late {
		return Result{Cause: "no answer in time"}
	}
	return Result{OK: true}
}

var refused = Result{Cause: "connection refused"}

// start runs a runner in a bubble until the test's end.
func start(t *testing.T, f *fakes, cfg Config) *Runner {
	t.Helper()
	if cfg.NewProber == nil {
		cfg.NewProber = f.prober
	}
	r := New(cfg)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	return r
}

func services(list ...fsm.Service) (m fsm.Map[fsm.Service]) {
	for _, s := range list {
		m = m.With(s.Name, s)
	}
	return m
}

func wantHealth(t *testing.T, r *Runner, a netip.AddrPort, want fsm.Health) {
	t.Helper()
	synctest.Wait()
	if o := r.Observations()[webKey(a)]; o.Health != want {
		t.Errorf("%v: observation %+v, want %s", a, o, want)
	}
}

func TestAServerIsSeenUpAfterItsFirstPassAndDownAfterItsFall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakes()
		r := start(t, f, Config{})
		r.Set(services(web(serverA, serverB)))
		wantHealth(t, r, serverA, fsm.Unknown)
		time.Sleep(firstWithin)
		wantHealth(t, r, serverA, fsm.Up)
		time.Sleep(10 * time.Second)
		f.set(func() { f.down[serverA] = refused })
		next := f.times(serverA)[len(f.times(serverA))-1].Add(2 * time.Second)
		time.Sleep(time.Until(next) + time.Second)
		wantHealth(t, r, serverA, fsm.Up)
		time.Sleep(2 * time.Second)
		wantHealth(t, r, serverA, fsm.Down)
		wantHealth(t, r, serverB, fsm.Up)
		f.set(func() { delete(f.down, serverA) })
		time.Sleep(2 * time.Second)
		wantHealth(t, r, serverA, fsm.Down)
		time.Sleep(2 * time.Second)
		wantHealth(t, r, serverA, fsm.Up)
		o := r.Observations()[webKey(serverA)]
		if o.Cause != "" || o.Checks != Fingerprint([]fsm.Check{tcp}) || time.Since(o.Since) > 2*time.Second {
			t.Errorf("observation %+v", o)
		}
	})
}

func TestTheScheduleDoesNotSlipAndSkipsWhatItMissed(t *testing.T) {
	for _, tt := range []struct {
		name  string
		delay time.Duration
		gap   time.Duration
	}{
		{"quick attempts", time.Millisecond, 2 * time.Second},
		{"attempts of almost an interval", 1900 * time.Millisecond, 2 * time.Second},
		{"attempts of more than an interval", 2100 * time.Millisecond, 4 * time.Second},
		{"attempts of more than two", 5 * time.Second, 6 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFakes()
				f.delay[serverA] = tt.delay
				s := web(serverA)
				s.Checks[0].Timeout = 10 * time.Second
				r := start(t, f, Config{})
				r.Set(services(s))
				time.Sleep(time.Minute)
				times := f.times(serverA)
				if len(times) < 8 {
					t.Fatalf("%d attempts in a minute", len(times))
				}
				for i := 2; i < len(times); i++ { // the first is off the raster
					if got := times[i].Sub(times[i-1]); got != tt.gap {
						t.Errorf("attempt %d came %v after the one before, want %v", i, got, tt.gap)
					}
				}
			})
		})
	}
}

func TestARasterIsNeverBehindTheClock(t *testing.T) {
	g := newGrid(0, 2*time.Second, uint64(300*time.Millisecond), 0, 1)
	for _, tt := range []struct{ due, now, want time.Duration }{
		{300 * time.Millisecond, 300 * time.Millisecond, 2300 * time.Millisecond},
		{300 * time.Millisecond, 2200 * time.Millisecond, 2300 * time.Millisecond},
		{300 * time.Millisecond, 2300 * time.Millisecond, 4300 * time.Millisecond}, // missed
		{300 * time.Millisecond, time.Minute, 60300 * time.Millisecond},            // missed, many times
		{900 * time.Millisecond, 900 * time.Millisecond, 2300 * time.Millisecond},  // off the raster
		{1900 * time.Millisecond, 1900 * time.Millisecond, 4300 * time.Millisecond},
	} {
		if got := g.following(tt.due, tt.now); got != tt.want {
			t.Errorf("due at %v, now %v: next at %v, want %v", tt.due, tt.now, got, tt.want)
		}
	}
}

func TestDirectorsProbeATargetOneAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const directors = 3
		var all []*fakes
		for i := range directors {
			f := newFakes()
			r := start(t, f, Config{Spread: func() (int, int) { return i, directors }})
			r.Set(services(web(serverA)))
			all = append(all, f)
			time.Sleep(137 * time.Millisecond) // they do not start together
		}
		time.Sleep(20 * time.Second)
		var phases []time.Duration
		for _, f := range all {
			times := f.times(serverA)
			phases = append(phases, time.Duration(times[len(times)-1].UnixNano()%int64(2*time.Second)))
		}
		slices.Sort(phases)
		for i := range phases {
			gap := (phases[(i+1)%directors] - phases[i] + 2*time.Second) % (2 * time.Second)
			if gap < 660*time.Millisecond || gap > 670*time.Millisecond {
				t.Errorf("phases %v, want them a third of an interval apart", phases)
			}
		}
	})
}

func TestWhenTheDirectorsChangeNoIntervalIsMuchLongerOrShorter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		index, count := 0, 1
		f := newFakes()
		r := start(t, f, Config{Spread: func() (int, int) { mu.Lock(); defer mu.Unlock(); return index, count }})
		r.Set(services(web(serverA)))
		for i := range 20 {
			time.Sleep(7 * time.Second)
			mu.Lock()
			index, count = i%4, 4+i%3
			mu.Unlock()
		}
		times := f.times(serverA)
		for i := 1; i < len(times); i++ {
			if gap := times[i].Sub(times[i-1]); gap < time.Second || gap > 3*time.Second {
				t.Errorf("attempt %d came after %v", i, gap)
			}
		}
	})
}

func TestAtMostSoManyAttemptsRunAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakes()
		var servers []netip.AddrPort
		for i := range 40 {
			a := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 80)
			servers = append(servers, a)
			f.delay[a] = 100 * time.Millisecond
		}
		r := start(t, f, Config{Concurrency: 4})
		r.Set(services(web(servers...)))
		time.Sleep(10 * time.Second)
		for _, a := range servers {
			wantHealth(t, r, a, fsm.Up)
			if n := len(f.times(a)); n < 4 {
				t.Errorf("%v was probed %d times in 10 s", a, n)
			}
		}
		f.set(func() {
			if f.most != 4 {
				t.Errorf("%d attempts ran at once, want 4", f.most)
			}
		})
	})
}

func TestScriptsDoNotHoldUpTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakes()
		f.hang[serverA], f.delay[serverA] = true, 30*time.Minute
		slow := fsm.Service{Name: "slow", Servers: []fsm.Server{{Address: serverA}}, Checks: []fsm.Check{{Kind: fsm.CheckScript, Command: []string{"/x"}}}}
		r := start(t, f, Config{Scripts: 1, Concurrency: 1})
		r.Set(services(slow, web(serverB)))
		time.Sleep(20 * time.Second)
		wantHealth(t, r, serverB, fsm.Up)
		if n := len(f.times(serverB)); n < 9 {
			t.Errorf("the other service was probed %d times in 20 s", n)
		}
	})
}

func TestChecksThatAreNotMadeAreNotedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakes()
		f.hang[serverA], f.delay[serverA] = true, 5*time.Minute
		var out lab.Buffer
		r := start(t, f, Config{Concurrency: 1, Log: hclog.New(&hclog.LoggerOptions{Output: &out})})
		r.Set(services(web(serverA)))
		time.Sleep(time.Second) // it has the only place
		r.Set(services(web(serverA, serverB)))
		time.Sleep(20 * time.Second)
		if n := strings.Count(out.String(), "not made for two intervals"); n < 1 || n > 2 {
			t.Errorf("the log speaks of it %d times:\n%s", n, out.String())
		}
	})
}

func TestEditsForgetNothingUnlessTheCheckProbesSomethingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakes()
		f.down[serverB] = refused
		r := start(t, f, Config{})
		s := web(serverA, serverB)
		r.Set(services(s))
		time.Sleep(time.Second)
		wantHealth(t, r, serverA, fsm.Up)
		wantHealth(t, r, serverB, fsm.Down)
		before := r.Observations()

		s = web(serverB, serverC, serverA) // another order, one more
		s.Servers[0].Weight, s.Scheduler = 9, "rr"
		s.Checks[0].Interval, s.Checks[0].Fall, s.Checks[0].Timeout = 4*time.Second, 3, 3*time.Second
		r.Set(services(s))
		after := r.Observations()
		for _, a := range []netip.AddrPort{serverA, serverB} {
			if before[webKey(a)] != after[webKey(a)] {
				t.Errorf("%v: %+v became %+v", a, before[webKey(a)], after[webKey(a)])
			}
		}
		if o := after[webKey(serverC)]; o.Health != fsm.Unknown {
			t.Errorf("a new server: %+v, want unknown", o)
		}
		f.set(func() { f.down[serverA] = refused })
		time.Sleep(9 * time.Second) // two failures or three: the new fall is three
		synctest.Wait()
		n := len(f.times(serverA))
		f.set(func() { delete(f.down, serverA) })
		time.Sleep(8 * time.Second)
		if got := len(f.times(serverA)) - n; got != 2 {
			t.Errorf("%d attempts in 8 s after the interval became 4 s", got)
		}

		s.Checks = []fsm.Check{{Kind: fsm.CheckTCP, Port: 81}}
		r.Set(services(s))
		for key, o := range r.Observations() {
			if o.Health != fsm.Unknown || o.Checks != Fingerprint(s.Checks) {
				t.Errorf("%v after another check came: %+v, want unknown", key, o)
			}
		}
		r.Set(services())
		synctest.Wait()
		if left := r.Observations(); len(left) != 0 {
			t.Errorf("after all services went: %v", left)
		}
		total := len(f.times(serverA))
		time.Sleep(time.Minute)
		if now := len(f.times(serverA)); now != total {
			t.Errorf("a server that is gone was probed %d times", now-total)
		}
	})
}

func TestAnAttemptOfAServerThatGoesIsCancelledAndDoesNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakes()
		f.hang[serverA], f.delay[serverA] = true, time.Hour
		r := start(t, f, Config{Report: func(map[fsm.ServerKey]Observation) { t.Error("something was reported") }})
		r.Set(services(web(serverA)))
		time.Sleep(time.Second)
		r.Set(services())
		synctest.Wait()
		f.set(func() {
			if f.running != 0 {
				t.Error("the attempt goes on")
			}
		})
	})
}

func TestAllChecksOfAServerMustPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakes()
		r := start(t, f, Config{NewProber: func(c fsm.Check, key fsm.ServerKey) (Prober, error) {
			key.Server = netip.AddrPortFrom(key.Server.Addr(), uint16(len(c.Kind))) // each check its own fake
			return f.prober(c, key)
		}})
		s := web(serverA)
		s.Checks = []fsm.Check{{Kind: fsm.CheckTCP}, {Kind: fsm.CheckHTTP}, {Kind: fsm.CheckTCP}} // one of them twice
		r.Set(services(s))
		time.Sleep(time.Second)
		wantHealth(t, r, serverA, fsm.Up)
		f.set(func() { f.kinds[fsm.CheckHTTP] = Result{Cause: "status 503, want 200-299"} })
		time.Sleep(5 * time.Second)
		wantHealth(t, r, serverA, fsm.Down)
		if o := r.Observations()[webKey(serverA)]; o.Cause != "http: status 503, want 200-299" {
			t.Errorf("cause %q, want the kind of check and its cause", o.Cause)
		}
		f.set(func() { clear(f.kinds) })
		time.Sleep(5 * time.Second)
		wantHealth(t, r, serverA, fsm.Up)
	})
}

func TestAServerOfAServiceWithoutChecksIsNotObserved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newFakes(), Config{})
		s := web(serverA)
		r.Set(services(s))
		wantHealth(t, r, serverA, fsm.Unknown)
		s.Checks = nil
		r.Change(services(s), []string{s.Name})
		if got := r.Observations(); len(got) > 0 {
			t.Errorf("observed without a check: %v", got)
		}
	})
}

func TestAChangeOfOneServiceIsTheSameAsAllAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakes()
		r := start(t, f, Config{})
		a, b := web(serverA), web(serverB)
		b.Name = "other"
		r.Set(services(a, b))
		time.Sleep(5 * time.Second)
		if got := r.ObservationsOf("other"); len(got) != 1 || got[fsm.ServerKey{Service: "other", Server: serverB}].Health != fsm.Up {
			t.Errorf("of the other: %v", got)
		}
		a.Servers = append(a.Servers, fsm.Server{Address: serverB, Weight: 1})
		r.Change(services(a), []string{a.Name, "other"})
		wantHealth(t, r, serverA, fsm.Up)
		wantHealth(t, r, serverB, fsm.Unknown)
		if got := r.Observations(); len(got) != 2 || len(r.ObservationsOf("other")) > 0 {
			t.Errorf("observed of one service with two servers: %v", got)
		}
		time.Sleep(5 * time.Second)
		wantHealth(t, r, serverB, fsm.Up)
		r.Change(services(), []string{a.Name})
		made := len(f.times(serverB))
		time.Sleep(5 * time.Second)
		if again := len(f.times(serverB)); again != made {
			t.Errorf("%d probes of a server that is gone", again-made)
		}
	})
}

func TestReportsAreOfChangesAndMayBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakes()
		reports := make(chan map[fsm.ServerKey]Observation) // blocks until the test looks
		r := start(t, f, Config{Report: func(c map[fsm.ServerKey]Observation) {
			select {
			case reports <- c:
			case <-t.Context().Done():
			}
		}})
		r.Set(services(web(serverA, serverB, serverC)))
		time.Sleep(time.Minute)
		if n := len(f.times(serverA)); n < 30 {
			t.Errorf("while the report blocks: %d attempts in a minute", n)
		}
		seen := map[fsm.ServerKey]Observation{}
		maps.Copy(seen, <-reports)
		maps.Copy(seen, <-reports)
		if diff := cmp.Diff(r.Observations(), seen, cmpopts.EquateComparable(netip.AddrPort{})); diff != "" {
			t.Errorf("two reports (-want +got):\n%s", diff)
		}
		synctest.Wait()
		select {
		case c := <-reports:
			t.Errorf("nothing changed, and %v was reported", c)
		default:
		}
		f.set(func() { f.down[serverB] = refused })
		time.Sleep(time.Minute)
		c := <-reports
		if len(c) != 1 || c[webKey(serverB)].Health != fsm.Down || c[webKey(serverB)].Cause != refused.Cause {
			t.Errorf("reported %v, want that one server is down", c)
		}
	})
}

func TestAConfirmProbeFindsADeadServerAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakes()
		r := start(t, f, Config{Concurrency: 1})
		r.Set(services(web(serverA, serverB)))
		time.Sleep(10 * time.Second)
		f.set(func() { f.down[serverA], f.delay[serverA] = refused, 10*time.Millisecond })
		from := time.Now()
		elsewhere := fsm.ServerKey{Service: "elsewhere", Server: serverA}
		got := r.Confirm(t.Context(), []fsm.ServerKey{webKey(serverA), webKey(serverB), elsewhere})
		if took := time.Since(from); took > 20*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		if len(got) != 2 || got[webKey(serverA)].Health != fsm.Down || got[webKey(serverB)].Health != fsm.Up {
			t.Errorf("confirmed: %v", got)
		}
		n := len(f.times(serverA))
		if r.Confirm(t.Context(), []fsm.ServerKey{webKey(serverA)}); len(f.times(serverA)) != n {
			t.Error("a server known to be dead was probed to confirm it")
		}
	})
}

func TestAConfirmProbeBeginsAfterItIsAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakes()
		r := start(t, f, Config{})
		r.Set(services(web(serverA)))
		time.Sleep(10 * time.Second)
		f.set(func() { f.delay[serverA] = 500 * time.Millisecond })
		for n := len(f.times(serverA)); len(f.times(serverA)) == n; time.Sleep(time.Millisecond) {
		}
		asked := time.Now() // in the middle of an attempt that will fail late
		f.set(func() { f.down[serverA] = refused })
		got := r.Confirm(t.Context(), []fsm.ServerKey{webKey(serverA)})
		times := f.times(serverA)
		if last := times[len(times)-1]; last.Before(asked) || last.Sub(asked) > 501*time.Millisecond || got[webKey(serverA)].Health != fsm.Down {
			t.Errorf("asked at %v, last attempt began at %v, answer %v", asked, last, got)
		}
	})
}

func TestWhoWaitsForAConfirmProbeIsLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakes()
		f.hang[serverA], f.delay[serverA] = true, time.Hour
		r := New(Config{NewProber: f.prober})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		r.Set(services(web(serverA)))
		time.Sleep(time.Second)
		short, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		r.Confirm(short, []fsm.ServerKey{webKey(serverA)}) // by its context

		waited := make(chan bool)
		go func() { r.Confirm(t.Context(), []fsm.ServerKey{webKey(serverA)}); waited <- true }()
		synctest.Wait()
		r.Set(services()) // by the server's end
		<-waited

		r.Set(services(web(serverA)))
		time.Sleep(time.Second)
		go func() { r.Confirm(t.Context(), []fsm.ServerKey{webKey(serverA)}); waited <- true }()
		synctest.Wait()
		cancel() // by the runner's end
		<-waited
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

func TestWhatThisHostCouldNotDoChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakes()
		var out lab.Buffer
		r := start(t, f, Config{Log: hclog.New(&hclog.LoggerOptions{Output: &out})})
		r.Set(services(web(serverA)))
		time.Sleep(time.Second)
		f.set(func() { f.down[serverA] = Result{Cause: "too many open files", Local: true} })
		time.Sleep(time.Minute)
		wantHealth(t, r, serverA, fsm.Up)
		if n := strings.Count(out.String(), "too many open files"); n != 1 {
			t.Errorf("the log speaks of it %d times, want once", n)
		}
	})
}

func TestAFailureOfAHostThatWasLateIsTriedAgainOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakes()
		r := start(t, f, Config{})
		s := web(serverA)
		s.Checks[0].Fall = 1
		r.Set(services(s))
		time.Sleep(time.Second)
		f.set(func() { f.hang[serverA], f.delay[serverA], f.down[serverA] = true, 5*time.Second, refused })
		n := len(f.times(serverA))
		time.Sleep(8 * time.Second)
		wantHealth(t, r, serverA, fsm.Up) // one failure came 4 s after its deadline
		if got := len(f.times(serverA)) - n; got != 2 {
			t.Errorf("%d attempts, want another at once", got)
		}
		time.Sleep(5 * time.Second)
		wantHealth(t, r, serverA, fsm.Down) // two in a row are believed
	})
}

func TestACheckThatCannotBeMadeFailsUntilItCan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakes()
		var mu sync.Mutex
		broken := errors.New(`user "check": no such user on this host`)
		r := start(t, f, Config{NewProber: func(c fsm.Check, key fsm.ServerKey) (Prober, error) {
			mu.Lock()
			defer mu.Unlock()
			if broken != nil {
				return nil, broken
			}
			return f.prober(c, key)
		}})
		r.Set(services(web(serverA)))
		time.Sleep(time.Second)
		wantHealth(t, r, serverA, fsm.Down)
		if o := r.Observations()[webKey(serverA)]; o.Cause != broken.Error() {
			t.Errorf("cause %q", o.Cause)
		}
		mu.Lock()
		broken = nil
		mu.Unlock()
		time.Sleep(5 * time.Second)
		wantHealth(t, r, serverA, fsm.Up)
	})
}

func TestARunnerCanRunAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakes()
		r := New(Config{NewProber: f.prober})
		r.Set(services(web(serverA)))
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			if err := r.Run(ctx); err != nil {
				t.Fatal(err)
			}
			cancel()
			time.Sleep(time.Minute)
		}
		if n := len(f.times(serverA)); n < 14 || n > 19 {
			t.Errorf("%d attempts in three runs of 10 s", n)
		}
		wantHealth(t, r, serverA, fsm.Up)
	})
}

func TestAnAttemptCutOffByTheEndOfRunDoesNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakes()
		r := New(Config{NewProber: f.prober})
		s := web(serverA)
		s.Checks[0].Fall = 1
		r.Set(services(s))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		time.Sleep(time.Second)
		wantHealth(t, r, serverA, fsm.Up)
		f.set(func() { f.delay[serverA], f.down[serverA] = 900*time.Millisecond, refused })
		for n := len(f.times(serverA)); len(f.times(serverA)) == n; time.Sleep(time.Millisecond) {
		}
		cancel()
		<-done
		wantHealth(t, r, serverA, fsm.Up)
	})
}

func TestManyServersTakeLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakes()
		var all []fsm.Service
		for i := range 20 {
			s := web()
			s.Name = fmt.Sprintf("s%d", i)
			for j := range 100 {
				s.Servers = append(s.Servers, fsm.Server{Address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i), byte(j)}), 80)})
			}
			all = append(all, s)
		}
		r := start(t, f, Config{})
		r.Set(services(all...))
		time.Sleep(10 * time.Second)
		for range 5 {
			r.Set(services(all...))
		}
		synctest.Wait()
		for key, o := range r.Observations() {
			if o.Health != fsm.Up {
				t.Fatalf("%v: %+v", key, o)
			}
		}
	})
}
