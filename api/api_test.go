package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/fsm"
)

// fake is an agent that remembers what it was asked, and answers as it is told.
type fake struct {
	asked []any
	steps []string
	err   error
	hang  bool // events wait for the end of the request
}

func (f *fake) ask(v ...any) error {
	f.asked = append(f.asked, v...)
	return f.err
}

func (f *fake) long(p api.Progress, v ...any) error {
	for _, s := range f.steps {
		p(s)
	}
	return f.ask(v...)
}

var (
	noon  = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	model = fsm.Config{Routers: map[string]fsm.Router{"web": {Name: "web", VRID: 51, Interface: "wan"}}}

	status = api.Status{
		Name: "d1", Leader: "d2", Quorum: true, Revision: 7, AppliedIndex: 9, FeatureLevel: 1, StateHash: "00ff",
		Directors: []api.DirectorStatus{{Name: "d1", State: "alive", Reasons: []string{"cold"}}},
		Groups:    []api.GroupStatus{{Name: "web", Owner: "d1", Epoch: 3, Order: []string{"d2"}, Addresses: []string{"192.0.2.1/24"}}},
		Services:  []api.ServiceStatus{{Name: "web", Servers: []api.ServerStatus{{Address: "192.0.2.11:80", Seen: map[string]string{"d1": "up"}}}}},
		Warnings:  []string{"nobody owns mail"},
	}
	event  = api.Event{Sequence: 4, Time: noon, Director: "d1", Index: 9, Kind: "owner", Name: "web", Text: "d1 owns web"}
	plan   = api.Plan{Base: 7, Changes: []config.Change{{Verb: config.Add, Kind: config.KindRouter, Name: "web"}}, Kernel: map[string][]string{"d1": {"-A"}}, Connections: 3}
	result = api.ApplyResult{Revision: 8, Index: 10}
	token  = api.Token{Token: "quorate1-x", Expires: noon}

	explanation = api.Explanation{
		Group: "web", Owner: "d1", Since: noon, Epoch: 3, Reason: "d2 drains", Order: []string{"d2"},
		Members:   []api.Attestation{{Name: "d1", Part: "active", Since: noon, Hears: map[string]string{"wan": "d1"}}, {Name: "d2", Error: "no answer"}},
		Decisions: []api.Decision{{Time: noon, Director: "d1", Kind: "move", Text: "d1 took web", Inputs: []string{"log: epoch 2"}}},
	}
	certificate = api.Certificate{ID: "01", Certificate: []byte("cert"), CA: []byte("ca"), Expires: noon}

	ended = api.Ended{Before: "d2 was removed already"}
	info  = api.TokenInfo{ID: "00", Role: "director", Expires: noon, UsedBy: "d2"}
)

func (f *fake) Status(context.Context) (api.Status, error) { return status, f.ask("status") }

func (f *fake) Config(context.Context) (fsm.Config, uint64, error) { return model, 7, f.ask("config") }

func (f *fake) Events(ctx context.Context, after uint64, wait bool) ([]api.Event, error) {
	if f.hang {
		<-ctx.Done()
	}
	return []api.Event{event}, f.ask("events", after, wait)
}

func (f *fake) Explain(_ context.Context, group string) (api.Explanation, error) {
	return explanation, f.ask("explain", group)
}

func (f *fake) Init(_ context.Context, p api.Progress) error { return f.long(p, "init") }

func (f *fake) Join(_ context.Context, r api.JoinRequest, p api.Progress) error { return f.long(p, r) }

func (f *fake) Leave(_ context.Context, r api.LeaveRequest, p api.Progress) error {
	return f.long(p, r)
}

func (f *fake) Drain(_ context.Context, r api.DrainRequest, p api.Progress) error {
	return f.long(p, r)
}

func (f *fake) Move(_ context.Context, r api.MoveRequest, p api.Progress) error {
	return f.long(p, r)
}

func (f *fake) Remove(_ context.Context, name string, force bool) (api.Ended, error) {
	return ended, f.ask("remove", name, force)
}

func (f *fake) CreateToken(_ context.Context, r api.TokenRequest) (api.Token, error) {
	return token, f.ask(r)
}

