// Command bench measures VRRP of quorate and of keepalived side by side: in one run, on this machine's
// kernel, in the same kind of network. It prints tables in Markdown, with the ratio of the two.
//
//	bench [PATTERN]
//
// The parts are death (the owner's machine dies), stop (it stops in order, drains or leaves), late (how late
// adverts are each 10 ms beside a load that takes every core) and many (a thousand routers taken over at
// once). A pattern chooses some of them. Nothing is asserted but that each measurement could be made: then
// the exit status is 0.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/quorate/quorate/e2e/lab"
)

// part is one that can be run alone.
type part struct {
	name string
	run  func(*run)
}

// parts are all, in order.
func parts() []part {
	return []part{{"death", death}, {"stop", stop}, {"late", late}, {"many", many}}
}

func main() {
	lab.Child()
	flag.Parse()
	pattern, err := regexp.Compile(flag.Arg(0))
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	if lab.Inside() {
		os.Exit(inside(pattern))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	status, err := lab.BootHost(ctx, lab.Guest{Program: "/proc/self/exe", Args: os.Args[1:], NeedsBinary: true, Timeout: 2 * time.Hour})
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(max(status, 1))
	}
	os.Exit(status)
}

func inside(pattern *regexp.Regexp) (status int) {
	if _, err := exec.LookPath("keepalived"); err != nil {
		fmt.Fprintln(os.Stderr, "bench: keepalived is not installed: try `make setup`")
		return 1
	}
	fmt.Printf("# VRRP of quorate and keepalived, %s\n\n", time.Now().Format(time.DateOnly))
	fmt.Printf("- kernel %s, %d CPUs\n", first("uname", "-r"), runtime.NumCPU())
	fmt.Printf("- quorate: %s\n- %s\n", first(os.Getenv(lab.EnvBinary), "version"), first("keepalived", "--version"))
	fmt.Println("\nEchoes are a millisecond apart. A gap is between two that were answered, with a lost one between: 0 is none lost. " +
		"Rounds in which the client itself stood still are repeated. A ratio below 1 is in quorate's favour.")
	for _, p := range parts() {
		if !pattern.MatchString(p.name) {
			continue
		}
		r := &run{part: p.name}
		if !r.play(func() { p.run(r) }) {
			status = 1
		}
	}
	return status
}

// first is the first line of what a program says.
func first(argv ...string) string {
	out, _ := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}

// run is a measurement in progress: the [lab.T] of its networks.
type run struct {
	part    string
	cleanup []func()
	failed  bool
}

// over ends a measurement that cannot be made.
type over struct{}

// play runs f, and what was to be done after it. It tells whether all went well.
func (r *run) play(f func()) bool {
	defer func() {
		for i := len(r.cleanup) - 1; i >= 0; i-- {
			r.cleanup[i]()
		}
		r.cleanup = nil
	}()
	defer func() {
		if x := recover(); x != nil {
			if _, ok := x.(over); !ok {
				panic(x)
			}
		}
	}()
	f()
	return !r.failed
}

// with runs f with a network that ends with it.
func (r *run) with(f func(*run)) {
	sub := &run{part: r.part}
	if !sub.play(func() { f(sub) }) {
		r.failed = true
	}
}

// note tells what goes on, to those who wait.
func (r *run) note(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench: %s: %s\n", r.part, fmt.Sprintf(format, args...))
}

// Helper implements [lab.T].
func (r *run) Helper() {}

// Logf implements [lab.T]: the steps of a measurement are not told.
func (r *run) Logf(string, ...any) {}

// Errorf implements [lab.T].
func (r *run) Errorf(format string, args ...any) {
	r.failed = true
	r.note(format, args...)
}

// Fatalf implements [lab.T].
func (r *run) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	panic(over{})
}

// Failed implements [lab.T].
func (r *run) Failed() bool { return r.failed }

// Name implements [lab.T].
func (r *run) Name() string { return "bench-" + r.part }

// Cleanup implements [lab.T].
func (r *run) Cleanup(f func()) { r.cleanup = append(r.cleanup, f) }

// TempDir implements [lab.T].
func (r *run) TempDir() string {
	dir, err := os.MkdirTemp("", "quorate-bench-")
	if err != nil {
		r.Fatalf("temporary directory: %v", err)
	}
	r.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
