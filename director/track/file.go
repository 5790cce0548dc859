package track

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	maxNumber = 64                    // bytes of a file that are read
	rewriting = 10 * time.Millisecond // a file that is empty may be about to be written
)

var errNoNumber = errors.New("no number in it")

// lookAtFile reads the integer that a file begins with.
func lookAtFile(ctx context.Context, s Spec) (Observation, bool) {
	n, err := readNumber(s.Path)
	if errors.Is(err, errNoNumber) {
		select {
		case <-ctx.Done():
			return Observation{}, false
		case <-time.After(rewriting):
		}
		n, err = readNumber(s.Path)
	}
	switch {
	case isLocal(err):
		return Observation{}, false
	case err != nil && s.MissingFails:
		return Observation{Fault: true, Reason: fmt.Sprintf("%s: %v", s.Path, err)}, true
	case err != nil && s.Missing == 0:
		return Observation{OK: true}, true
	case err != nil:
		return Observation{Value: s.Missing, Reason: fmt.Sprintf("%s: %v: taken for %d", s.Path, err, s.Missing)}, true
	case n == 0:
		return Observation{OK: true}, true
	}
	return Observation{Value: n, Reason: fmt.Sprintf("%s holds %d", s.Path, n)}, true
}

func readNumber(name string) (int, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe without a writer must not hold us
	if err != nil {
		return 0, cause(err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return 0, cause(err)
	}
	if !fi.Mode().IsRegular() {
		return 0, errors.New("not a regular file")
	}
	b, err := io.ReadAll(io.LimitReader(f, maxNumber))
	if err != nil {
		return 0, cause(err)
	}
	fields := strings.Fields(string(b))
	if len(fields) == 0 {
		return 0, errNoNumber
	}
	n, err := strconv.Atoi(fields[0])
	if err != nil {
		return 0, errNoNumber
	}
	return n, nil
}

// cause is an error without the path, which stands beside it.
func cause(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// isLocal reports whether an error speaks of this host's means, and not of what was to be looked at.
func isLocal(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EAGAIN, syscall.ETXTBSY} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
