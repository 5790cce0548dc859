package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const module = "github.com/quorate/quorate/"

// The place whose tests are held against a list.
const guest = "guest"

// An event is a line of `go test -json`, see `go doc test2json`.
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
	Elapsed float64
}

// A status is how a test ended.
type status int

const (
	unfinished status = iota
	passed
	failed
	skipped
)

// A key names a test: its package's folder in the module, and its name.
type key struct{ folder, test string }

func (k key) String() string {
	if k.test == "" {
		return k.folder
	}
	return k.folder + " " + k.test
}

// parent is the key of the test that k is a subtest of.
func (k key) parent() (key, bool) {
	i := strings.LastIndexByte(k.test, '/')
	if i < 0 {
		return key{}, false
	}
	return key{k.folder, k.test[:i]}, true
}

// A test is what is known of one test in one place, or of a package as a whole.
type test struct {
	status  status
	reason  string   // of a skip
	output  []string // until it has ended well
	subs    bool     // it has subtests
	subFail bool     // one of them failed
}

// A place is one of the environments that the tests run in.
type place struct {
	name     string
	tests    map[key]*test
	order    []key
	packages map[string]*test
	exits    []int
}

// tally is the reader's state. It is fed lines, and prints as it goes.
type tally struct {
	out    io.Writer
	places []*place
}

func newTally(out io.Writer) *tally { return &tally{out: out} }

// place returns the place of that name, which it makes if it is new.
func (t *tally) place(name string) *place {
	for _, p := range t.places {
		if p.name == name {
			return p
		}
	}
	p := &place{name: name, tests: map[key]*test{}, packages: map[string]*test{}}
	t.places = append(t.places, p)
	return p
}

// quiet is how long nothing may be heard before tally says what is running.
const quiet = 30 * time.Second

// read takes all lines of a stream.
func (t *tally) read(in io.Reader) error {
	lines := make(chan string)
	var readErr error // of the goroutine, until it closes lines
	go func() {       // ends with the stream
		defer close(lines)
		r := bufio.NewReader(in)
		for readErr == nil {
			var line string
			if line, readErr = r.ReadString('\n'); line != "" {
				lines <- line
			}
		}
	}()
	var p *place
	silence := time.NewTimer(quiet)
	defer silence.Stop()
	for {
		select {
		case line, ok := <-lines:
			if !ok && readErr != io.EOF {
				return fmt.Errorf("read the tests' stream: %w", readErr)
			}
			if !ok {
				return nil
			}
			p = t.line(p, strings.TrimRight(line, "\r\n"))
		case <-silence.C:
			t.printRunning(p)
		}
		silence.Reset(quiet)
	}
}

// printRunning names the tests of a place that have begun and not ended.
func (t *tally) printRunning(p *place) {
	if p == nil {
		return
	}
	for _, k := range p.order {
		if x := p.tests[k]; x.status == unfinished && !x.subs {
			fmt.Fprintf(t.out, "      ...  %v is running\n", k)
		}
	}
}

// line takes one line that came from p, and returns the place that the next one comes from. A line that
// is no event and no mark is passed through.
func (t *tally) line(p *place, line string) *place {
	if line == "" {
		return p
	}
	if name, ok := strings.CutPrefix(line, "place "); ok {
		fmt.Fprintf(t.out, "== %s\n", name)
		return t.place(name)
	}
	if p == nil {
		p = t.place("host")
	}
	if code, ok := strings.CutPrefix(line, "exit "); ok {
		if n, err := strconv.Atoi(code); err == nil {
			p.exits = append(p.exits, n)
			return p
		}
	}
	var ev event
	if !strings.HasPrefix(line, "{") || json.Unmarshal([]byte(line), &ev) != nil || ev.Action == "" {
		fmt.Fprintln(t.out, line)
		return p
	}
	t.event(p, ev)
	return p
}

