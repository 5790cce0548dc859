package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// maxAnswer bounds what another agent's answer may cost: the largest are connections.
const maxAnswer = 1 << 30

// refusal is the error of a request that another agent has answered with the reason why it does not do it.
type refusal struct{ name, why string }

func (r refusal) Error() string { return r.name + " " + r.why }

// unanswered is the error of a request without an answer. Whether it had an effect is not known, unless the error is a
// [port.DialError].
type unanswered struct {
	name string
	err  error
}

func (u unanswered) Error() string { return "ask " + u.name + ": " + u.err.Error() }

func (u unanswered) Unwrap() error { return u.err }

// late is the error of a member that has not answered in time.
type late struct{}

func (late) Error() string { return "no answer in time" }

func (late) Unwrap() error { return context.DeadlineExceeded }

// unheard returns the error of a call without its URL, which people could make nothing of.
func unheard(err error) error {
	var u *url.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return late{}
	case errors.As(err, &u):
		return u.Err
	}
	return err
}

// ask sends one request to another member's agent and decodes its answer into out, unless nil.
func (s *session) ask(ctx context.Context, name, method, path string, body []byte, out any) error {
	client, base, err := s.node.Client(name)
	if err != nil {
		return fmt.Errorf("ask %s: %w", name, err)
	}
	req, err := http.NewRequestWithContext(ctx, method, base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return unanswered{name, unheard(err)}
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		var f struct{ Error string }
		_ = json.NewDecoder(resp.Body).Decode(&f) // the status says enough without it
		if resp.StatusCode == http.StatusConflict {
			return refusal{name, f.Error}
		}
		return fmt.Errorf("%s answers %s: %s", name, resp.Status, f.Error)
	}
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(out); err != nil {
		return fmt.Errorf("answer of %s: %w", name, err)
	}
	return nil
}
