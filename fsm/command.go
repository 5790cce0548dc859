package fsm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// A Command is a change to the state. The set of commands is closed.
type Command interface {
	kind() string // name/version: written to the log, so never renamed and never reused
	apply(State) (State, []Change, error)
}

// Errors that callers compare.
var (
	ErrUnknownCommand = errors.New("unknown command") // to skip it would be to disagree with who knows it
	ErrStale          = errors.New("the state has changed since")
	ErrToken          = errors.New("token refused")
	ErrTaken          = errors.New("already taken")
	ErrNotFound       = errors.New("not found")
	ErrOnTrial        = errors.New("a change waits to be confirmed")
	ErrLevel          = errors.New("not all of the cluster can do this yet")
)

// A Change names one thing that a command changed, for the change feed and for people.
type Change struct {
	Kind ChangeKind
	Name string // of the thing: a service, a server key, a group, a member
	Text string // what happened and why, one line; empty where another change of the entry says it
}

// ChangeKind is the kind of thing that changed.
type ChangeKind string

// The kinds of change.
const (
	ConfigChanged  ChangeKind = "config" // as a whole; what it is about is named by the kinds below, without a text
	RouterChanged  ChangeKind = "router"
	GroupChanged   ChangeKind = "sync_group"
	ServiceChanged ChangeKind = "service"
	TrackChanged   ChangeKind = "track"
	VerdictChanged ChangeKind = "verdict"
	OwnerChanged   ChangeKind = "owner"
	IntentChanged  ChangeKind = "intent"
	OrderChanged   ChangeKind = "order"
	MemberChanged  ChangeKind = "member"
	DrainChanged   ChangeKind = "drain"
	TokenChanged   ChangeKind = "token"
	LevelChanged   ChangeKind = "level"
	KeyChanged     ChangeKind = "key"   // of the cluster itself, by its ID
	StateHealed    ChangeKind = "state" // of one director: its state was wrong and was made anew, whatever is in it
)

// Apply returns the state after the log's entry index with command c, and what changed. An error
// means that the command was refused, alike on every replica: only Index has moved then.
func Apply(s State, index uint64, c Command) (State, []Change, error) {
	next, changes, err := c.apply(s)
	if err != nil {
		next, changes = s, nil
	}
	next.Index = index
	next.keep(&s)
	return next, changes, err
}

// envelope is a command in the log.
type envelope struct {
	Kind string          `json:"kind"`
	Body json.RawMessage `json:"body"`
}

// Encode returns the log entry for a command: an envelope as JSON. It is put together here, since the writer of JSON would
// go through all that is in it again for each envelope around it.
func Encode(c Command) ([]byte, error) {
	var body []byte
	var err error
	if o, ok := c.(Once); ok {
		body, err = o.MarshalJSON()
	} else {
		body, err = json.Marshal(c)
	}
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", c.kind(), err)
	}
	entry := make([]byte, 0, len(body)+64)
	entry = append(append(entry, `{"kind":"`...), c.kind()...)
	entry = append(append(entry, `","body":`...), body...)
	return append(entry, '}'), nil
}

// Decode returns the command in a log entry. A kind that this binary does not know is
// [ErrUnknownCommand].
func Decode(entry []byte) (Command, error) {
	if env, ok := cutEnvelope(entry); ok {
		if c, err := decode(env); err == nil {
			return c, nil
		}
	}
	var env envelope
	if err := strict(entry, &env); err != nil {
		return nil, fmt.Errorf("decode entry: %w", err)
	}
	return decode(env)
}

func decode(env envelope) (Command, error) {
	switch env.Kind {
	case "init-cluster/1":
		return body[InitCluster](env)
	case "add-token/1":
		return body[AddToken](env)
	case "revoke-token/1":
		return body[RevokeToken](env)
	case "admit-member/1":
		return body[AdmitMember](env)
	case "set-member/1":
		return body[SetMember](env)
	case "remove-member/1":
		return body[RemoveMember](env)
	case "set-draining/1":
		return body[SetDraining](env)
	case "put-config/1":
		return body[PutConfig](env)
	case "raise-level/1":
		return body[RaiseLevel](env)
	case "restore-config/1":
		return body[RestoreConfig](env)
	case "set-verdicts/1":
		if c, ok := readVerdicts(env.Body); ok {
			return c, nil
		}
		return body[SetVerdicts](env)
	case "set-intent/1":
		return body[SetIntent](env)
	case "drop-intent/1":
		return body[DropIntent](env)
	case "set-owner/1":
		return body[SetOwner](env)
	case "set-order/1":
		return body[SetOrder](env)
	case "once/1":
		return decodeOnce(env)
	case "change-config/1":
		return body[ChangeConfig](env)
	case "confirm-config/1":
		return body[ConfirmConfig](env)
	case "revert-config/1":
		return body[RevertConfig](env)
	default:
		return decodeNewest(env)
	}
}

func body[C Command](env envelope) (Command, error) {
	var c C
	if err := strict(env.Body, &c); err != nil {
		return nil, fmt.Errorf("decode %s: %w", env.Kind, err)
	}
	return c, nil
}

// strict decodes one JSON value and refuses fields that it does not know: to drop a field would be
// to disagree with the replica that knows it.
func strict(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one value")
	}
	return unknownField(v)
}
