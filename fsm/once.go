package fsm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

const maxRequestID = 64 // bytes

// ErrForgotten means that a request was made again so late that the state cannot tell whether it took effect
// the first time. Nothing was changed.
var ErrForgotten = errors.New("made again too late to know whether it took effect the first time: look whether it did before it is tried again")

// Once is a command under the name of a request: however often that is in the log, it takes effect once. A
// refusal is no effect, so that it is refused or not by the state that it finds each time.
type Once struct {
	Request string // unlike all others, at most 64 bytes
	Since   uint64 // of one that is made again: the index of a state from before the first time; else 0
	Command Command
}

// once is a [Once] in the log.
type once struct {
	Request string          `json:"request"`
	Since   uint64          `json:"since,omitempty"`
	Command json.RawMessage `json:"command"`
}

func (Once) kind() string { return "once/1" }

// MarshalJSON implements [json.Marshaler].
func (c Once) MarshalJSON() ([]byte, error) {
	command, err := Encode(c.Command)
	if err != nil {
		return nil, err
	}
	request, err := json.Marshal(c.Request)
	if err != nil {
		return nil, err
	}
	text := make([]byte, 0, len(request)+len(command)+64)
	text = append(append(text, `{"request":`...), request...)
	if c.Since > 0 {
		text = strconv.AppendUint(append(text, `,"since":`...), c.Since, 10)
	}
	text = append(append(text, `,"command":`...), command...)
	return append(text, '}'), nil
}

// UnmarshalJSON implements [json.Unmarshaler].
func (c *Once) UnmarshalJSON(b []byte) error {
	var o once
	if err := strict(b, &o); err != nil {
		return err
	}
	return c.take(o)
}

// decodeOnce is [body] of a request, as it is written that is made for the first time, see [cutEnvelope].
func decodeOnce(env envelope) (Command, error) {
	rest, begins := bytes.CutPrefix(env.Body, []byte(`{"request":"`))
	name, rest, named := bytes.Cut(rest, []byte(`","command":`))
	command, ends := bytes.CutSuffix(rest, []byte("}"))
	var c Once
	if begins && named && ends && plain(name) && c.take(once{Request: string(name), Command: command}) == nil {
		return c, nil
	}
	return body[Once](env)
}

// take makes what stands in the log a request.
func (c *Once) take(o once) error {
	command, err := Decode(o.Command)
	if err != nil {
		return err
	}
	if _, nested := command.(Once); nested {
		return errors.New("a request within a request")
	}
	*c = Once{Request: o.Request, Since: o.Since, Command: command}
	return nil
}

func (c Once) apply(s State) (State, []Change, error) {
	if s.Level < LevelHistory {
		return s, nil, tooLow(s.Level, LevelHistory)
	}
	if c.Request == "" || len(c.Request) > maxRequestID {
		return s, nil, fmt.Errorf("the name of a request has 1 to %d bytes, not %d", maxRequestID, len(c.Request))
	}
	if s.Requests.has(c.Request) {
		return s, nil, nil
	}
	if c.Since > 0 && c.Since < s.Forgotten {
		return s, nil, ErrForgotten
	}
	next, changes, err := c.Command.apply(s)
	if err != nil {
		return s, nil, err
	}
	kept, gone := s.Requests.with(Request{ID: c.Request, Index: s.Index + 1})
	next.Requests = kept
	if gone.Index > 0 {
		next.Forgotten = gone.Index
	}
	return next, changes, nil
}
