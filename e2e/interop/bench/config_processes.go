package main

import (
	"context"
	"fmt"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/fsm"
)

// processes measures a changed weight where processes and clocks cost what they cost on a real machine, which a guest's do
// not: three members on this machine's kernel, until the states of all three have it. They are witnesses, since this kernel may
// have no IPVS, and directors refuse what they cannot do. keepalived's checker does not run without IPVS at all; what stands
// beside is only that it reads the file, which each of its reloads begins with.
func processes(r *run) {
	const beside = "`keepalived -t`: each reload begins so"
	l := newLarge(r, fsm.RoleWitness)
	d := l.directors[0]
	file, theirs := d.WriteFile("cluster.hcl", string(config.Format(largest(nil)))), d.WriteFile("keepalived.conf", forKeepalived(nil))
	r.note("apply all of it")
	applied := rounds(1, func(int) { command(r, d, "apply", file, "--yes") })
	changed := d.WriteFile("changed.hcl", string(config.Format(largest(changes{targetOf(manyServices-1, manyServers-1).server: 9}))))
	_, revision, err := l.clients[0].Config(context.Background())
	if err != nil {
		r.Fatalf("%v", err)
	}
	w := l.watch(r, revision)
	settle()
	r.note("one weight")
	read := rounds(readRounds, func(int) {
		ran(r, d.Host, "keepalived", "--config-test", "--check", "--use-file", theirs)
	})
	byFile := rounds(readRounds, func(i int) {
		command(r, d, "apply", []string{changed, file}[i%2], "--yes")
		w.next(r)
	})
	settle()
	byCommand := rounds(editRounds, func(i int) {
		l.set(r, targetOf(anywhere(i), 1), anywhere(i), 7)
		w.next(r)
	})
	started := rounds(editRounds, func(int) { command(r, d, "version") })
	byAPI := rounds(editRounds, func(i int) {
		l.reweigh(r, targetOf(anywhere(i), 2), anywhere(i), 7)
		w.next(r)
	})
	table("Processes on this machine's kernel: until the states of all three members have it", lineHead(), [][]string{
		line("the first apply of all of it: `quorate apply`", applied, "", nil),
		line("one weight by the file: `quorate apply`", byFile, beside, read),
		line("one weight: `quorate set server`", byCommand, beside, read),
		line("of which the start of the process: `quorate version`", started, "", nil),
		line("one weight by the API", byAPI, beside, read),
	})
}

// watched is the revision that the states of all directors have, by the events that they tell.
type watched struct {
	clients  []*api.Client
	seen     []uint64 // the last event of each
	revision uint64
}

// watch begins with a revision that all directors have.
func (l *large) watch(r *run, revision uint64) *watched {
	w := &watched{clients: l.clients, seen: make([]uint64, len(l.clients)), revision: revision - 1}
	w.next(r)
	return w
}

// next waits until the states of all directors have the next revision.
func (w *watched) next(r *run) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	w.revision++
	for i, c := range w.clients {
		for has := false; !has; {
			events, err := c.Events(ctx, w.seen[i], true)
			if err != nil {
				r.Fatalf("director %d has no revision %d: %v", i+1, w.revision, err)
			}
			for _, e := range events {
				w.seen[i] = e.Sequence
				var revision uint64
				_, err := fmt.Sscanf(e.Text, "revision %d", &revision)
				if has = err == nil && revision == w.revision; has {
					break
				}
			}
		}
	}
}
