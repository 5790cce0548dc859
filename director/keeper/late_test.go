package keeper

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/quorate/quorate/director/suspend"
)

// frozen listens as a keeper that reads nothing until the client has given up, and returns what it reads then.
func frozen(t *testing.T, ask func(context.Context, *Client) error, patience time.Duration) request {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := Dial(socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx := t.Context()
	if patience > 0 {
		limited, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		ctx = limited
	}
	asked := make(chan error, 1)
	go func() { asked <- ask(ctx, c) }()
	if patience > 0 {
		if err := <-asked; err == nil {
			t.Fatal("it is answered by nobody")
		}
	}
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var q request
	if err := json.NewDecoder(bufio.NewReader(conn)).Decode(&q); err != nil {
		t.Fatal(err)
	}
	return q
}

func TestWhatWaitedInTheSocketOfAFrozenKeeperIsOverWhenItWasGivenUp(t *testing.T) {
	for name, ask := range map[string]func(context.Context, *Client) error{
		"claim":   func(ctx context.Context, c *Client) error { return c.Claim(ctx, "web", 248) },
		"yield":   func(ctx context.Context, c *Client) error { _, err := c.Yield(ctx, "web", time.Second); return err },
		"resign":  func(ctx context.Context, c *Client) error { return c.Resign(ctx, "web", false) },
		"concede": func(ctx context.Context, c *Client) error { _, err := c.Concede(ctx, "web"); return err },
		"unclaim": func(ctx context.Context, c *Client) error { return c.Unclaim(ctx, "web") },
		"renew":   func(ctx context.Context, c *Client) error { return c.Renew(ctx, "web") },
		"hold":    func(ctx context.Context, c *Client) error { return c.Hold(ctx, "web", time.Second) },
		"stop":    func(ctx context.Context, c *Client) error { return c.Stop(ctx, true) },
	} {
		t.Run(name, func(t *testing.T) {
			if q := frozen(t, ask, 20*time.Millisecond); q.Op != name || q.over() == nil {
				t.Errorf("%+v is not over, though it is given up", q)
			}
			q := frozen(t, ask, 0)
			if q.over() != nil {
				t.Errorf("%+v is over at once", q)
			}
			limit := map[string]time.Duration{"claim": claimWait, "stop": StopWait}[name]
			if left := q.Ends - suspend.Uptime(); limit != 0 && (left <= 0 || left > limit) || limit == 0 && q.Ends != 0 {
				t.Errorf("%+v is over in %v", q, left)
			}
			if q.Ends != 0 && (q.Ends-q.Until-suspend.Slept()).Abs() > 10*time.Millisecond || q.Ends == 0 && q.Until != 0 {
				t.Errorf("%+v: an older keeper takes it for over at another time", q)
			}
		})
	}
}

// The clock that an older control goes by has stood still while the host was suspended.
func TestWhatWasSentBeforeASuspendIsOverAfterIt(t *testing.T) {
	up := suspend.Uptime()
	monotonic := up - suspend.Slept()
	for name, tt := range map[string]struct {
		q    request
		over bool
	}{
		"it was given up before that":             {request{Ends: up - 1, Until: monotonic + time.Hour}, true},
		"it is waited for":                        {request{Ends: up + time.Hour, Until: monotonic + time.Hour}, false},
		"an older control waits for it":           {request{Until: monotonic + time.Hour}, false},
		"an older control has given it up":        {request{Until: monotonic - 1}, true},
		"nobody gives it up, as an order is kept": {request{}, false},
	} {
		if got := tt.q.over() != nil; got != tt.over {
			t.Errorf("%s: over: %v", name, got)
		}
	}
}

func TestAnOrderIsNeverOver(t *testing.T) {
	set := func(ctx context.Context, c *Client) error { return c.Set(ctx, Order{}) }
	if q := frozen(t, set, 20*time.Millisecond); q.Op != opSet || q.Ends != 0 || q.Until != 0 {
		t.Errorf("%+v, though the keeper must end with it", q)
	}
}

func TestAResignationSaysWhetherTheAddressesLinger(t *testing.T) {
	for _, linger := range []bool{true, false} {
		q := frozen(t, func(ctx context.Context, c *Client) error { return c.Resign(ctx, "web", linger) }, 0)
		if q.Op != opResign || q.Linger != linger {
			t.Errorf("%+v, want linger %v", q, linger)
		}
	}
}
