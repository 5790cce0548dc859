package fsm

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// A snapshot is three lines: its format, the SHA-256 of the state's text in hex, the state's text.
const snapshotFormat = "quorate-snapshot/1"

// maxSnapshot bounds what is read of a snapshot's line: it comes from another director.
const maxSnapshot = 1 << 30

// WriteSnapshot writes the whole state, secrets included. A state that is corrupt is not written, since it would
// come back from there as if it were right.
func WriteSnapshot(w io.Writer, s State) error {
	text := s.encode()
	if err := s.Verify(); err != nil { // after it was encoded, so that what is written is what was verified
		return err
	}
	sum := sha256.Sum256(text)
	_, err := fmt.Fprintf(w, "%s\n%s\n%s\n", snapshotFormat, hex.EncodeToString(sum[:]), text)
	return err
}

// NewerError means that a snapshot cannot be read, since it is of a feature level beyond [Newest].
type NewerError struct {
	Level int // of the state in it
	Cause error
}

// Error implements error.
func (e *NewerError) Error() string {
	return fmt.Sprintf("it is of feature level %d, and this binary reads up to %d: %v", e.Level, Newest, e.Cause)
}

// Unwrap returns the cause.
func (e *NewerError) Unwrap() error { return e.Cause }

// ReadSnapshot returns the state that [WriteSnapshot] wrote. A snapshot of another format, cut off
// or altered, is an error, and there is no state then.
func ReadSnapshot(r io.Reader) (State, error) {
	in := bufio.NewReader(io.LimitReader(r, maxSnapshot))
	var lines [3]string
	for i := range lines {
		line, err := in.ReadString('\n')
		if err != nil {
			return State{}, fmt.Errorf("read snapshot, line %d: %w", i+1, err)
		}
		lines[i] = line[:len(line)-1]
	}
	if lines[0] != snapshotFormat {
		return State{}, fmt.Errorf("snapshot of format %.40q, this binary reads %q", lines[0], snapshotFormat)
	}
	text := []byte(lines[2])
	if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != lines[1] {
		return State{}, errors.New("snapshot's content does not match its checksum")
	}
	var st stored
	if err := strict(text, &st); err != nil {
		var head struct {
			Level int `json:"level"`
		}
		if json.Unmarshal(text, &head) == nil && head.Level > Newest {
			err = &NewerError{head.Level, err}
		}
		return State{}, fmt.Errorf("decode snapshot: %w", err)
	}
	st.State.secrets = st.Secrets
	return st.State.Sealed(), nil
}
