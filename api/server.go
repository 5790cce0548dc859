package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/quorate/quorate/fsm"
)

// maxBody bounds a request: the largest is a configuration.
const maxBody = 64 << 20

// line is one line of a streamed answer: steps, then the end.
type line struct {
	Step  string `json:"step,omitempty"`
	Error string `json:"error,omitempty"`
	Done  bool   `json:"done,omitempty"`
}

// failure is the body of every answer that is not 2xx.
type failure struct {
	Error string `json:"error"`
}

// badRequest is an error in the request itself.
type badRequest struct{ error }

// Handler serves an agent's API under /v1/, to each caller as much as its role allows. Who returns the caller of a request.
func Handler(a Agent, who func(context.Context) Caller) http.Handler {
	mux := newRouter(a)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		if pattern == "" {
			q := &quiet{ResponseWriter: w, status: http.StatusNotFound} // the mux decides between 404 and 405, but answers in plain text
			h.ServeHTTP(q, r)
			write(w, q.status, failure{r.Method + " " + r.URL.Path + ": " + strings.ToLower(http.StatusText(q.status))})
			return
		}
		if err := allow(pattern, who(r.Context())); err != nil {
			write(w, http.StatusForbidden, failure{err.Error()})
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// newRouter returns the API without the check of who may use it.
func newRouter(a Agent) *router {
	mux := &router{ServeMux: http.NewServeMux()}
	get(mux, "/v1/status", func(r *http.Request) (any, error) { return a.Status(r.Context()) })
	get(mux, "/v1/tokens", func(r *http.Request) (any, error) { return a.Tokens(r.Context()) })
	get(mux, "/v1/events", func(r *http.Request) (any, error) {
		var after uint64
		if text := r.FormValue("after"); text != "" {
			var err error
			if after, err = strconv.ParseUint(text, 10, 64); err != nil {
				return nil, badRequest{fmt.Errorf("after=%q is not the sequence number of an event", text)}
			}
		}
		return a.Events(r.Context(), after, r.FormValue("wait") != "")
	})
	get(mux, "/v1/explain", func(r *http.Request) (any, error) { return a.Explain(r.Context(), r.FormValue("group")) })
	post(mux, "/v1/plan", func(ctx context.Context, q ApplyRequest) (any, error) { return a.Plan(ctx, q) })
	post(mux, "/v1/apply", func(ctx context.Context, q ApplyRequest) (any, error) { return a.Apply(ctx, q) })
	post(mux, "/v1/tokens", func(ctx context.Context, q TokenRequest) (any, error) { return a.CreateToken(ctx, q) })
	post(mux, "/v1/tokens/revoke", func(ctx context.Context, q TokenInfo) (any, error) { return a.RevokeToken(ctx, q.ID) })
	post(mux, "/v1/certificates", func(ctx context.Context, q CertificateRequest) (any, error) { return a.CreateCertificate(ctx, q) })
	post(mux, "/v1/remove", func(ctx context.Context, q removeRequest) (any, error) {
		return a.Remove(ctx, q.Name, q.Force)
	})
	stream(mux, "/v1/init", func(ctx context.Context, _ struct{}, p Progress) error { return a.Init(ctx, p) })
	stream(mux, "/v1/join", a.Join)
	stream(mux, "/v1/leave", a.Leave)
	stream(mux, "/v1/drain", a.Drain)
	stream(mux, "/v1/move", a.Move)
	snapshots(mux, a)
	history(mux, a)
	get(mux, "/v1/upgrade", func(r *http.Request) (any, error) { return a.UpgradeStatus(r.Context()) })
	post(mux, "/v1/upgrade/finish", func(ctx context.Context, q UpgradeRequest) (any, error) { return a.FinishUpgrade(ctx, q) })
	recovery(mux, a)
	keys(mux, a)
	return mux
}

// quiet keeps the status of an answer and drops its body.
type quiet struct {
	http.ResponseWriter
	status int
}

func (q *quiet) WriteHeader(status int) { q.status = status }

func (q *quiet) Write(b []byte) (int, error) { return len(b), nil }

type removeRequest struct {
	Name  string `json:"name"`
	Force bool   `json:"force"`
}

func get(mux *router, path string, do func(*http.Request) (any, error)) {
	mux.handle("GET "+path, func(w http.ResponseWriter, r *http.Request) {
		v, err := do(r)
		answer(w, v, err)
	})
}

func post[Q any](mux *router, path string, do func(context.Context, Q) (any, error)) {
	mux.handle("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		q, ok := read[Q](w, r)
		if !ok {
			return
		}
		v, err := do(r.Context(), q)
		answer(w, v, err)
	})
}

// stream serves a long operation: a line of JSON for each step, and one for the end.
func stream[Q any](mux *router, path string, do func(context.Context, Q, Progress) error) {
	mux.handle("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		q, ok := read[Q](w, r)
		if !ok {
			return
		}
		w.Header().Set("Content-Type", "application/x-ndjson")
		out, flush := json.NewEncoder(w), http.NewResponseController(w)
		say := func(l line) {
			_ = out.Encode(l) // who asked may be gone; the operation goes on to its own end
			_ = flush.Flush()
		}
		if err := do(r.Context(), q, func(step string) { say(line{Step: step}) }); err != nil {
			say(line{Error: err.Error()})
			return
		}
		say(line{Done: true})
	})
}

func read[Q any](w http.ResponseWriter, r *http.Request) (Q, bool) {
	var q Q
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(&q); err != nil {
		write(w, http.StatusBadRequest, failure{"request body: " + err.Error()})
		return q, false
	}
	return q, true
}

func answer(w http.ResponseWriter, v any, err error) {
	var bad badRequest
	switch {
	case err == nil:
		write(w, http.StatusOK, v)
	case errors.Is(err, fsm.ErrStale), errors.Is(err, fsm.ErrTaken), errors.Is(err, fsm.ErrOnTrial), errors.Is(err, fsm.ErrLevel):
		write(w, http.StatusConflict, failure{err.Error()})
	case errors.Is(err, fsm.ErrNotFound):
		write(w, http.StatusNotFound, failure{err.Error()})
	case errors.As(err, &bad):
		write(w, http.StatusBadRequest, failure{err.Error()})
	default:
		write(w, http.StatusInternalServerError, failure{err.Error()})
	}
}

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // who asked may be gone
}