func (f *fake) Tokens(context.Context) ([]api.TokenInfo, error) {
	return []api.TokenInfo{info}, f.ask("tokens")
}

func (f *fake) RevokeToken(_ context.Context, id string) (api.Ended, error) {
	return ended, f.ask("revoke", id)
}

func (f *fake) CreateCertificate(_ context.Context, r api.CertificateRequest) (api.Certificate, error) {
	return certificate, f.ask(r)
}

// root is who asks where nothing is said of it.
func root(context.Context) api.Caller {
	return api.Caller{Name: "root", Role: fsm.RoleAdmin, Local: true}
}

func (f *fake) Plan(_ context.Context, r api.ApplyRequest) (api.Plan, error) { return plan, f.ask(r) }

func (f *fake) Apply(_ context.Context, r api.ApplyRequest) (api.ApplyResult, error) {
	return result, f.ask(r)
}

// serve serves an agent on a unix socket, and returns its path.
func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "api") // short: the path of a socket has 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: h}}
	server.Start()
	t.Cleanup(server.Close)
	return path
}

// call is one use of each method, with all that it returns.
type call struct {
	name  string
	do    func(ctx context.Context, a api.Agent, p api.Progress) ([]any, error)
	asked []any
	want  []any
	long  bool
}

func calls() []call {
	join := api.JoinRequest{Address: "192.0.2.1:7400", Token: "quorate1-x"}
	apply := api.ApplyRequest{Base: 7, Config: model, Terms: terms}
	tokens := api.TokenRequest{Role: "witness", Lifetime: time.Hour}
	holder := api.CertificateRequest{Name: "ann", Role: "viewer", Lifetime: time.Hour, CSR: []byte("csr")}
	one := func(v any, err error) ([]any, error) { return []any{v}, err }
	return []call{
		{"Status", func(ctx context.Context, a api.Agent, _ api.Progress) ([]any, error) {
			st, err := a.Status(ctx)
			return one(st, err)
		}, []any{"status"}, []any{status}, false},
		{"Config", func(ctx context.Context, a api.Agent, _ api.Progress) ([]any, error) {
			c, rev, err := a.Config(ctx)
			return []any{c, rev}, err
		}, []any{"config"}, []any{model, uint64(7)}, false},
		{"Events", func(ctx context.Context, a api.Agent, _ api.Progress) ([]any, error) {
			es, err := a.Events(ctx, 3, true)
			return one(es, err)
		}, []any{"events", uint64(3), true}, []any{[]api.Event{event}}, false},
		{"Explain", func(ctx context.Context, a api.Agent, _ api.Progress) ([]any, error) {
			return one(a.Explain(ctx, "web"))
		}, []any{"explain", "web"}, []any{explanation}, false},
		{"Init", func(ctx context.Context, a api.Agent, p api.Progress) ([]any, error) {
			return nil, a.Init(ctx, p)
		}, []any{"init"}, nil, true},
		{"Join", func(ctx context.Context, a api.Agent, p api.Progress) ([]any, error) {
			return nil, a.Join(ctx, join, p)
		}, []any{join}, nil, true},
		{"Leave", func(ctx context.Context, a api.Agent, p api.Progress) ([]any, error) {
			return nil, a.Leave(ctx, api.LeaveRequest{Force: true}, p)
		}, []any{api.LeaveRequest{Force: true}}, nil, true},
		{"Move", func(ctx context.Context, a api.Agent, p api.Progress) ([]any, error) {
			return nil, a.Move(ctx, api.MoveRequest{Group: "web", Director: "d2", Force: true, Author: "root"}, p)
		}, []any{api.MoveRequest{Group: "web", Director: "d2", Force: true, Author: "root"}}, nil, true},
		{"Drain", func(ctx context.Context, a api.Agent, p api.Progress) ([]any, error) {
			return nil, a.Drain(ctx, api.DrainRequest{Director: "d1", Draining: true}, p)
		}, []any{api.DrainRequest{Director: "d1", Draining: true}}, nil, true},
		{"Remove", func(ctx context.Context, a api.Agent, _ api.Progress) ([]any, error) {
			e, err := a.Remove(ctx, "d2", true)
			return one(e, err)
		}, []any{"remove", "d2", true}, []any{ended}, false},
		{"CreateToken", func(ctx context.Context, a api.Agent, _ api.Progress) ([]any, error) {
			tk, err := a.CreateToken(ctx, tokens)
			return one(tk, err)
		}, []any{tokens}, []any{token}, false},
		{"Tokens", func(ctx context.Context, a api.Agent, _ api.Progress) ([]any, error) {
			ts, err := a.Tokens(ctx)
			return one(ts, err)
		}, []any{"tokens"}, []any{[]api.TokenInfo{info}}, false},
		{"RevokeToken", func(ctx context.Context, a api.Agent, _ api.Progress) ([]any, error) {
			e, err := a.RevokeToken(ctx, "00")
			return one(e, err)
		}, []any{"revoke", "00"}, []any{ended}, false},
		{"CreateCertificate", func(ctx context.Context, a api.Agent, _ api.Progress) ([]any, error) {
			c, err := a.CreateCertificate(ctx, holder)
			return one(c, err)
		}, []any{holder}, []any{certificate}, false},
		{"Plan", func(ctx context.Context, a api.Agent, _ api.Progress) ([]any, error) {
			p, err := a.Plan(ctx, apply)
			return one(p, err)
		}, []any{apply}, []any{plan}, false},
		{"Apply", func(ctx context.Context, a api.Agent, _ api.Progress) ([]any, error) {
			r, err := a.Apply(ctx, apply)
			return one(r, err)
		}, []any{apply}, []any{result}, false},
	}
}

