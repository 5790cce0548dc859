package liveness

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/director/probe"
	"github.com/quorate/quorate/director/suspend"
)

// envMember makes this test binary a member: its value is the member's own address and the other's.
const envMember = "QUORATE_TEST_MEMBER"

func TestMain(m *testing.M) {
	if text := os.Getenv(envMember); text != "" {
		var addrs [2]netip.Addr
		if err := json.Unmarshal([]byte(text), &addrs); err != nil {
			panic(err)
		}
		if err := member(addrs[0], addrs[1]); err != nil {
			panic(err)
		}
		return
	}
	os.Exit(m.Run())
}

// opinion is what a member says each 20 ms.
type opinion struct {
	At                 time.Time
	OnTime             bool
	Unheard, Unreached time.Duration
}

// dead is what a director may conclude from it.
func (o opinion) dead() bool { return o.OnTime && o.Unheard >= steady && o.Unreached >= steady }

// member is what an agent does to know who is there, over bare TCP, until its input ends.
func member(self, peer netip.Addr) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { bufio.NewReader(os.Stdin).ReadByte(); cancel() }()
	tracker := NewTracker(time.Now(), Every, suspend.NewClock().SinceLast)
	dialer := net.Dialer{}
	pulse := New(Config{
		Members: func() []string { return []string{"peer"} },
		Open: func(ctx context.Context, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "tcp", netip.AddrPortFrom(peer, 7400).String())
		},
		Tracker: tracker, Log: hclog.NewNullLogger(),
	})
	watcher := probe.NewWatcher(probe.WatchConfig{
		Every: Every, Asked: tracker.Asked, Answered: tracker.Answered, Ran: tracker.Ran, Ended: tracker.Ended,
	})
	tracker.BeforeDoubt(watcher.Look)
	targets := []probe.Target{{Interface: "q0", Source: self, Address: peer}}
	tracker.Watch(targets)
	watcher.Set(targets)
	l, err := net.Listen("tcp", netip.AddrPortFrom(self, 7400).String())
	if err != nil {
		return err
	}
	defer l.Close()
	var running sync.WaitGroup
	running.Go(func() { pulse.Run(ctx) })
	running.Go(func() { watcher.Run(ctx) })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go pulse.Receive("peer", conn)
		}
	}()
	out := json.NewEncoder(os.Stdout)
	for ctx.Err() == nil {
		now := time.Now()
		// in the order that could accuse wrongly, if any could
		o := opinion{At: now, Unheard: tracker.Unheard("peer", now), Unreached: tracker.Unreached(targets, now), OnTime: tracker.OnTime(now)}
		if err := out.Encode(o); err != nil {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
	running.Wait()
	return nil
}

// proc is a member that runs in a namespace of its own.
type proc struct {
	t     *testing.T
	holds *exec.Cmd // the namespace
	cmd   *exec.Cmd
	mu    sync.Mutex
	said  []opinion
}

// pair runs two members on one wire.
func pair(t *testing.T) (a, b *proc) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: it makes network namespaces")
	}
	a, b = &proc{t: t}, &proc{t: t}
	for _, p := range []*proc{a, b} {
		p.holds = exec.Command("sleep", "600")
		p.holds.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
		if err := p.holds.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.holds.Process.Kill(); p.holds.Wait() })
	}
	a.run("ip", "link", "add", "q0", "type", "veth", "peer", "name", "q0", "netns", strconv.Itoa(b.holds.Process.Pid))
	own := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")}
	for i, p := range []*proc{a, b} {
		p.run("ip", "link", "set", "lo", "up")
		p.run("ip", "addr", "add", own[i].String()+"/24", "dev", "q0")
		p.run("ip", "link", "set", "q0", "up")
	}
	for i, p := range []*proc{a, b} {
		p.start(own[i], own[1-i])
	}
	return a, b
}

func (p *proc) in(args ...string) *exec.Cmd {
	return exec.Command("nsenter", append([]string{"-n", "-t", strconv.Itoa(p.holds.Process.Pid)}, args...)...)
}

func (p *proc) run(args ...string) {
	p.t.Helper()
	if out, err := p.in(args...).CombinedOutput(); err != nil {
		p.t.Fatalf("%v: %v\n%s", args, err, out)
	}
}

func (p *proc) start(self, peer netip.Addr) {
	p.t.Helper()
	text, err := json.Marshal([]netip.Addr{self, peer})
	if err != nil {
		p.t.Fatal(err)
	}
	p.cmd = p.in(os.Args[0])
	p.cmd.Env = append(os.Environ(), envMember+"="+string(text))
	p.cmd.Stderr = os.Stderr
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		for dec := json.NewDecoder(out); ; {
			var o opinion
			if dec.Decode(&o) != nil {
				return
			}
			p.mu.Lock()
			p.said = append(p.said, o)
			p.mu.Unlock()
		}
	}()
	p.t.Cleanup(func() {
		p.cmd.Process.Signal(syscall.SIGCONT)
		stdin.Close()
		<-read
		if err := p.cmd.Wait(); err != nil {
			p.t.Errorf("member: %v", err)
		}
	})
}

