// Command bench measures quorate and keepalived side by side: in one run, on this machine's kernel, in the
// same kind of network. It prints tables in Markdown, with the ratio of the two.
//
//	bench [-busy DURATION] vrrp|ownership|config [PATTERN]
//	bench -merge PAGE vrrp|ownership|config RUN
//
// The second brings what a run printed into a page of results, and keeps there what that run did not measure.
//
// The parts of vrrp are death (the owner's machine dies), stop (it stops in order, drains or leaves), late
// (how late adverts are each 10 ms beside a load that takes every core) and many (a thousand routers taken
// over at once). Those of ownership are of a cluster, at its default settings: death, move (planned), agent
// (its processes are killed and frozen), idle (what they cost) and busy (every core is, and nothing should
// move). Those of config are of a configuration of 100,000 real servers: kernels (until every director's
// IPVS has a change), which runs in a guest and so not together with another, read (and validate a file), processes (until
// every member's state has a change, where a process and a look at the clock cost what they do on a real machine) and
// states, which prints what `go test -bench` has measured.
// A pattern chooses some of them. Nothing is asserted but that each measurement could be made: then the
// exit status is 0.
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
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/quorate/quorate/e2e/lab"
)

// part is one that can be run alone.
type part struct {
	name string
	run  func(*run)
	ipvs bool // it needs a kernel that has it
}

// subject is what parts have in common.
type subject struct {
	title string
	about string // how it was measured
	parts []part // in order
}

// chosen are the parts that a pattern names.
func (s subject) chosen(pattern *regexp.Regexp) []part {
	return slices.DeleteFunc(slices.Clone(s.parts), func(p part) bool { return !pattern.MatchString(p.name) })
}

// echoes is how subjects are measured that a client sees.
const echoes = "Echoes are a millisecond apart. A gap is between two that were answered, with a lost one between: 0 is none lost. " +
	"Rounds in which the client itself stood still are repeated. A ratio below 1 is in quorate's favour."

func subjects() map[string]subject {
	return map[string]subject{
		"vrrp": {"VRRP", echoes, []part{{name: "death", run: death}, {name: "stop", run: stop}, {name: "late", run: late}, {name: "many", run: many}}},
		"ownership": {"Ownership of an address", echoes, []part{
			{name: "death", run: machine}, {name: "move", run: planned}, {name: "agent", run: agent}, {name: "idle", run: idle}, {name: "busy", run: busy},
		}},
		"config": {"One configuration", sizes, []part{{name: "kernels", run: kernels, ipvs: true}, {name: "read", run: read}, {name: "processes", run: processes}, {name: "states", run: states}}},
	}
}

var (
	busyFor   = flag.Duration("busy", 10*time.Minute, "how long every core is kept busy")
	mergeInto = flag.String("merge", "", "page of results that a run is brought into")
)

func main() {
	lab.Child()
	flag.Parse()
	what, ok := subjects()[flag.Arg(0)]
	if ok && *mergeInto != "" {
		if err := merge(what, *mergeInto, flag.Arg(1)); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	pattern, err := regexp.Compile(flag.Arg(1))
	if err != nil || !ok {
		fmt.Fprintln(os.Stderr, "usage: bench [-busy DURATION] vrrp|ownership|config [PATTERN]", err)
		os.Exit(2)
	}
	if lab.Inside() {
		os.Exit(inside(what, pattern))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	boot, guest := lab.BootHost, lab.Guest{Program: "/proc/self/exe", Args: os.Args[1:], NeedsBinary: true, Timeout: 2 * time.Hour}
	if slices.ContainsFunc(what.chosen(pattern), func(p part) bool { return p.ipvs }) {
		boot, guest.Memory = lab.Boot, guestMemory
	}
	status, err := boot(ctx, guest)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(max(status, 1))
	}
	os.Exit(status)
}

func inside(what subject, pattern *regexp.Regexp) (status int) {
	if _, err := exec.LookPath("keepalived"); err != nil {
		fmt.Fprintln(os.Stderr, "bench: keepalived is not installed: try `make setup`")
		return 1
	}
	day, version := time.Now().Format(time.DateOnly), first(program(), "version")
	fmt.Printf("# %s, quorate and keepalived\n\n", what.title)
	fmt.Printf("- kernel %s, %d CPUs\n", first("uname", "-r"), runtime.NumCPU())
	fmt.Printf("- %s\n", first("keepalived", "--version"))
	fmt.Println("\n" + what.about + " Each part says when it was measured, and how busy the machine was with other things.")
	for _, p := range what.chosen(pattern) {
		before := load()
		fmt.Printf("\n%s\n", marked(p.name))
		r := &run{part: p.name}
		if !r.play(func() { p.run(r) }) {
			status = 1
		}
		fmt.Printf("\nMeasured on %s with %s, kernel %s. The machine's load average before: %s, after: %s.\n", day, version, first("uname", "-r"), before, load())
	}
	return status
}

// load is the machine's load average of the last minute.
func load() string {
	text, _ := os.ReadFile("/proc/loadavg")
	one, _, _ := strings.Cut(string(text), " ")
	return one
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