func TestEveryMethodReachesTheAgentAndComesBack(t *testing.T) {
	all := slices.Concat(calls(), moreCalls(), historyCalls(), keyCalls())
	if n := reflect.TypeFor[api.Agent]().NumMethod(); n != len(all) {
		t.Fatalf("the agent has %d methods, %d are tried here", n, len(all))
	}
	for _, c := range all {
		t.Run(c.name, func(t *testing.T) {
			f := &fake{steps: []string{"one", "two"}}
			var steps []string
			got, err := c.do(t.Context(), api.NewClient(serve(t, api.Handler(f, root))), func(s string) { steps = append(steps, s) })
			if err != nil {
				t.Fatal(err)
			}
			opts := cmp.Options{cmpopts.EquateEmpty()}
			if diff := cmp.Diff(c.want, got, opts); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.asked, f.asked, opts); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
			if want := []string{"one", "two"}; c.long && !cmp.Equal(want, steps) {
				t.Errorf("steps %q", steps)
			}
		})
	}
}

func TestErrorsComeBackAsTheyWereSaid(t *testing.T) {
	for _, c := range slices.Concat(calls(), moreCalls(), historyCalls(), keyCalls()) {
		t.Run(c.name, func(t *testing.T) {
			f := &fake{steps: []string{"one"}, err: errors.New("no: d1 is not \"ready\"")}
			var steps []string
			_, err := c.do(t.Context(), api.NewClient(serve(t, api.Handler(f, root))), func(s string) { steps = append(steps, s) })
			if err == nil || err.Error() != f.err.Error() {
				t.Errorf("error %v, want %v", err, f.err)
			}
			if c.long && len(steps) != 1 {
				t.Errorf("steps before the error: %q", steps)
			}
		})
	}
}

