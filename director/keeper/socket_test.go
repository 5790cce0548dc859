package keeper

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"
)

// serving runs a keeper with a socket in a world without a kernel.
func serving(t *testing.T) (b *box, socket string) {
	t.Helper()
	w := newWorld(t)
	b = w.box(1)
	socket = filepath.Join(b.dir, "socket")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, config(b, socket)) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	dial(t, socket)
	return b, socket
}

func config(b *box, socket string) Config {
	return Config{
		Socket: socket, Record: filepath.Join(b.dir, "record"), Host: b, Listen: b.listen, Through: b.through, LinkUp: b.linkUp,
		Log: hclog.NewNullLogger(),
	}
}

func dial(t *testing.T, socket string) *Client {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		c, err := Dial(socket)
		if err == nil {
			t.Cleanup(func() { c.Close() })
			return c
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

func TestBadInputEndsItsOwnSessionOnly(t *testing.T) {
	_, socket := serving(t)
	good := dial(t, socket)
	for name, tt := range map[string]struct{ in, want string }{
		"garbage":        {"\x00\xff{{{\n", "decode the request"},
		"another type":   {`{"id":"seven"}` + "\n", "decode the request"},
		"an endless one": {strings.Repeat("x", maxLine+1), "too long"},
		"no such thing":  {`{"id":7,"op":"dance"}` + "\n", `unknown request "dance"`},
		"no order":       {`{"id":7,"op":"set"}` + "\n", "no order"},
		"a bad order":    {`{"id":7,"op":"set","order":{"groups":[{"name":"x"}]}}` + "\n", "priority 0"},
		"a bad claim":    {`{"id":7,"op":"claim","group":"nothing","priority":248}` + "\n", `no group "nothing"`},
		"a bad yield":    {`{"id":7,"op":"yield","group":"nothing"}` + "\n", `no group "nothing"`},
		"a bad hold":     {`{"id":7,"op":"hold","group":"nothing"}` + "\n", `no group "nothing"`},
		"a late claim":   {`{"id":7,"op":"claim","group":"nothing","priority":248,"until":1}` + "\n", "too late"},
		"a late yield":   {`{"id":7,"op":"yield","group":"nothing","until":1}` + "\n", "too late"},
		"a late resign":  {`{"id":7,"op":"resign","group":"nothing","until":1}` + "\n", "too late"},
		"a late concede": {`{"id":7,"op":"concede","group":"nothing","until":1}` + "\n", "too late"},
		"a late renewal": {`{"id":7,"op":"renew","group":"nothing","until":1}` + "\n", "too late"},
		"a late hold":    {`{"id":7,"op":"hold","group":"nothing","until":1}` + "\n", "too late"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := net.Dial("unix", socket)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			go c.Write([]byte(tt.in))
			var r reply
			c.SetReadDeadline(time.Now().Add(10 * time.Second))
			if err := json.NewDecoder(bufio.NewReader(c)).Decode(&r); err != nil || !strings.Contains(r.Error, tt.want) {
				t.Errorf("answer %+v, %v, want %q", r, err, tt.want)
			}
			if _, err := good.Status(t.Context()); err != nil {
				t.Errorf("another session: %v", err)
			}
		})
	}
}

func TestAClientThatDoesNotReadDisturbsNobody(t *testing.T) {
	_, socket := serving(t)
	good := dial(t, socket)
	if err := good.Set(t.Context(), Order{Groups: []Group{gateway(220, 1, 10*time.Millisecond, "wan")}}); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		c, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		go func() {
			for range 1000 {
				if _, err := c.Write([]byte(`{"id":7,"op":"status"}` + "\n")); err != nil {
					return
				}
			}
		}()
	}
	begin := time.Now()
	for range 20 {
		if err := good.Hold(t.Context(), "gateway", 0); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("20 requests took %v", took)
	}
}

