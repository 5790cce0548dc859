package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// An event is a line of `go test -json`, see `go doc test2json`.
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
	Elapsed float64
}

// A test is what a run tells of one test.
type test struct {
	name    string
	subs    bool // it has subtests
	outcome string
	took    time.Duration
	figures
}

// figures are the worst that one test printed, and the sums of what it counted.
type figures struct {
	probes, lost     int
	gap              time.Duration // without an answer to a probe
	watched          bool          // somebody looked who has the address
	several, nobody  time.Duration
	requests, failed int
	conns, broken    int
	slowest          time.Duration // answer to a request, or on a connection
}

// A run is all tests of a stream, in the order in which they began, and what the rounds did.
type run struct {
	order []*test
	tests map[string]*test
	acts  []string // in the order in which they were first done
	done  map[string]*act
}

// An act is something that is done on purpose, over all rounds.
type act struct {
	rounds map[string]bool
	figures
}

// read takes a stream, and passes on what the tests printed.
func read(in io.Reader, echo io.Writer) (*run, error) {
	r := &run{tests: map[string]*test{}, done: map[string]*act{}}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var ev event
		if json.Unmarshal(lines.Bytes(), &ev) != nil {
			fmt.Fprintln(echo, lines.Text()) // of a build
			continue
		}
		if ev.Output != "" {
			fmt.Fprint(echo, ev.Output)
		}
		r.take(ev)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the tests' stream: %w", err)
	}
	return r, nil
}

func (r *run) take(ev event) {
	if ev.Test == "" && ev.Action != "fail" {
		return
	}
	name := ev.Test
	if name == "" {
		name = ev.Package // it did not build, or a test of it failed
	}
	t := r.tests[name]
	if t == nil {
		t = &test{name: name}
		r.tests[name], r.order = t, append(r.order, t)
		for i, c := range name {
			if p := r.tests[name[:i]]; c == '/' && p != nil {
				p.subs = true
			}
		}
	}
	switch ev.Action {
	case "output":
		t.read(ev.Output)
		r.readAct(ev.Output)
	case "pass", "fail", "skip":
		t.outcome, t.took = ev.Action, time.Duration(ev.Elapsed*float64(time.Second))
	}
}

// failed names the tests that failed or came to no end.
func (r *run) failed() error {
	var errs []error
	for _, t := range r.order {
		if t.outcome != "pass" {
			errs = append(errs, fmt.Errorf("%s: %s", t.name, orUnfinished(t.outcome)))
		}
	}
	if len(r.order) == 0 {
		errs = append(errs, errors.New("no test ran"))
	}
	return errors.Join(errs...)
}

func orUnfinished(outcome string) string {
	if outcome == "" {
		return "unfinished"
	}
	return outcome
}

// What the lab prints of its measurements.
var (
	probes   = regexp.MustCompile(`(\d+) sent, (\d+) lost, longest gap (\S+) \(`)
	owners   = regexp.MustCompile(`more than one for (\S+), nobody for (\S+) \(`)
	requests = regexp.MustCompile(`(\d+) requests, (\d+) failed, .*slowest ([^,\s]+)`)
	conns    = regexp.MustCompile(`(\d+) connections, (\d+) broken, longest wait (\S+)`)
	inRound  = regexp.MustCompile(`(round \d+), ([a-z ]+): (?:requests|young connections): \d`)
	oldOnes  = regexp.MustCompile(`: (old connections): \d`)
)

// read adds what a line says.
func (f *figures) read(line string) {
	if m := probes.FindStringSubmatch(line); m != nil {
		f.probes, f.lost, f.gap = f.probes+number(m[1]), f.lost+number(m[2]), max(f.gap, length(m[3]))
	}
	if m := owners.FindStringSubmatch(line); m != nil {
		f.watched, f.several, f.nobody = true, max(f.several, length(m[1])), max(f.nobody, length(m[2]))
	}
	if m := requests.FindStringSubmatch(line); m != nil {
		f.requests, f.failed, f.slowest = f.requests+number(m[1]), f.failed+number(m[2]), max(f.slowest, length(m[3]))
	}
	if m := conns.FindStringSubmatch(line); m != nil {
		f.conns, f.broken, f.slowest = f.conns+number(m[1]), f.broken+number(m[2]), max(f.slowest, length(m[3]))
	}
}

// readAct adds a line to the act that it is about. What failed is printed once more, as the failure.
func (r *run) readAct(line string) {
	name, round := "", ""
	if m := inRound.FindStringSubmatch(line); m != nil {
		round, name = m[1], m[2]
	} else if m := oldOnes.FindStringSubmatch(line); m != nil {
		name = m[1]
	} else {
		return
	}
	a := r.done[name]
	if a == nil {
		a = &act{rounds: map[string]bool{}}
		r.done[name], r.acts = a, append(r.acts, name)
	}
	if round != "" {
		a.rounds[round] = true
	}
	a.read(line)
}

func number(s string) int {
	n, _ := strconv.Atoi(s) // the pattern has digits alone
	return n
}

func length(s string) time.Duration {
	d, _ := time.ParseDuration(strings.TrimSuffix(s, ",")) // what was printed is one
	return d
}
