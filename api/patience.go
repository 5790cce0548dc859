package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// How long an agent may take for the first byte of an answer. It answers within ten seconds where nothing is changed; how long a
// change takes, nobody knows beforehand.
const (
	readLimit  = 15 * time.Second
	waitNotice = 5 * time.Second
)

// patience is how a client waits.
type patience struct {
	limit  time.Duration // for the answer to a request that changes nothing
	notice time.Duration // after which the caller of any other request is told that the client waits
}

// errSilent means that an agent has not begun to answer in time.
var errSilent = errors.New("no answer")

// UnansweredError means that a request to change something was sent, and that no answer came: what it asks for may be done, or not.
type UnansweredError struct{ Cause error }

func (e *UnansweredError) Error() string { return e.Cause.Error() }

// Unwrap returns what is known of why no answer came.
func (e *UnansweredError) Unwrap() error { return e.Cause }

// unanswered is the error of a request that was sent.
func unanswered(method string, err error) error {
	if method == http.MethodGet {
		return err
	}
	return &UnansweredError{err}
}

// do sends a request, and waits no longer for the beginning of its answer than makes sense. A request that is answered when
// something happens ends with the caller's context alone.
func (c *Client) do(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	var sent atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }})
	answered := func() {}
	switch {
	case req.URL.Query().Has("wait"):
	case req.Method == http.MethodGet:
		answered = after(c.patience.limit, func() { cancel(errSilent) })
	case c.Waiting != nil:
		answered = after(c.patience.notice, c.Waiting)
	}
	resp, err := c.http.Do(req.WithContext(ctx))
	answered()
	if err != nil {
		late := errors.Is(context.Cause(ctx), errSilent)
		cancel(nil)
		if late {
			return nil, c.silent()
		}
		if err = c.unreachable(err); sent.Load() {
			err = unanswered(req.Method, err)
		}
		return nil, err
	}
	resp.Body = body{resp.Body, cancel}
	return resp, nil
}

// after calls do after a while, unless stop is called before that. If do has begun already, stop waits for its end.
func after(d time.Duration, do func()) (stop func()) {
	done := make(chan struct{})
	timer := time.AfterFunc(d, func() {
		defer close(done)
		do()
	})
	return func() {
		if !timer.Stop() {
			<-done
		}
	}
}

// body is the body of an answer, which ends the request's context when it is closed.
type body struct {
	io.ReadCloser

	cancel context.CancelCauseFunc
}

func (b body) Close() error {
	defer b.cancel(nil)
	return b.ReadCloser.Close()
}

// silent is the error of an agent that takes connections and does not answer.
func (c *Client) silent() error {
	if c.ca != nil {
		return fmt.Errorf("the director at %s does not answer within %v: the way to it is cut, or it hangs", c.at, c.patience.limit)
	}
	return fmt.Errorf("the agent does not answer on %s: it hangs or is stopped (`systemctl status quorate`)", c.at)
}
