package fsm

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Saved is a state that a person keeps in a file, and where it comes from. The file has the whole state,
// secrets included: the CA's key, the gossip key, the routers' keys.
type Saved struct {
	At       time.Time // UTC
	Director string    // who wrote it
	Version  string    // of its binary
	Stale    bool      // it is what that director had applied; nobody else was asked
	State    State
}

// savedFormat begins the first line of such a file; behind it is the SHA-256, in hex, of all that
// follows: a line about the file, then a snapshot.
const savedFormat = "quorate-saved-state/1"

// savedHead is the line about the file. Unlike the state it may gain fields: a reader that does not know
// them must still be able to say what it cannot read.
type savedHead struct {
	At       time.Time `json:"at"`
	Director string    `json:"director"`
	Version  string    `json:"version"`
	Level    int       `json:"level"`
	Stale    bool      `json:"stale,omitempty"`
}

// ErrDamaged means that a file is not as it was written.
var ErrDamaged = errors.New("the file is cut off or altered")

// Encode returns the text of the file.
func (s Saved) Encode() ([]byte, error) {
	head, err := json.Marshal(savedHead{s.At.UTC(), s.Director, s.Version, s.State.Level, s.Stale})
	if err != nil {
		return nil, fmt.Errorf("encode saved state: %w", err)
	}
	var body bytes.Buffer
	body.Write(append(head, '\n'))
	if err := WriteSnapshot(&body, s.State); err != nil {
		return nil, fmt.Errorf("encode saved state: %w", err)
	}
	sum := sha256.Sum256(body.Bytes())
	return append(fmt.Appendf(nil, "%s %s\n", savedFormat, hex.EncodeToString(sum[:])), body.Bytes()...), nil
}

// DecodeSaved reads what [Saved.Encode] returned: all of it and nothing else.
func DecodeSaved(text []byte) (Saved, error) {
	first, body, whole := bytes.Cut(text, []byte("\n"))
	format, sum, ok := bytes.Cut(first, []byte(" "))
	if !ok || !bytes.Equal(format, []byte(savedFormat)) {
		if bytes.HasPrefix(format, []byte("quorate-saved-state/")) && len(format) < 40 {
			return Saved{}, fmt.Errorf("it is of format %q, and this binary reads %q: use the version that wrote it", format, savedFormat)
		}
		return Saved{}, errors.New("it is no saved state of a quorate cluster: `quorate snapshot save FILE` writes one")
	}
	if have := sha256.Sum256(body); !whole || hex.EncodeToString(have[:]) != string(sum) {
		return Saved{}, fmt.Errorf("%w: its content does not match its checksum", ErrDamaged)
	}
	line, snapshot, _ := bytes.Cut(body, []byte("\n"))
	var head savedHead
	if err := json.Unmarshal(line, &head); err != nil {
		return Saved{}, fmt.Errorf("decode saved state: %w", err)
	}
	state, err := ReadSnapshot(bytes.NewReader(snapshot))
	if err != nil { // the file is whole, so this binary is too old for it
		return Saved{}, fmt.Errorf("quorate %s wrote it at feature level %d, and this binary cannot read that: %w", head.Version, head.Level, err)
	}
	return Saved{At: head.At, Director: head.Director, Version: head.Version, Stale: head.Stale, State: state}, nil
}
