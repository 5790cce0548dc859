package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// How much later than asked for the kernel may wake a process, see [setSlack].
const (
	controlSlack = time.Millisecond      // nothing that control does is due to less
	keeperSlack  = 50 * time.Microsecond // the system's own: adverts are to be on time
)

// setSlack says how much later than asked for the kernel may wake the threads of this process, those that are there and
// those that they start, to wake them for several reasons at once. An idle process of Go's needs it: whenever it does
// something, one of its threads looks each 20 µs whether it still does, and with the system's own 50 µs that is half of
// what control costs. A child begins with its parent's, so the keeper sets its own.
func setSlack(slack time.Duration) error {
	// Nothing is set that is so already, as in a keeper that is a unit of its own: it may not touch another thread's.
	// A real-time thread has no slack.
	if have, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0); err == nil && (have == 0 || time.Duration(have) == slack) {
		return nil
	}
	want := strconv.FormatInt(slack.Nanoseconds(), 10)
	for range 100 { // a thread may start another between our looking and our setting
		changed, err := setSlackOnce(want)
		if err != nil {
			return fmt.Errorf("set the timer slack: %w", err)
		}
		if !changed {
			return nil
		}
	}
	return errors.New("set the timer slack: new threads begin without end")
}

// setSlackOnce sets the slack of the threads that are there, and tells whether one had another.
func setSlackOnce(want string) (changed bool, err error) {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return false, err
	}
	var errs []error
	for _, t := range tasks {
		path := "/proc/" + t.Name() + "/timerslack_ns"
		have, err := os.ReadFile(path)
		if err == nil && strings.TrimSpace(string(have)) != want {
			changed = true
			err = os.WriteFile(path, []byte(want), 0)
		}
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // the thread has ended
		}
		errs = append(errs, err)
	}
	return changed, errors.Join(errs...)
}
