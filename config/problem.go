package config

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// maxProblems bounds what one input can make quorate say; beyond it a last problem says that there is more.
const maxProblems = 1000

// maxFindings bounds what is kept of them before they are sorted.
const maxFindings = 20 * maxProblems

// Problem is one thing that is wrong, or, if it is a warning, likely to be not what was meant.
type Problem struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`   // from 1; 0 where there is no file, or the whole of it is meant
	Column  int    `json:"column,omitempty"` // from 1, in characters as an editor counts them
	Path    string `json:"path,omitempty"`   // the same place in the model: services["web"].servers[0].weight
	Each    string `json:"each,omitempty"`   // the elements of for_each that it is about
	Warning bool   `json:"warning,omitempty"`
	Text    string `json:"text"`           // what is wrong
	Hint    string `json:"hint,omitempty"` // what would be right
}

// String returns the problem as one line: place, severity, text and hint.
func (p Problem) String() string {
	var b strings.Builder
	switch {
	case p.File != "" && p.Line > 0:
		fmt.Fprintf(&b, "%s:%d:%d: ", p.File, p.Line, p.Column)
	case p.File != "":
		b.WriteString(p.File + ": ")
	case p.Path != "":
		b.WriteString(p.Path + ": ")
	}
	if p.Warning {
		b.WriteString("warning: ")
	} else {
		b.WriteString("error: ")
	}
	b.WriteString(p.Text)
	if p.Each != "" {
		b.WriteString(" [" + p.Each + "]")
	}
	if p.Hint != "" {
		b.WriteString(" (" + p.Hint + ")")
	}
	return b.String()
}

// Problems are all that is wrong with one input: the errors, and behind them the warnings, each in the order of their places.
type Problems []Problem

// Errors returns the problems that are not warnings.
func (p Problems) Errors() Problems { return p.only(false) }

// Warnings returns the problems with which the input is still good.
func (p Problems) Warnings() Problems { return p.only(true) }

// ErrorsFirst returns the problems, which several may have found, in the order in which they are told: never nil, which is null in JSON.
func (p Problems) ErrorsFirst() Problems {
	return append(append(Problems{}, p.Errors()...), p.Warnings()...)
}

// sure returns the findings without the warnings that may be there only because of an error: those about a thing with an
// error in it, and those that something is missing elsewhere if anything but a service has an error.
func sure(found []finding, errors Problems) []finding {
	broken, whole := map[string]bool{}, true
	for _, problem := range errors {
		thing := topOf(problem.Path)
		broken[thing] = true
		whole = whole && strings.HasPrefix(thing, "services[")
	}
	return slices.DeleteFunc(slices.Clone(found), func(w finding) bool {
		return w.Warning && (broken[topOf(w.Path)] || !whole && w.elsewhere)
	})
}

// topOf returns the path of the router, sync group, service or track that a path leads into.
func topOf(path string) string {
	if i := strings.Index(path, "]"); i >= 0 {
		return path[:i+1]
	}
	return path
}

// pathWords are how people call the maps of the model.
var pathWords = map[string]string{"routers": "router", "sync_groups": "sync_group", "services": "service", "tracks": "track", "groups": "group"}

// told writes a path of the model in words: addresses of router "web".
func told(path string) string {
	kind, rest, ok := strings.Cut(path, "[")
	name, field, closed := strings.Cut(rest, "]")
	if pathWords[kind] == "" || !ok || !closed {
		return path
	}
	thing := pathWords[kind] + " " + name
	if field = pathIndex().ReplaceAllString(strings.TrimPrefix(field, "."), ""); field == "" {
		return thing
	}
	return field + " of " + thing
}

// pathIndex is a place in a list, as paths have it.
var pathIndex = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\[\d+\]`)
})

func (p Problems) only(warning bool) Problems {
	var some Problems
	for _, problem := range p {
		if problem.Warning == warning {
			some = append(some, problem)
		}
	}
	return some
}

// Err returns nil if there are only warnings, else an [*InvalidError] with the errors.
func (p Problems) Err() error {
	if errs := p.Errors(); len(errs) > 0 {
		return &InvalidError{Problems: errs}
	}
	return nil
}

// InvalidError means that an input cannot be used. Callers that answer with the places need its field.
type InvalidError struct{ Problems Problems }

// Error implements error: one line for each problem.
func (e *InvalidError) Error() string { return strings.TrimSuffix(e.Problems.String(), "\n") }

// finding is a problem before its place is known.
type finding struct {
	Problem
	see       string // path of the other place that it is about; the hint says where that is
	elsewhere bool   // it says that something is missing in the rest of the model
	sort      string // the same for findings that differ in names and numbers only
}

// sortProblems puts problems in order, errors first, drops duplicates, and cuts the list at maxProblems. More is how many errors
// there are that are not in the list. A list of warnings that is cut stays one of warnings.
func sortProblems(p Problems, more int) Problems {
	rank := map[bool]int{true: 1} // of a warning
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(rank[a.Warning], rank[b.Warning]), cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Text, b.Text))
	})
	p = slices.Compact(p)
	if more+len(p) <= maxProblems {
		return p
	}
	kept := min(len(p), maxProblems)
	rest := p[kept:]
	return append(p[:kept:kept], Problem{
		File: p[0].File, Text: fmt.Sprintf("%d more problems", more+len(rest)), Hint: "put these right first",
		Warning: more == 0 && rest[0].Warning,
	})
}
