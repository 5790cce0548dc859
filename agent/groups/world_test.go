package groups

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/agent/keeperlink"
	"github.com/quorate/quorate/director/keeper"
	"github.com/quorate/quorate/director/ownership"
	"github.com/quorate/quorate/fsm"
)

// world is a driver with a keeper, members and a log that do as a test says. All that is asked of them is noted.
type world struct {
	t      *testing.T
	driver *Driver
	end    func() // ends the driver, and waits for it
	aside  sync.WaitGroup
	later  atomic.Int64 // how much further the clock that goes on during a suspend is

	mu       sync.Mutex
	noted    []string
	silent   bool // nobody is heard on any group
	requests int  // how often a member was asked anything
	cover    Coverage
	held     map[string]chan error // what is noted by this name waits for its outcome
	state    *fsm.State
	parts    map[string]string // group: what the keeper says
	member   map[string]ownership.Part
	away     bool // no other member's agent answers
}

// request and reply are what the keeper's socket speaks.
type request struct {
	ID       uint64        `json:"id"`
	Op       string        `json:"op"`
	Group    string        `json:"group"`
	Wait     time.Duration `json:"wait"`
	Priority uint8         `json:"priority"`
}

type reply struct {
	ID     uint64         `json:"id,omitempty"`
	Error  string         `json:"error,omitempty"`
	Yields bool           `json:"yields,omitempty"`
	Status *keeper.Status `json:"status,omitempty"`
}

var sources = map[string]netip.Addr{"d1": netip.MustParseAddr("192.0.2.1"), "d2": netip.MustParseAddr("192.0.2.2")}

// newWorld runs a driver on d2. The named groups are owned by d1, and all is well.
func newWorld(t *testing.T, names ...string) *world {
	t.Helper()
	w := &world{t: t, held: map[string]chan error{}, parts: map[string]string{}, member: map[string]ownership.Part{}}
	w.state = &fsm.State{Members: map[string]fsm.Member{}, Groups: map[string]fsm.Ownership{}, Config: fsm.Config{Routers: map[string]fsm.Router{}}}
	for name, a := range sources {
		w.state.Members[name] = fsm.Member{Name: name, Role: fsm.RoleDirector, Sources: []netip.Addr{a}}
	}
	for _, name := range names {
		w.state.Config.Routers[name] = fsm.Router{Name: name, Interval: time.Second}
		w.state.Groups[name] = fsm.Ownership{Owner: "d1", Epoch: 4, Order: []string{"d2"}}
		w.parts[name], w.member[name] = "backup", ownership.Owner
	}
	socket := filepath.Join(t.TempDir(), "k")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	link := keeperlink.New(socket, nil, hclog.NewNullLogger())
	w.driver = New(w.config(link))
	var runs sync.WaitGroup
	runs.Go(func() { w.keep(l) })
	runs.Go(func() { _ = link.Run(ctx) })
	ended := make(chan struct{})
	go func() { _ = w.driver.Run(ctx); close(ended) }()
	w.end = sync.OnceFunc(func() { cancel(); <-ended; w.aside.Wait(); l.Close(); runs.Wait() })
	t.Cleanup(w.end)
	for !link.Attached() || len(link.Status().Groups) < len(names) {
		time.Sleep(time.Millisecond)
	}
	w.driver.Poke()
	return w
}

func (w *world) config(link *keeperlink.Link) Config {
	return Config{
		Self: "d2", Keeper: link, Log: hclog.NewNullLogger(),
		OnTime:   func(time.Time) bool { return true },
		Suspects: func(time.Time) time.Duration { return 0 },
		Silence: func(fsm.Member, fsm.Group, keeper.GroupStatus, time.Time) (time.Duration, []time.Duration) {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.away {
				return time.Minute, []time.Duration{0}
			}
			return 0, []time.Duration{0}
		},
		Now: w.now,
		Ask: func(ctx context.Context, to, path string, q, out any) error {
			w.mu.Lock()
			w.requests++
			w.mu.Unlock()
			if all, ok := q.([]Asking); ok {
				return w.attests(ctx, to, all, out.(*[]Answering))
			}
			return w.does(ctx, fmt.Sprintf("ask %s %s: %s", to, strings.TrimPrefix(path, Path), q.(ownership.Question).Kind))
		},
		Pull: func(ctx context.Context, from string, _ bool, _ float64) (Coverage, error) {
			return w.cover, w.does(ctx, "pull "+from)
		},
		Propose: func(ctx context.Context, c fsm.Command) error {
			return w.does(ctx, strings.TrimPrefix(fmt.Sprintf("%T", c), "fsm."))
		},
		Gateway: func(string, netip.Addr) (netip.Addr, bool) { return netip.Addr{}, false },
		Tell:    func(group string, tell ownership.Tell) {},
		Go:      w.aside.Go,
		Uptime:  func() time.Duration { return time.Duration(w.later.Load()) },
	}
}

