package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// stage is where the story is told: it prints, collects figures, and is the [lab.T] that the network
// is built on.
type stage struct {
	out     io.Writer
	begin   time.Time
	cleanup []func()
	failed  bool
	scene   string
	figures []figure
}

// figure is a scene's line of the summary.
type figure struct {
	scene      string
	sent, lost int
	gap        time.Duration
	holds      bool
	note       string
}

// curtain ends the story early: a scene that others stand on did not hold.
type curtain struct{}

func newStage(out io.Writer) *stage { return &stage{out: out, begin: time.Now()} }

// play runs a story and everything that was to be done after it. It returns the exit status.
func (s *stage) play(story func()) (status int) {
	defer func() {
		for i := len(s.cleanup) - 1; i >= 0; i-- {
			s.cleanup[i]()
		}
		if s.failed {
			status = 1
		}
	}()
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(curtain); !ok {
				panic(r)
			}
		}
	}()
	story()
	return 0
}

// act begins a scene.
func (s *stage) act(title string) {
	s.scene = title
	fmt.Fprintf(s.out, "\n=== %s  [%.1f s]\n", title, time.Since(s.begin).Seconds())
}

// say tells what happens.
func (s *stage) say(format string, args ...any) {
	for line := range strings.Lines(fmt.Sprintf(format, args...)) {
		fmt.Fprintf(s.out, "    %s\n", strings.TrimRight(line, "\n"))
	}
}

// shell shows a command as a person would type it on a host, and what it answered.
func (s *stage) shell(host, command, answer string) {
	fmt.Fprintf(s.out, "    %s# %s\n", host, command)
	for line := range strings.Lines(strings.TrimSpace(answer)) {
		fmt.Fprintf(s.out, "      %s\n", strings.TrimRight(line, "\n"))
	}
}

// holds records whether what the scene is about is true.
func (s *stage) holds(ok bool, format string, args ...any) bool {
	mark := "ok  "
	if !ok {
		mark, s.failed = "FAIL", true
	}
	fmt.Fprintf(s.out, "    %s %s\n", mark, fmt.Sprintf(format, args...))
	return ok
}

// Helper implements [lab.T].
func (s *stage) Helper() {}

// Logf implements [lab.T].
func (s *stage) Logf(format string, args ...any) { s.say(format, args...) }

// Errorf implements [lab.T].
func (s *stage) Errorf(format string, args ...any) { s.holds(false, format, args...) }

// Fatalf implements [lab.T]: the story ends.
func (s *stage) Fatalf(format string, args ...any) {
	s.holds(false, format, args...)
	panic(curtain{})
}

// Failed implements [lab.T].
func (s *stage) Failed() bool { return s.failed }

// Name implements [lab.T].
func (s *stage) Name() string { return "demo" }

// Cleanup implements [lab.T].
func (s *stage) Cleanup(f func()) { s.cleanup = append(s.cleanup, f) }

// TempDir implements [lab.T].
func (s *stage) TempDir() string {
	dir, err := os.MkdirTemp("", "quorate-demo-")
	if err != nil {
		s.Fatalf("temporary directory: %v", err)
	}
	s.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
