package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// guestHeader is the head of the list of guest tests.
const guestHeader = `# The tests that must run and pass in the guest, a folder and a test a line. A test that is
# missing here, or that is here and does not run, fails "make test".
# Written by "make list-update"; review the difference.
`

// readList reads a list of tests: a folder, a test and perhaps a reason a line, and comments after #.
// Without a path the list is nil, which allows and asks for nothing.
func readList(path string) (map[key]string, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	list := map[key]string{}
	var errs []error
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0:
		case len(fields) == 1:
			errs = append(errs, fmt.Errorf("%s:%d: want a folder, a test and perhaps a reason, have %q", path, n, fields[0]))
		default:
			list[key{fields[0], fields[1]}] = strings.Join(fields[2:], " ")
		}
	}
	return list, errors.Join(errs...)
}

// writeGuestTests writes the list of the tests that ran in the guest.
func writeGuestTests(path string, p *place) error {
	keys := p.topLevel()
	slices.SortFunc(keys, compareKeys)
	var text strings.Builder
	text.WriteString(guestHeader)
	for _, k := range keys {
		fmt.Fprintln(&text, k)
	}
	return os.WriteFile(path, []byte(text.String()), 0o644)
}

func compareKeys(a, b key) int {
	return cmp.Or(cmp.Compare(a.folder, b.folder), cmp.Compare(a.test, b.test))
}

func sortedList(list map[key]string) []key { return slices.SortedFunc(maps.Keys(list), compareKeys) }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func has(list map[key]string, k key) bool {
	_, ok := list[k]
	return ok
}
