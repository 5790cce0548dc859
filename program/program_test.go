package program

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/program/programtest"
)

func unprivileged(t *testing.T) User {
	t.Helper()
	u, err := UserFor("")
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func newProgram(t *testing.T, c Command) *Program {
	t.Helper()
	c.User = unprivileged(t)
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// processes returns the processes that are not dead and whose command line names the program.
func processes(name string) (pids []string) {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline") // of the dead it is empty
	for _, f := range files {
		if line, err := os.ReadFile(f); err == nil && bytes.Contains(line, []byte(name)) {
			pids = append(pids, filepath.Base(filepath.Dir(f)))
		}
	}
	return pids
}

func wantNoneOf(t *testing.T, name string) {
	t.Helper()
	var left []string
	for range 100 {
		if left = processes(name); len(left) == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("still running: %v", left)
}

func TestARunEndsWithAnOutcomeAndItsWords(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, body, words string
		tail, ok          bool
	}{
		{"success", "echo fine", "exit status 0: fine", false, true},
		{"failure", "echo said; echo why >&2; exit 3", "exit status 3: why", false, false},
		{"a signal", "kill -9 $$", "killed by signal 9 (killed)", false, false},
		{"the beginning is kept", "yes first | head -n 2000; yes last | head -n 2000; exit 1", "exit status 1: first", false, false},
		{"the end is kept", "yes first | head -n 2000; yes last | head -n 2000; exit 1", "exit status 1: last", true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o, err := newProgram(t, Command{Argv: []string{programtest.Shell(t, tt.body)}, Tail: tt.tail}).Run(t.Context())
			// the end begins inside a line
			words := strings.Replace(o.Words(), ": ast", ": last", 1)
			if err != nil || o.OK() != tt.ok || words != tt.words {
				t.Errorf("%v %q, %v; want %v %q", o.OK(), words, err, tt.ok, tt.words)
			}
			if len(o.Stdout) > maxOutput || len(o.Stderr) > maxOutput {
				t.Errorf("%d and %d bytes were kept", len(o.Stdout), len(o.Stderr))
			}
		})
	}
}

func TestAProgramRunsOnceAtATime(t *testing.T) {
	t.Parallel()
	p := newProgram(t, Command{Argv: []string{programtest.Shell(t, "sleep 97")}})
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error)
	go func() {
		_, err := p.Run(ctx)
		first <- err
	}()
	for range 1000 {
		select {
		case <-p.Gone():
			time.Sleep(time.Millisecond)
			continue
		default:
		}
		break
	}
	if _, err := p.Run(t.Context()); !errors.Is(err, ErrBusy) {
		t.Errorf("a second run beside the first: %v, want %v", err, ErrBusy)
	}
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("the first run: %v, want %v", err, context.Canceled)
	}
	<-p.Gone()
}

func TestAForkBombIsContained(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: the limit is of the user whom programs run as")
	}
	u := User{Name: "bomber", UID: 60987, GID: 60987} // nobody else's processes count against its limit
	const limit = 24
	// It doubles eight times and no more: nothing here may outgrow the machine, limit or not. A bash that
	// may not fork waits and tries again, for longer than this test takes, where other shells give up.
	name := filepath.Join(programtest.Dir(t), "bomb")
	programtest.Executable(t, name, []byte(`#!/bin/bash
f() { [ "$1" -lt 8 ] && { f $(($1+1)) & f $(($1+1)) & }; exec sleep 97; }
f 0
`))
	p, err := New(Command{Argv: []string{name}, User: u, Processes: limit})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := p.Run(ctx)
		ended <- err
	}()
	most := 0
	for range 1000 { // until it is stopped by the limit
		if most = max(most, owned(u.UID)); most >= limit {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	for range 10 { // and then it stays there
		time.Sleep(10 * time.Millisecond)
		most = max(most, owned(u.UID))
	}
	if most != limit {
		t.Errorf("it had %d processes at most, want %d", most, limit)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v, want %v", err, context.Canceled)
	}
	<-p.Gone()
	wantNoneOf(t, name)
	if left := owned(u.UID); left != 0 {
		t.Errorf("%d processes are left", left)
	}
}

// owned counts the processes of a user, the dead left out.
func owned(uid uint32) (n int) {
	files, _ := filepath.Glob("/proc/[0-9]*/status")
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err == nil && strings.Contains(string(text), fmt.Sprintf("\nUid:\t%d\t", uid)) && !strings.Contains(string(text), "\nState:\tZ") {
			n++
		}
	}
	return n
}