func TestTheStatusOfAnAnswerSaysWhatKindOfErrorItIs(t *testing.T) {
	for _, tt := range []struct {
		method, path, body string
		err                error
		want               int
	}{
		{"GET", "/v1/status", "", nil, 200},
		{"GET", "/v1/status", "", errors.New("no"), 500},
		{"POST", "/v1/remove", `{"name":"d9"}`, fmt.Errorf("member d9: %w", fsm.ErrNotFound), 404},
		{"POST", "/v1/apply", `{}`, fmt.Errorf("revision 3: %w", fsm.ErrStale), 409},
		{"POST", "/v1/tokens", `{}`, fmt.Errorf("token: %w", fsm.ErrTaken), 409},
		{"POST", "/v1/apply", `{"colour":1}`, nil, 400},
		{"POST", "/v1/apply", `{"base":"x"}`, nil, 400},
		{"POST", "/v1/apply", `{`, nil, 400},
		{"POST", "/v1/apply", ``, nil, 400},
		{"POST", "/v1/leave", `[]`, nil, 400},
		{"GET", "/v1/events?after=x", "", nil, 400},
		{"GET", "/v1/events?after=-1", "", nil, 400},
		{"GET", "/v1/events", "", nil, 200},
		{"GET", "/v1/apply", "", nil, 405},
		{"POST", "/v1/status", "{}", nil, 405},
		{"DELETE", "/v1/tokens", "", nil, 405},
		{"GET", "/v1/nonsense", "", nil, 404},
		{"GET", "/", "", nil, 404},
	} {
		t.Run(tt.method+" "+tt.path+" "+tt.body, func(t *testing.T) {
			f := &fake{err: tt.err}
			w := httptest.NewRecorder()
			api.Handler(f, root).ServeHTTP(w, httptest.NewRequest(tt.method, tt.path, strings.NewReader(tt.body)))
			if w.Code != tt.want {
				t.Errorf("status %d, want %d: %s", w.Code, tt.want, w.Body)
			}
			if w.Code == http.StatusOK {
				return
			}
			var said struct{ Error string }
			if err := json.Unmarshal(w.Body.Bytes(), &said); err != nil || said.Error == "" {
				t.Errorf("body %q: %v", w.Body, err)
			}
			if w.Code != 500 && tt.err == nil && len(f.asked) > 0 {
				t.Errorf("the agent was asked: %v", f.asked)
			}
			if allow := w.Header().Get("Allow"); tt.want == 405 && allow == "" {
				t.Errorf("a method that is not allowed, and no word of those that are")
			}
		})
	}
}

func TestABodyHasALimit(t *testing.T) {
	f := &fake{}
	body := io.MultiReader(strings.NewReader(`{"author":"`), io.LimitReader(letters{}, 65<<20), strings.NewReader(`"}`))
	w := httptest.NewRecorder()
	api.Handler(f, root).ServeHTTP(w, httptest.NewRequest("POST", "/v1/apply", body))
	if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "too large") || len(f.asked) > 0 {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
}

type letters struct{}

func (letters) Read(p []byte) (int, error) {
	copy(p, bytes.Repeat([]byte("a"), len(p)))
	return len(p), nil
}

func TestAnAgentThatEndsInTheMiddleIsNoSuccess(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"between two steps": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "{\"step\":\"one\"}\n")
		},
		"in a step": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "{\"step\":\"one\"}\n{\"st")
		},
		"killed": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "{\"step\":\"one\"}\n")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
	} {
		t.Run(name, func(t *testing.T) {
			var steps []string
			err := api.NewClient(serve(t, h)).Leave(t.Context(), api.LeaveRequest{}, func(s string) { steps = append(steps, s) })
			if err == nil || !strings.Contains(err.Error(), "ended before it was done") || len(steps) != 1 {
				t.Errorf("error %v after %q", err, steps)
			}
		})
	}
}

func TestAnAgentThatCannotBeAskedIsNamed(t *testing.T) {
	stale := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", stale)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = l.Close()
	garbage := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	teapot := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	for _, tt := range []struct{ name, socket, want string }{
		{"no name of one", "", "no socket to ask an agent through: name it with --socket or QUORATE_SOCKET"},
		{"no socket", "/nowhere/s", "no agent has the socket /nowhere/s: start one with `quorate agent`, or name its socket with --socket or QUORATE_SOCKET"},
		{"nobody behind it", stale, "the agent at " + stale + " is not running: start it with `quorate agent` or `systemctl start quorate`"},
		{"not JSON", garbage, "answer of the agent at " + garbage},
		{"a status without an error", teapot, "the agent at " + teapot + " answered 418"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := api.NewClient(tt.socket).Status(t.Context()); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
}

func TestWhoNoLongerWaitsGetsTheReason(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := api.NewClient(serve(t, api.Handler(&fake{hang: true}, root))).Events(ctx, 0, true); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}
