package main

import (
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestTheTimerSlackIsThatOfAllThreadsAndOfThoseThatTheyStart(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: the slack of another thread")
	}
	all := func() (got []string) {
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			t.Fatal(err)
		}
		for _, task := range tasks {
			if b, err := os.ReadFile("/proc/" + task.Name() + "/timerslack_ns"); err == nil {
				got = append(got, strings.TrimSpace(string(b)))
			}
		}
		return got
	}
	defer setSlack(keeperSlack)
	for slack, want := range map[time.Duration]string{controlSlack: "1000000", keeperSlack: "50000"} {
		if err := setSlack(slack); err != nil {
			t.Fatal(err)
		}
		before := len(all())
		done := make(chan struct{})
		for range before + 4 { // more than there can be idle ones
			go func() { runtime.LockOSThread(); <-done }() // a thread of its own, and never back
		}
		for range 1000 {
			if len(all()) >= before+4 {
				break
			}
			time.Sleep(time.Millisecond)
		}
		got := all()
		close(done)
		if len(got) <= before {
			t.Fatalf("%d threads, as before", len(got))
		}
		for _, g := range got {
			if g != want {
				t.Errorf("a thread has a slack of %s ns, want %s", g, want)
			}
		}
	}
}