func (t *tally) event(p *place, ev event) {
	folder := strings.TrimPrefix(ev.Package, module)
	switch {
	case ev.Action == "build-output":
		fmt.Fprint(t.out, ev.Output)
	case ev.Package == "":
	case ev.Test == "":
		t.packageEvent(p, folder, ev)
	default:
		t.testEvent(p, key{folder, ev.Test}, ev)
	}
}

// testEvent takes an event of one test.
func (t *tally) testEvent(p *place, k key, ev event) {
	x := p.test(k)
	switch ev.Action {
	case "output":
		x.output = append(x.output, strings.TrimRight(ev.Output, "\r\n"))
	case "pass":
		p.end(k, passed)
	case "skip":
		x.reason = reason(x.output)
		p.end(k, skipped)
	case "fail":
		fmt.Fprintf(t.out, "%s\n", strings.Join(x.output, "\n"))
		p.end(k, failed)
	default:
		return
	}
	if _, sub := k.parent(); p.name == guest && !sub && x.status != unfinished {
		fmt.Fprintf(t.out, "      %-4s %s (%s)\n", x.status, k.test, seconds(ev.Elapsed))
	}
}

// packageEvent takes an event of a package as a whole.
func (t *tally) packageEvent(p *place, folder string, ev event) {
	x, ok := p.packages[folder]
	if !ok {
		x = &test{}
		p.packages[folder] = x
	}
	switch ev.Action {
	case "output":
		x.output = append(x.output, strings.TrimRight(ev.Output, "\r\n"))
	case "pass", "skip":
		x.status = passed
		t.endUnfinished(p, folder)
		if ev.Action == "pass" && p.ran(folder) {
			fmt.Fprintf(t.out, "ok    %s (%s)\n", folder, seconds(ev.Elapsed))
		} else {
			fmt.Fprintf(t.out, "      %s has no tests here\n", folder)
		}
		x.output = nil
	case "fail":
		x.status = failed
		t.endUnfinished(p, folder)
		fmt.Fprintf(t.out, "%s\nFAIL  %s (%s)\n", strings.Join(x.output, "\n"), folder, seconds(ev.Elapsed))
		x.output = nil
	}
}

// endUnfinished fails the tests of a package, or of all if it is "", that began and have not ended.
func (t *tally) endUnfinished(p *place, folder string) {
	for _, k := range slices.Backward(p.order) {
		if x := p.tests[k]; (folder == "" || k.folder == folder) && x.status == unfinished {
			fmt.Fprintf(t.out, "%s\n--- FAIL: %s began and did not end\n", strings.Join(x.output, "\n"), k.test)
			p.end(k, failed)
		}
	}
}

func (p *place) test(k key) *test {
	x, ok := p.tests[k]
	if !ok {
		x = &test{}
		p.tests[k] = x
		p.order = append(p.order, k)
		if parent, ok := k.parent(); ok && p.tests[parent] != nil {
			p.tests[parent].subs = true
		}
	}
	return x
}

// end notes how a test ended, and forgets its output. What is known once as failed stays so.
func (p *place) end(k key, s status) {
	x := p.test(k)
	x.output = nil
	if x.status == failed {
		return
	}
	x.status = s
	if parent, ok := k.parent(); ok && s == failed && p.tests[parent] != nil {
		p.tests[parent].subFail = true
	}
}

// ran tells whether any test of the package began.
func (p *place) ran(folder string) bool {
	return slices.ContainsFunc(p.order, func(k key) bool { return k.folder == folder })
}

func (s status) String() string {
	return [...]string{"unfinished", "ok", "FAIL", "skip"}[s]
}

func seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(10 * time.Millisecond).String()
}

var location = regexp.MustCompile(`^\s+[\w.-]+\.go:\d+: `)

// reason finds in a skipped test's output what it said last.
func reason(output []string) string {
	var last []string
	for _, line := range output {
		at := location.FindString(line)
		switch {
		case at != "":
			last = []string{line[len(at):]}
		case len(last) > 0 && strings.HasPrefix(line, "        "):
			last = append(last, strings.TrimSpace(line))
		}
	}
	return strings.Join(last, " ")
}
