package main

import (
	"fmt"
	"slices"
)

// rules are what a run is held against. The maps have a reason, or "", for each test.
type rules struct {
	want  []string
	guest map[key]string
	skips map[key]string
}

// counts are the figures of a place, or of all.
type counts struct{ passed, failed, skipped int }

func (c counts) String() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped", c.passed, c.failed, c.skipped)
}

func (c *counts) add(d counts) {
	c.passed += d.passed
	c.failed += d.failed
	c.skipped += d.skipped
}

// report prints the end of the run and tells whether all is well.
func (t *tally) report(r rules) bool {
	var total counts
	var problems []string
	for _, p := range t.places {
		t.endUnfinished(p, "")
		c, elsewhere, found := t.count(p, r)
		fmt.Fprintf(t.out, "\n%s: %d tests ran: %v\n", p.name, c.passed+c.failed, c)
		if elsewhere > 0 {
			fmt.Fprintf(t.out, "  and %d that the host cannot run passed in the guest\n", elsewhere)
		}
		t.printSkips(p, r)
		total.add(c)
		problems = append(problems, found...)
	}
	more := t.missing(r)
	total.failed += len(more)
	problems = append(problems, more...)
	if len(problems) > 0 {
		fmt.Fprintln(t.out, "\nFAILED:")
	}
	for _, line := range problems {
		fmt.Fprintln(t.out, "  "+line)
	}
	fmt.Fprintf(t.out, "\n%v\n", total)
	return total.failed == 0 && len(problems) == 0
}

// count returns the figures of a place, how many of its skips passed in the guest, and a line for each
// failure. Every failure that it counts has a line.
func (t *tally) count(p *place, r rules) (c counts, elsewhere int, problems []string) {
	fail := func(format string, args ...any) {
		c.failed++
		problems = append(problems, p.name+": "+fmt.Sprintf(format, args...))
	}
	for _, k := range p.order {
		x := p.tests[k]
		switch {
		case x.status == failed && !x.subFail:
			fail("%v failed", k)
		case x.status == skipped && p.name == guest:
			fail("%v was skipped: %s; in the guest nothing may be", k, x.reason)
		case x.status == skipped && t.passedInGuest(p, k):
			elsewhere++
		case x.status == skipped && !has(r.skips, k):
			fail("%v was skipped: %s; that is not in the list of allowed skips", k, x.reason)
		case x.status == skipped:
			c.skipped++
		case x.status == passed && !x.subs:
			c.passed++
		}
	}
	for _, folder := range sortedKeys(p.packages) {
		x := p.packages[folder]
		switch {
		case x.status == unfinished:
			fail("%s began and did not end", folder)
		case x.status == failed && !p.anyFailed(folder):
			fail("%s failed outside of its tests", folder)
		}
	}
	if i := slices.IndexFunc(p.exits, func(n int) bool { return n != 0 }); i >= 0 && c.failed == 0 {
		fail("go test ended with status %d, though no test failed", p.exits[i])
	}
	return c, elsewhere, problems
}

// passedInGuest tells whether a test that p skipped passed in the guest.
func (t *tally) passedInGuest(p *place, k key) bool {
	for _, g := range t.places {
		if g != p && g.name == guest && g.tests[k] != nil && g.tests[k].status == passed {
			return true
		}
	}
	return false
}

func (p *place) anyFailed(folder string) bool {
	return slices.ContainsFunc(p.order, func(k key) bool { return k.folder == folder && p.tests[k].status == failed })
}

// missing returns a line for each place that is wanted and did not run, and for each difference between
// the tests that ran in the guest and their list.
func (t *tally) missing(r rules) []string {
	var lines []string
	for _, name := range r.want {
		if p := t.place(name); len(p.order) == 0 {
			lines = append(lines, name+": no test ran")
		}
	}
	if r.guest == nil || !slices.Contains(r.want, guest) {
		return lines
	}
	p := t.place(guest)
	for _, k := range sortedList(r.guest) {
		if p.tests[k] == nil {
			lines = append(lines, fmt.Sprintf("guest: %v is on the list of guest tests and did not run", k))
		}
	}
	for _, k := range p.topLevel() {
		if !has(r.guest, k) {
			lines = append(lines, fmt.Sprintf("guest: %v is not on the list of guest tests: run `make list-update`", k))
		}
	}
	return lines
}

// printSkips names the skips of a place with their reasons.
func (t *tally) printSkips(p *place, r rules) {
	for _, k := range p.order {
		x := p.tests[k]
		if x.status != skipped || t.passedInGuest(p, k) {
			continue
		}
		fmt.Fprintf(t.out, "  skipped %v: %s\n", k, x.reason)
		if why := r.skips[k]; why != "" {
			fmt.Fprintf(t.out, "    allowed: %s\n", why)
		}
	}
}

// topLevel returns the tests of a place that are no subtests.
func (p *place) topLevel() []key {
	var keys []key
	for _, k := range p.order {
		if _, sub := k.parent(); !sub {
			keys = append(keys, k)
		}
	}
	return keys
}
