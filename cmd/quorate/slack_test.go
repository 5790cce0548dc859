package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestTheTimerSlackIsThatOfAllThreadsAndOfThoseThatTheyStart(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: the slack of another thread")
	}
	defer setSlack(keeperSlack)
	for slack, want := range map[time.Duration]string{controlSlack: "1000000", keeperSlack: "50000"} {
		if err := setSlack(slack); err != nil {
			t.Fatal(err)
		}
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			t.Fatal(err)
		}
		// More goroutines than there are threads, each with one of its own: some of those are new.
		found, done := make(chan string), make(chan struct{})
		many := len(tasks) + 4
		for range many {
			go func() {
				runtime.LockOSThread()
				b, err := os.ReadFile(fmt.Sprintf("/proc/%d/timerslack_ns", unix.Gettid()))
				if err != nil {
					b = []byte(err.Error())
				}
				found <- strings.TrimSpace(string(b))
				<-done
			}()
		}
		for range many {
			if got := <-found; got != want {
				t.Errorf("a thread has a slack of %s ns, want %s", got, want)
			}
		}
		close(done)
	}
}