func (w *world) now() Now {
	w.mu.Lock()
	defer w.mu.Unlock()
	state, parts := *w.state, w.member
	return Now{
		State: &state, Current: true, Quorum: true, Ready: true, Fit: func(fsm.Group) bool { return true },
		Member: func(group, name string) ownership.Member {
			w.mu.Lock()
			defer w.mu.Unlock()
			return ownership.Member{Name: name, Alive: !w.away, Ready: true, Fit: true, Part: parts[group]}
		},
	}
}

// attests is a member that is asked what it knows of groups.
func (w *world) attests(ctx context.Context, to string, all []Asking, out *[]Answering) error {
	for _, q := range all {
		if err := w.does(ctx, fmt.Sprintf("ask %s %s: %s", to, q.Group, q.Kind)); err != nil {
			return err
		}
	}
	*out = make([]Answering, len(all))
	return nil
}

// does notes what is asked, and waits for its outcome if the test holds that.
func (w *world) does(ctx context.Context, what string) error {
	w.mu.Lock()
	w.noted = append(w.noted, what)
	held := w.held[what]
	w.mu.Unlock()
	if held == nil {
		return nil
	}
	select {
	case err := <-held:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// waiting is how much waits until the keeper has done what it was asked before for a group.
func (w *world) waiting(group string) int {
	w.driver.mu.Lock()
	q := &w.driver.groups[group].keeper
	w.driver.mu.Unlock()
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}

// hold has what is noted by a name wait for an outcome.
func (w *world) hold(what string) chan<- error {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := make(chan error)
	w.held[what] = c
	return c
}

// await waits until something was noted, and returns all that was.
func (w *world) await(what string) []string {
	w.t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		w.mu.Lock()
		noted := slices.Clone(w.noted)
		w.mu.Unlock()
		if slices.Contains(noted, what) {
			return noted
		}
		if time.Now().After(end) {
			w.t.Fatalf("%q does not happen, but %q", what, noted)
		}
	}
}

// change changes what is known, and has the driver look.
func (w *world) change(edit func()) {
	w.mu.Lock()
	state := *w.state
	state.Groups, state.Config.Routers = cloned(state.Groups), cloned(state.Config.Routers)
	w.state = &state
	edit()
	w.mu.Unlock()
	w.driver.Poke()
}

func cloned[V any](m map[string]V) map[string]V {
	out := map[string]V{}
	maps.Copy(out, m)
	return out
}

// wants has the log want a move of a group to this director.
func (w *world) wants(name string) {
	w.change(func() {
		g := w.state.Groups[name]
		g.Intent = &fsm.Intent{To: "d2", Epoch: 5, Reason: "d1 drains"}
		w.state.Groups[name] = g
	})
}

// keep serves the keeper's socket.
func (w *world) keep(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go w.serve(conn)
	}
}

func (w *world) serve(conn net.Conn) {
	defer conn.Close()
	var mu sync.Mutex
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		var q request
		if json.Unmarshal(lines.Bytes(), &q) != nil {
			return
		}
		answer := func() {
			b, _ := json.Marshal(w.obey(q))
			mu.Lock()
			defer mu.Unlock()
			_, _ = conn.Write(append(b, '\n')) // a link that ends does not read it
		}
		if q.Op == "status" {
			answer()
			continue
		}
		go answer()
	}
}

// obey is what the keeper does.
func (w *world) obey(q request) reply {
	if q.Op == "status" {
		return reply{ID: q.ID, Status: w.status()}
	}
	r := reply{ID: q.ID, Yields: true}
	if err := w.does(context.Background(), q.Op+" "+q.Group); err != nil {
		r.Error = err.Error()
		return r
	}
	if q.Op == "claim" {
		w.mu.Lock()
		w.parts[q.Group], w.member[q.Group] = "active", ownership.Standby
		w.mu.Unlock()
	}
	return r
}

func (w *world) status() *keeper.Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	st := &keeper.Status{}
	for name, part := range w.parts {
		g := keeper.GroupStatus{Name: name, State: part, Routers: []keeper.RouterStatus{{Name: name, Source: sources["d2"]}}}
		if part == "backup" {
			g.Routers[0].Heard = &keeper.Heard{Source: sources["d1"], Priority: 224, Member: true}
			g.Routers[0].Silent = w.silent
		}
		st.Groups = append(st.Groups, g)
	}
	return st
}

var errRefused = errors.New("refused")
