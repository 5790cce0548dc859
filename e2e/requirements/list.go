package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A level says how much a requirement matters.
type level string

// The levels: what the standards ask for, what it takes to work beside routers of others, and what makes
// it harder to disturb.
const (
	must      level = "must"
	interop   level = "interop"
	hardening level = "hardening"
)

var levels = []level{must, interop, hardening}

// A requirement is a line of the list.
type requirement struct {
	number   int
	level    level
	sentence string
	but      string // what quorate does not do of it, or why no test shows it
}

// parseList reads a list of requirements: number, level and sentence a line, by rising number, with an
// indented "but:" line below one that is not whole, and comments in lines that begin with #.
func parseList(text string) ([]requirement, error) {
	var list []requirement
	var errs []error
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimRight(line, " \n")
		switch {
		case line == "" || line[0] == '#':
		case line[0] == ' ':
			but, ok := strings.CutPrefix(strings.TrimSpace(line), "but: ")
			if !ok || len(list) == 0 || list[len(list)-1].but != "" {
				errs = append(errs, fmt.Errorf("line %d: an indented line is a but: of the requirement above it, the only one", n))
				continue
			}
			list[len(list)-1].but = but
		default:
			r, err := parseRequirement(line)
			if err == nil && len(list) > 0 && r.number <= list[len(list)-1].number {
				err = fmt.Errorf("number V%d comes after V%d", r.number, list[len(list)-1].number)
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("line %d: %w", n, err))
				continue
			}
			list = append(list, r)
		}
	}
	if len(list) == 0 {
		errs = append(errs, errors.New("no requirement in it"))
	}
	return list, errors.Join(errs...)
}

func parseRequirement(line string) (requirement, error) {
	f := strings.Fields(line)
	if len(f) < 3 {
		return requirement{}, fmt.Errorf("want a number, a level and a sentence, have %q", line)
	}
	number, err := strconv.Atoi(strings.TrimPrefix(f[0], "V"))
	if err != nil || number < 1 || f[0][0] != 'V' {
		return requirement{}, fmt.Errorf("%q is no number, as V1 is", f[0])
	}
	l := level(f[1])
	if !slices.Contains(levels, l) {
		return requirement{}, fmt.Errorf("level %q is none of %v", f[1], levels)
	}
	return requirement{number: number, level: l, sentence: strings.Join(f[2:], " ")}, nil
}

// numbers returns the requirements that a test's name has, each once. A V in a word, as in IPV6, is none,
// and neither is one without digits.
func numbers(name string) []int {
	var found []int
	for i := range len(name) {
		if name[i] != 'V' || i > 0 && isLetter(name[i-1]) && !strings.HasSuffix(name[:i], "Test") {
			continue
		}
		end := i + 1
		for end < len(name) && name[end] >= '0' && name[end] <= '9' {
			end++
		}
		if n, err := strconv.Atoi(name[i+1 : end]); err == nil && !slices.Contains(found, n) {
			found = append(found, n)
		}
	}
	return found
}

func isLetter(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' }
