package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
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
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return fmt.Errorf("list the threads: %w", err)
	}
	var errs []error
	for _, t := range tasks {
		file, err := os.OpenFile("/proc/"+t.Name()+"/timerslack_ns", os.O_WRONLY, 0)
		if errors.Is(err, os.ErrNotExist) {
			continue // the thread has ended
		}
		if err == nil {
			_, err = file.WriteString(strconv.FormatInt(slack.Nanoseconds(), 10))
			err = errors.Join(err, file.Close())
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("set the timer slack: %w", err)
	}
	return nil
}
