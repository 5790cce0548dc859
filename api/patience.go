package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// How long an agent may leave a question without the first byte of an answer. What it only reads it bounds itself, by ten
// seconds; how long it takes to change something nobody knows beforehand.
const (
	readLimit  = 15 * time.Second
	waitNotice = 5 * time.Second
)

// patience is how a client waits.
type patience struct {
	limit  time.Duration // of a question that changes nothing
	notice time.Duration // after which who asks any other is told that the client waits
}

// errSilent means that an agent has not begun to answer in time.
var errSilent = errors.New("no answer")

// do sends a request, and waits for the beginning of its answer no longer than makes sense. Of what is answered when
// something happens, the caller alone knows how long.
func (c *Client) do(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
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
		return nil, c.unreachable(err)
	}
	resp.Body = body{resp.Body, cancel}
	return resp, nil
}

// after does something after a while, unless what is returned is called before. That waits for it where it has begun.
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

// body is an answer's, with which the waiting for it ends.
type body struct {
	io.ReadCloser

	cancel context.CancelCauseFunc
}

func (b body) Close() error {
	defer b.cancel(nil)
	return b.ReadCloser.Close()
}

// silent says what may be the matter with an agent that takes a connection, and leaves it at that.
func (c *Client) silent() error {
	if c.ca != nil {
		return fmt.Errorf("the director at %s does not answer within %v: the way to it is cut, or it hangs", c.at, c.patience.limit)
	}
	return fmt.Errorf("the agent does not answer on %s: it hangs or is stopped (`systemctl status quorate`)", c.at)
}
