package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

const module = "github.com/quorate/quorate/"

// An event is a line of `go test -json`, see `go doc test2json`.
type event struct {
	Action  string
	Package string
	Test    string
}

// A status is how a test ended.
type status int

const (
	unfinished status = iota
	passed
	failed
	skipped
)

// A test is what is known of one test, or of a package as a whole: then name is empty.
type test struct {
	folder, name string
	status       status
	subs         bool // it has subtests
	subFail      bool // one of them failed
}

func (t *test) String() string { return strings.TrimSpace(t.folder + " " + t.name) }

// read takes all events of a stream, and returns the tests in the order in which they began. Lines that
// are no events are passed over: what a build writes is not what counts, but that its package fails.
func read(in io.Reader) ([]*test, error) {
	var order []*test
	known := map[[2]string]*test{}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var ev event
		if json.Unmarshal(lines.Bytes(), &ev) != nil || ev.Package == "" {
			continue
		}
		id := [2]string{strings.TrimPrefix(ev.Package, module), ev.Test}
		t := known[id]
		if t == nil {
			t = &test{folder: id[0], name: id[1]}
			known[id] = t
			order = append(order, t)
			t.parents(known, func(p *test) { p.subs = true })
		}
		switch ev.Action {
		case "pass":
			t.end(passed)
		case "skip":
			t.end(skipped)
		case "fail":
			t.end(failed)
			t.parents(known, func(p *test) { p.subFail = true })
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the tests' stream: %w", err)
	}
	return order, nil
}

// parents calls f with each test that t is a subtest of. A name may have slashes of its own, so that what
// is before one need not be a test.
func (t *test) parents(known map[[2]string]*test, f func(*test)) {
	for i, c := range t.name {
		if p := known[[2]string{t.folder, t.name[:i]}]; c == '/' && p != nil {
			f(p)
		}
	}
	if p := known[[2]string{t.folder, ""}]; p != nil && t.name != "" {
		f(p)
	}
}

// end notes how a test ended. What failed once, stays so.
func (t *test) end(s status) {
	if t.status != failed {
		t.status = s
	}
}

// counts tells whether a test is counted itself, not as its subtests: if it has none, or did not end well
// beside them.
func (t *test) counts() bool {
	return t.name != "" && (!t.subs || t.bad() && !t.subFail)
}

func (t *test) bad() bool { return t.status == failed || t.status == unfinished }
