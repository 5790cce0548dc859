package config

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
)

const (
	maxAlike = 3  // how many warnings of one kind are printed in full
	maxNamed = 10 // how many things the line about the rest names
)

// String returns the problems for people, one per line. Of many warnings of the same kind only the first are printed; the line
// behind them says how many more there are, and about what.
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

// of names the routers, services and so on that the problems are about, as the end of a sentence: ", of services a, b".
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

// Besides returns those of others that are not among these: the agent finds again what the files have shown already. A warning
// of others may be missing here only because this list was cut off, or has one problem for several elements of a for_each; then
// one of the same kind counts for it.
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

// kind is the text without names, numbers and addresses: problems of the same kind differ only in those.
func (p Problem) kind() string { return particulars().ReplaceAllString(p.Text, "?") }

// particulars matches what the text of a problem names: what is in quotes, and words with a digit.
var particulars = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`"[^"]*"|[^\s"]*[0-9][^\s"]*`)
})
