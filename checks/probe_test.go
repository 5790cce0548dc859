package checks

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/program"
)

const (
	short = time.Second     // timeout of attempts that are to run into it
	slack = 2 * time.Second // by which an attempt may overrun its deadline on a busy machine: less than what it would wait for
)

// serve accepts on loopback, and gives each connection to f, which need not close it.
func serve(t *testing.T, f func(c *net.TCPConn)) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				f(c.(*net.TCPConn))
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// say returns a server that reads a little, says text and hangs up.
func say(text string) func(*net.TCPConn) {
	return func(c *net.TCPConn) {
		c.Read(make([]byte, 4096))
		io.WriteString(c, text)
	}
}

// hold keeps a connection until the peer is gone.
func hold(c *net.TCPConn) { io.Copy(io.Discard, c) }

// drip says text, then one more byte each 20 ms until the peer is gone.
func drip(text, each string) func(*net.TCPConn) {
	return func(c *net.TCPConn) {
		_, err := io.WriteString(c, text)
		for err == nil {
			time.Sleep(20 * time.Millisecond)
			_, err = io.WriteString(c, each)
		}
	}
}

// reset reads a little and hangs up with a reset.
func reset(c *net.TCPConn) {
	c.Read(make([]byte, 4096))
	c.SetLinger(0)
}

// refusing returns an address where nobody listens.
func refusing(t *testing.T) netip.AddrPort {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// blackhole returns an address whose backlog is full: connects to it are not answered.
func blackhole(t *testing.T) netip.AddrPort {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(sa.(*unix.SockaddrInet4).Port))
	for range 20 {
		c, err := net.DialTimeout("tcp", addr.String(), 100*time.Millisecond)
		if err != nil {
			return addr
		}
		t.Cleanup(func() { c.Close() })
	}
	t.Fatal("the backlog never filled")
	return addr
}

// probe makes one attempt, and fails the test if it overran its deadline.
func probe(t *testing.T, c fsm.Check, target netip.AddrPort) Result {
	t.Helper()
	p, err := NewProber(c, target, Options{Service: "web", Helo: "lb1.example"})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	r := p.Probe(t.Context())
	if took := time.Since(start); took > withDefaults(c).Timeout+slack {
		t.Errorf("the attempt took %v, its timeout is %v", took, c.Timeout)
	}
	if r.OK != (r.Cause == "") {
		t.Errorf("result %+v: a failure needs a cause, a pass has none", r)
	}
	return r
}

// wantCause fails the test unless the attempt failed for the cause; "" is a pass.
func wantCause(t *testing.T, c fsm.Check, target netip.AddrPort, want string) {
	t.Helper()
	if r := probe(t, c, target); r.Cause != want {
		t.Errorf("cause = %q, want %q", r.Cause, want)
	}
}

func TestTCPPassesIfAConnectionCanBeOpened(t *testing.T) {
	t.Parallel()
	c := fsm.Check{Kind: fsm.CheckTCP, Timeout: short}
	wantCause(t, c, serve(t, hold), "")
	wantCause(t, c, serve(t, reset), "")
	wantCause(t, c, refusing(t), "connection refused")
	wantCause(t, c, blackhole(t), "no answer in 1s")
}

func TestACheckOfAnotherPortTakesThatPort(t *testing.T) {
	t.Parallel()
	open, closed := serve(t, hold), refusing(t)
	wantCause(t, fsm.Check{Kind: fsm.CheckTCP, Port: open.Port()}, closed, "")
	wantCause(t, fsm.Check{Kind: fsm.CheckTCP, Port: closed.Port()}, open, "connection refused")
}

func TestTCPChecksLeaveNothingInTimeWait(t *testing.T) {
	target := serve(t, hold)
	for range 20 {
		probe(t, fsm.Check{Kind: fsm.CheckTCP}, target)
	}
	if n := timeWait(t, target.Port()); n != 0 {
		t.Errorf("%d sockets in TIME_WAIT, want none", n)
	}
}

