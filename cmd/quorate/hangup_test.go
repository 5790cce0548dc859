package main

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

// lines passes on what is written.
type lines chan string

func (l lines) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}

// TestAHangupIsSaidAndNothingMore would end with the whole test where the signal still ends a process.
func TestAHangupIsSaidAndNothingMore(t *testing.T) {
	said := make(lines, 1)
	end := sitThroughHangups(hclog.New(&hclog.LoggerOptions{Output: said}))
	for range 2 {
		if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		select {
		case line := <-said:
			if !strings.Contains(line, "needs a restart") || !strings.Contains(line, "`quorate apply`") {
				t.Errorf("it says %q", line)
			}
		case <-time.After(time.Minute):
			t.Fatal("it says nothing")
		}
	}
	end()
}
