package lab

import (
	"context"
	"fmt"
	"time"
)

// Eventually waits until f returns nil, and fails the test with f's last error after the timeout.
func Eventually(t T, timeout time.Duration, what string, f func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	start := time.Now()
	if err := poll(ctx, f); err != nil {
		t.Fatalf("%s: not within %v: %v", what, timeout, err)
	}
	t.Logf("%s: after %v", what, time.Since(start).Round(time.Millisecond))
}

// Consistently fails the test if f returns an error within the time.
func Consistently(t T, during time.Duration, what string, f func() error) {
	t.Helper()
	start := time.Now()
	for time.Since(start) < during {
		if err := f(); err != nil {
			t.Fatalf("%s: not for %v: after %v: %v", what, during, time.Since(start).Round(time.Millisecond), err)
		}
		time.Sleep(pollInterval)
	}
}

const pollInterval = 10 * time.Millisecond

// poll calls f until it returns nil or ctx ends, and then returns f's last error.
func poll(ctx context.Context, f func() error) error {
	for {
		err := f()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-time.After(pollInterval):
		}
	}
}
