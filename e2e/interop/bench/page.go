package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// A page of results is a head, and a section for each part. Each says when and of what it was measured, so that
// parts may be measured apart.

// mark begins the section of a part. It is not seen.
const mark = "<!-- part: "

func marked(part string) string { return mark + part + " -->" }

// page is what it consists of.
type page struct {
	head  string
	parts []string          // in order
	text  map[string]string // of each part, from its mark on
}

// readPage takes a page apart.
func readPage(text string) page {
	head, rest, found := strings.Cut(text, mark)
	p := page{head: strings.TrimSpace(head), text: map[string]string{}}
	for found {
		var section string
		section, rest, found = strings.Cut(rest, mark)
		name, _, _ := strings.Cut(section, " ")
		p.parts = append(p.parts, name)
		p.text[name] = strings.TrimSpace(mark + section)
	}
	return p
}

// with returns the page with what was measured now: its sections instead of the older ones. The order is that of
// all parts.
func (p page) with(now page, order []string) string {
	out := []string{now.head}
	for _, part := range order {
		text, measured := now.text[part]
		if !measured {
			text = p.text[part]
		}
		if text != "" {
			out = append(out, text)
		}
	}
	return strings.Join(out, "\n\n") + "\n"
}

// merge brings what a run printed into a page of results. There may be none yet.
func merge(what subject, file, run string) error {
	old, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("results so far: %w", err)
	}
	text, err := os.ReadFile(run)
	if err != nil {
		return fmt.Errorf("results of this run: %w", err)
	}
	now := readPage(string(text))
	if len(now.parts) == 0 {
		return fmt.Errorf("%s has no results", run)
	}
	var order []string
	for _, p := range what.parts {
		order = append(order, p.name)
	}
	if err := os.WriteFile(file, []byte(readPage(string(old)).with(now, order)), 0o644); err != nil {
		return fmt.Errorf("write the results: %w", err)
	}
	return nil
}
