package main

import (
	"fmt"
	"runtime"
	"strings"
	"time"
)

// page is the whole page.
func (r *run) page(about string, now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Proofs of who owns an address, %s

Written by `+"`make proofs`"+` from what its tests printed: %s, %d CPUs. A gap is the longest time without an answer to a probe
each 5 ms. A control is the same proof with the promise switched off; it passes if the proof fails.

`, now.Format("2006-01-02"), about, runtime.NumCPU())
	r.table(&b, "Proofs", func(name string) bool { return !control(name) })
	r.table(&b, "Controls", control)
	r.rounds(&b)
	return b.String()
}

// control tells a control by its name.
func control(name string) bool {
	return strings.HasPrefix(name, "TestWithout") || strings.HasPrefix(name, "TestEachProofFails")
}

// table lists the tests that have no subtests.
func (r *run) table(b *strings.Builder, title string, is func(string) bool) {
	rows := 0
	for _, t := range r.order {
		if t.subs || !is(t.name) {
			continue
		}
		if rows++; rows == 1 {
			fmt.Fprintf(b, "## %s\n\n| proof | outcome | took | probes | lost | gap | two hosts | nobody |\n|---|---|---|---|---|---|---|---|\n", title)
		}
		fmt.Fprintf(b, "| %s | %s | %v |", strings.ReplaceAll(strings.ReplaceAll(t.name, "_", " "), "/", ": "),
			orUnfinished(t.outcome), t.took.Round(time.Second))
		if t.probes > 0 {
			fmt.Fprintf(b, " %d | %d | %v |", t.probes, t.lost, t.gap.Round(time.Millisecond))
		} else {
			b.WriteString(" - | - | - |")
		}
		if t.watched {
			fmt.Fprintf(b, " %v | %v |\n", t.several, t.nobody)
		} else {
			b.WriteString(" - | - |\n")
		}
	}
	if rows > 0 {
		b.WriteString("\n")
	}
}

// rounds lists what was done on purpose under load.
func (r *run) rounds(b *strings.Builder) {
	if len(r.acts) == 0 {
		return
	}
	b.WriteString("## What is planned, round after round, under load\n\n" +
		"50 new connections a second without retries, 100 that are open, half of all by NAT and half by direct routing.\n\n" +
		"| act | rounds | requests | failed | open connections | broken | slowest answer |\n|---|---|---|---|---|---|---|\n")
	for _, name := range r.acts {
		a := r.done[name]
		fmt.Fprintf(b, "| %s | %d | %d | %d | %d | %d | %v |\n", name, len(a.rounds), a.requests, a.failed, a.conns, a.broken,
			a.slowest.Round(time.Millisecond))
	}
}