// between are the opinions of a time.
func (p *proc) between(from, to time.Time) (out []opinion) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, o := range p.said {
		if !o.At.Before(from) && o.At.Before(to) {
			out = append(out, o)
		}
	}
	return out
}

// await waits for an opinion.
func (p *proc) await(what string, is func(opinion) bool) opinion {
	p.t.Helper()
	from := time.Now()
	for time.Since(from) < time.Minute {
		for _, o := range p.between(from, from.Add(time.Hour)) {
			if is(o) {
				return o
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	p.t.Fatalf("not said in a minute: %s", what)
	return opinion{}
}

func (p *proc) well() {
	p.t.Helper()
	p.await("the peer is there", func(o opinion) bool {
		return o.OnTime && o.Unheard < 2*Every && o.Unreached >= 0 && o.Unreached < 2*Every
	})
}

// late is how much a machine that others use may be late, beside a beat.
const late = time.Second

// enough is how many opinions are looked at.
const enough = 10

// measured waits for opinions of a silence that has begun, and holds them against the truth: when it began, at the earliest
// and the latest. Who was late itself measures from then on.
func (p *proc) measured(what string, earliest, latest time.Time, of func(opinion) time.Duration) {
	p.t.Helper()
	from := latest.Add(2*Every + late)
	var last opinion
	for seen := 0; seen < enough; {
		seen = 0
		if time.Since(from) > time.Minute {
			p.t.Fatalf("%s: fewer than %d opinions in a minute", what, enough)
		}
		time.Sleep(Every)
		anew := latest
		for _, o := range p.between(latest, time.Now()) {
			if !o.OnTime {
				anew = o.At
				continue
			}
			if o.At.Before(from) {
				continue
			}
			least, most := o.At.Sub(anew)-late, o.At.Sub(earliest)+Every+late
			if got := of(o); got < least || got > most {
				p.t.Fatalf("%s: silent for %v, the truth is %v to %v", what, got, o.At.Sub(anew), o.At.Sub(earliest)+Every)
			}
			last = o
			seen++
		}
	}
	p.t.Logf("%s: silent for %v, the truth is %v to %v", what, of(last), last.At.Sub(latest), last.At.Sub(earliest)+Every)
}

func TestAnAgentThatHangsAndAMachineThatIsGoneAreMeasuredApart(t *testing.T) {
	a, b := pair(t)
	a.well()
	before := time.Now()
	if err := b.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	after := time.Now()
	a.measured("port", before, after, func(o opinion) time.Duration { return o.Unheard })
	for _, o := range a.between(before, time.Now()) {
		if o.OnTime && o.Unreached > 2*Every+late || o.dead() {
			t.Fatalf("its kernel answers: %+v", o)
		}
	}
	gone := time.Now()
	b.run("ip", "addr", "flush", "dev", "q0")
	flushed := time.Now()
	a.measured("segment", gone, flushed, func(o opinion) time.Duration { return o.Unreached })
	a.await("the peer is dead", opinion.dead)
	if first := a.between(gone, gone.Add(steady)); len(first) > 0 && first[0].dead() {
		t.Errorf("dead at once: %+v", first)
	}
}

func TestAProcessThatThawsAccusesNobody(t *testing.T) {
	a, b := pair(t)
	for range 3 {
		a.well()
		a.cmd.Process.Signal(syscall.SIGSTOP)
		time.Sleep(time.Second)
		thawed := time.Now()
		a.cmd.Process.Signal(syscall.SIGCONT)
		a.await("on time again", func(o opinion) bool { return o.OnTime })
		early := a.between(thawed, thawed.Add(steady))
		if len(early) == 0 {
			t.Fatal("it said nothing")
		}
		for _, o := range early {
			if o.OnTime || o.Unheard >= steady || o.Unreached >= steady {
				t.Fatalf("%v after the thaw: %+v", o.At.Sub(thawed), o)
			}
		}
		for _, o := range a.between(thawed, time.Now()) {
			if o.dead() {
				t.Fatalf("accuses a peer that was there: %+v", o)
			}
		}
	}
	// the control: who was not frozen does accuse one that is gone
	b.cmd.Process.Signal(syscall.SIGSTOP)
	b.run("ip", "addr", "flush", "dev", "q0")
	o := a.await("the peer is dead", opinion.dead)
	t.Logf("%+v", o)
}