func TestASecondKeeperIsRefusedAndTheFirstUnharmed(t *testing.T) {
	b, socket := serving(t)
	good := dial(t, socket)
	for range 3 {
		err := Run(t.Context(), config(b, socket))
		if err == nil || !strings.Contains(err.Error(), "another keeper runs") || !strings.Contains(err.Error(), socket) {
			t.Errorf("the second: %v", err)
		}
	}
	if _, err := good.Status(t.Context()); err != nil {
		t.Errorf("the first: %v", err)
	}
	dial(t, socket)
}

func TestASocketOfADeadKeeperIsReplacedAndAFileIsNot(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "socket")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // as a keeper that is killed leaves it
	l.Close()
	if l, err = listenUnix(socket); err != nil {
		t.Fatalf("with a dead socket: %v", err)
	}
	if _, err := listenUnix(socket); err == nil || !strings.Contains(err.Error(), "another keeper runs") {
		t.Errorf("twice: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	put(t, socket, "precious")
	if _, err := listenUnix(socket); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("with a file: %v", err)
	}
	if b, err := os.ReadFile(socket); err != nil || string(b) != "precious" {
		t.Errorf("the file is %q, %v", b, err)
	}
	if _, err := listenUnix(filepath.Join(t.TempDir(), "absent", "socket")); err == nil {
		t.Error("without the folder: no error")
	}
}

// On a host's first start, before control has made the folders that both use.
func TestTheFirstKeeperOfAHostMakesItsFolders(t *testing.T) {
	b := newWorld(t).box(1)
	cfg := config(b, filepath.Join(b.dir, "run", "quorate", "socket"))
	data := filepath.Join(b.dir, "lib", "quorate")
	var said bytes.Buffer
	cfg.Record, cfg.Log = filepath.Join(data, "record"), hclog.New(&hclog.LoggerOptions{Output: &said, Level: hclog.Warn})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, cfg) }()
	for end := time.Now().Add(10 * time.Second); len(ended) == 0; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(cfg.Record); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Error("it keeps no record")
			break
		}
	}
	cancel()
	if err := <-ended; err != nil || said.Len() > 0 {
		t.Errorf("it ended with %v, and said %q", err, said.String())
	}
	if info, err := os.Stat(data); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder of the record: %v, %v", info, err)
	}
}

// It has the lock before it listens, and who looks does not keep it from that.
func TestAKeeperIsSeenByItsLockAndNotHinderedByWhoLooks(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "socket")
	if Held(socket) {
		t.Error("there has never been one, and it is seen")
	}
	look, err := os.Create(socket + ".lock")
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(look.Fd()), unix.LOCK_SH); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(20*time.Millisecond, func() { look.Close() })
	l, err := listenUnix(socket)
	if err != nil {
		t.Fatal(err)
	}
	if !Held(socket) {
		t.Error("one is there, and is not seen")
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if Held(socket) {
		t.Error("it is gone, and is seen")
	}
}

// Whatever it was doing.
func TestV62V75AClientThatVanishesChangesNothing(t *testing.T) {
	b, socket := serving(t)
	c := dial(t, socket)
	if err := c.Set(t.Context(), Order{Groups: []Group{gateway(220, 1, 100*time.Millisecond, "wan")}}); err != nil { // or the loop of a busy machine is late, and listens first
		t.Fatal(err)
	}
	state := func(c *Client) GroupStatus {
		s, err := c.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		g, _ := s.Group("gateway")
		return g
	}
	for end := time.Now().Add(10 * time.Second); state(c).State != "active"; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never active")
		}
	}
	before := state(c)
	for _, last := range []string{"", `{"id":1,"op":"claim","gro`, `{"id":1,"op":"stop"`} {
		raw, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := raw.Write([]byte(last)); err != nil {
			t.Fatal(err)
		}
		raw.Close()
	}
	c.Close()
	time.Sleep(300 * time.Millisecond)
	after := state(dial(t, socket))
	if after.State != "active" || !after.Since.Equal(before.Since) || after.Routers[0].Sent <= before.Routers[0].Sent || !b.has(vip("wan")) {
		t.Errorf("before %+v\nafter %+v", before, after)
	}
}
