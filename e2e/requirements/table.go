package main

import (
	"fmt"
	"slices"
	"strings"
)

// A row is a requirement with the tests that show it.
type row struct {
	requirement
	tests []*test
}

// count returns how many of the row's tests ended in one of the ways.
func (r row) count(how ...status) int {
	n := 0
	for _, t := range r.tests {
		if slices.Contains(how, t.status) {
			n++
		}
	}
	return n
}

// hold gives each requirement its tests, and says what is not as it must be.
func hold(list []requirement, tests []*test) (rows []row, problems []string) {
	at := map[int]int{}
	for i, r := range list {
		rows = append(rows, row{requirement: r})
		at[r.number] = i
	}
	for _, t := range tests {
		if t.name == "" && t.bad() && !t.subFail {
			problems = append(problems, t.folder+" failed outside of its tests, or did not end")
		}
		if !t.counts() {
			continue
		}
		named := numbers(t.name)
		for _, n := range named {
			if i, ok := at[n]; ok {
				rows[i].tests = append(rows[i].tests, t)
			} else {
				problems = append(problems, fmt.Sprintf("%v: V%d is not in the list", t, n))
			}
		}
		switch {
		case len(named) > 0 && t.status == failed:
			problems = append(problems, fmt.Sprintf("%v failed", t))
		case len(named) > 0 && t.status == unfinished:
			problems = append(problems, fmt.Sprintf("%v began and did not end", t))
		}
	}
	for _, r := range rows {
		switch {
		case r.count(passed) > 0:
		case r.level != hardening:
			problems = append(problems, fmt.Sprintf("V%d (%s) has no test that passed: %s", r.number, r.level, r.sentence))
		case len(r.tests) == 0 && r.but == "":
			problems = append(problems, fmt.Sprintf("V%d (%s) has no test, and no reason for that: %s", r.number, r.level, r.sentence))
		}
	}
	return rows, problems
}

// result is what came of a row's tests, in words.
func (r row) result() string {
	switch {
	case r.count(failed, unfinished) > 0:
		return fmt.Sprintf("**failed**: %d of %d", r.count(failed, unfinished), len(r.tests))
	case len(r.tests) == 0:
		return "**no test**"
	case r.count(passed) == 0:
		return "skipped"
	case r.count(skipped) > 0:
		return fmt.Sprintf("passed; %d skipped", r.count(skipped))
	}
	return "passed"
}

// where names a row's tests: by folder, those of Go's functions, with how many of each if not one.
func (r row) where() string {
	type function struct{ folder, name string }
	var order []function
	n := map[function]int{}
	for _, t := range r.tests {
		name, _, _ := strings.Cut(t.name, "/")
		f := function{t.folder, name}
		if n[f] == 0 {
			order = append(order, f)
		}
		n[f]++
	}
	slices.SortStableFunc(order, func(a, b function) int { return strings.Compare(a.folder, b.folder) })
	var b strings.Builder
	folder := ""
	for _, f := range order {
		switch {
		case folder == "":
			b.WriteString(f.folder + ":")
		case folder != f.folder:
			b.WriteString("; " + f.folder + ":")
		default:
			b.WriteString(",")
		}
		folder = f.folder
		b.WriteString(" " + f.name)
		if n[f] > 1 {
			fmt.Fprintf(&b, " (%d)", n[f])
		}
	}
	return b.String()
}

// markdown is the page: how many of each level, and a line for each requirement.
func markdown(rows []row, date, about string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# VRRP: requirements and the tests that show them\n\n%s", date)
	if about != "" {
		b.WriteString(", " + about)
	}
	b.WriteString(`. Written by ` + "`make vrrp-table`" + ` from a run of the tests.

*Must* is what the standards ask for (RFC 9568 and 5798, and RFC 3768 for version 2), *interop* what it takes to
work beside routers of others, *hardening* what makes it harder to disturb.

| level | requirements | passed | failed | skipped | no test |
|---|---|---|---|---|---|
`)
	for _, l := range levels {
		b.WriteString(summary(string(l), rows, func(r row) bool { return r.level == l }))
	}
	b.WriteString(summary("all", rows, func(row) bool { return true }))
	b.WriteString("\n| number | requirement | level | tests | result |\n|---|---|---|---|---|\n")
	for _, r := range rows {
		sentence := r.sentence
		if r.but != "" {
			sentence += " *But:* " + r.but
		}
		fmt.Fprintf(&b, "| V%d | %s | %s | %s | %s |\n", r.number, escape(sentence), r.level, escape(r.where()), r.result())
	}
	return b.String()
}

// summary is a line of the first table.
func summary(name string, rows []row, of func(row) bool) string {
	var all, good, bad, none int
	for _, r := range rows {
		if !of(r) {
			continue
		}
		all++
		switch {
		case r.count(failed, unfinished) > 0:
			bad++
		case r.count(passed) > 0:
			good++
		case len(r.tests) == 0:
			none++
		}
	}
	return fmt.Sprintf("| %s | %d | %d | %d | %d | %d |\n", name, all, good, bad, all-good-bad-none, none)
}

// escape keeps a text in its cell, and Markdown from seeing marks in names.
func escape(text string) string {
	return strings.NewReplacer("|", `\|`, "_", `\_`).Replace(text)
}