// timeWait counts the IPv4 sockets in TIME_WAIT that lead to the port.
func timeWait(t *testing.T, port uint16) int {
	t.Helper()
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line)
		if len(f) > 3 && strings.HasSuffix(f[2], fmt.Sprintf(":%04X", port)) && f[3] == "06" {
			n++
		}
	}
	return n
}

func TestACancelledAttemptEndsAtOnceAndDoesNotCount(t *testing.T) {
	t.Parallel()
	for _, c := range []fsm.Check{
		{Kind: fsm.CheckHTTP}, {Kind: fsm.CheckHTTPS}, {Kind: fsm.CheckSMTP},
		{Kind: fsm.CheckScript, Command: []string{"/bin/sleep", "30"}},
	} {
		t.Run(string(c.Kind), func(t *testing.T) {
			t.Parallel()
			c.Timeout = 20 * time.Second
			p, err := NewProber(c, serve(t, hold), Options{})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(50*time.Millisecond, cancel)
			start := time.Now()
			r := p.Probe(ctx)
			if r.OK || !r.Local || r.Cause != "cancelled" || time.Since(start) > 2*time.Second {
				t.Errorf("after %v: %+v, want a cancelled attempt that does not count", time.Since(start), r)
			}
		})
	}
}

func TestProbersThatCannotWorkAreRefused(t *testing.T) {
	t.Parallel()
	target := netip.MustParseAddrPort("192.0.2.1:80")
	for _, tt := range []struct {
		name   string
		check  fsm.Check
		target netip.AddrPort
		want   string
	}{
		{"no such kind", fsm.Check{Kind: "ping"}, target, "unknown kind"},
		{"no port", fsm.Check{Kind: fsm.CheckTCP}, netip.MustParseAddrPort("192.0.2.1:0"), "port"},
		{"no address", fsm.Check{Kind: fsm.CheckTCP}, netip.AddrPort{}, "no address"},
		{"a relative path", fsm.Check{Kind: fsm.CheckHTTP, Path: "health"}, target, "path"},
		{"a path that ends the request line", fsm.Check{Kind: fsm.CheckHTTP, Path: "/ HTTP/1.1\r\nX: y"}, target, "path"},
		{"a host that ends the header", fsm.Check{Kind: fsm.CheckHTTP, Host: "a\r\nX: y"}, target, "host"},
		{"a HELO name that says more", fsm.Check{Kind: fsm.CheckSMTP, Host: "a\r\nDATA"}, target, "host"},
		{"no authorities", fsm.Check{Kind: fsm.CheckHTTPS, CA: "no PEM"}, target, "ca"},
		{"no command", fsm.Check{Kind: fsm.CheckScript}, target, "command"},
		{"no such user", fsm.Check{Kind: fsm.CheckScript, Command: []string{"/bin/true"}, User: "no-such-user"}, target, "no-such-user"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := NewProber(tt.check, tt.target, Options{}); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want one about %q", err, tt.want)
			}
		})
	}
}

func TestErrorsOfThisHostDoNotSpeakOfTheServer(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]bool{
		syscall.EMFILE: true, syscall.EADDRNOTAVAIL: true, syscall.ENOMEM: true, syscall.EAGAIN: true,
		syscall.ECONNREFUSED: false, syscall.ETIMEDOUT: false, syscall.EHOSTUNREACH: false, syscall.ENETUNREACH: false,
	} {
		p := prober{timeout: time.Second, try: func(context.Context) error { return await("answer", err) }}
		if got := p.Probe(t.Context()); got.Local != want || got.OK {
			t.Errorf("after %v: %+v, want local %v", err, got, want)
		}
	}
}

func TestCausesArePrintableAndBounded(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, want string }{
		{"plain", "plain"},
		{" \x1b[31mred\x07\n", "[31mred"}, {"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", ""},
		{"bad \xff  bytes", "bad bytes"},
		{"0123456789", "0123456789"},
		{"0123456789a", "0123456…"},
		{"äöüäöü", "äöü…"},
	} {
		if got := program.Printable(tt.in, 10); got != tt.want || len(got) > 10 {
			t.Errorf("program.Printable(%q, 10) = %q, want %q", tt.in, got, tt.want)
		}
	}
}
