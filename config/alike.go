package config

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
)

const (
	maxAlike = 3  // warnings of one kind that people are told whole
	maxNamed = 10 // things that the line about the others names
)

// String returns the problems as people read them, a line for each. Of many warnings of one kind the first are whole, and
// behind the last of these a line says how many more there are, and of what.
func (p Problems) String() string {
	alike := make(map[string]Problems)
	for _, w := range p.Warnings() {
		alike[w.kind()] = append(alike[w.kind()], w)
	}
	var b strings.Builder
	told := make(map[string]int)
	for _, problem := range p {
		if !problem.Warning {
			fmt.Fprintln(&b, problem)
			continue
		}
		kind := problem.kind()
		if told[kind]++; told[kind] > maxAlike {
			continue
		}
		fmt.Fprintln(&b, problem)
		if rest := alike[kind][told[kind]:]; told[kind] == maxAlike && len(rest) > 0 {
			fmt.Fprintf(&b, "warning: and %d more like this%s\n", len(rest), rest.of())
		}
	}
	return b.String()
}

// of names the things that problems are in, as the end of a sentence, or is empty.
func (p Problems) of() string {
	var things []string
	seen := make(map[string]bool)
	for _, problem := range p {
		if thing := topOf(problem.Path); told(thing) != thing && !seen[thing] {
			seen[thing] = true
			things = append(things, told(thing))
		}
	}
	switch n := len(things); {
	case n == 0:
		return ""
	case n == 1:
		return ", of " + things[0]
	}
	what, _, _ := strings.Cut(things[0], " ")
	for i, thing := range things {
		_, things[i], _ = strings.Cut(thing, " ")
	}
	end := ""
	if len(things) > maxNamed {
		things, end = things[:maxNamed], ", ..."
	}
	return fmt.Sprintf(", of %ss %s%s", what, strings.Join(things, ", "), end)
}

// Besides returns the problems that another found, without those that are here already. Where this list is cut off, or has one problem for
// several elements of a for_each, a warning is here if one of its kind is.
func (p Problems) Besides(others Problems) Problems {
	known, kinds := make(map[[2]string]bool, len(p)), make(map[string]bool)
	for _, problem := range p {
		known[[2]string{problem.Path, problem.Text}] = true
		if len(p) > maxProblems || problem.Each != "" {
			kinds[problem.kind()] = true
		}
	}
	var some Problems
	for _, other := range others {
		if !other.Warning || !known[[2]string{other.Path, other.Text}] && !kinds[other.kind()] {
			some = append(some, other)
		}
	}
	return some
}

// kind is the same for problems that differ in names, numbers and addresses only.
func (p Problem) kind() string { return particulars().ReplaceAllString(p.Text, "?") }

// particulars are what a text names: what is quoted, and words with a digit.
var particulars = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`"[^"]*"|[^\s"]*[0-9][^\s"]*`)
})
