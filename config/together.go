package config

import (
	"cmp"
	"fmt"
	"slices"
)

// together makes one problem of those that several elements of a for_each have alike.
func together(found []finding) Problems {
	type kind struct {
		file         string
		line, column int
		sort         string
	}
	first, more := make(map[kind]int), make(map[int][]string)
	var all Problems
	slices.SortStableFunc(found, func(a, b finding) int { return cmp.Compare(a.Path, b.Path) })
	for _, f := range found {
		k := kind{f.File, f.Line, f.Column, f.sort}
		if at, ok := first[k]; ok && f.Each != "" && all[at].Each != "" {
			more[at] = append(more[at], f.Each)
			continue
		}
		first[k] = len(all)
		all = append(all, f.Problem)
	}
	for at, others := range more {
		others = slices.DeleteFunc(slices.Compact(others), func(each string) bool { return each == all[at].Each })
		if n := len(others); n > 0 {
			all[at].Each = fmt.Sprintf("%s and %d more", all[at].Each, n)
		}
	}
	return all
}
