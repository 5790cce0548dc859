package main

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/e2e/lab"
)

// How often what is measured is done.
const (
	fileRounds   = 2 // each takes half a minute in a guest
	readRounds   = 5
	reloadRounds = 5
	editRounds   = 20
)

// kernels measures the time until IPVS has a change: in three kernels' tables of directors, and in that of a host with
// keepalived, which has been stopped by then.
func kernels(r *run) {
	var theirs keepalivedTimes
	r.with(func(r *run) { theirs = keepalivedReloads(r) })
	l := newLarge(r)
	var ours quorateTimes
	l.byFile(r, &ours)
	l.byEdit(r, &ours)
	table("In a guest with IPVS: until the kernels of all three directors have it, and that of keepalived's host", lineHead(), [][]string{
		line("the first apply of all of it: `quorate apply`", ours.applied, "start", theirs.starts),
		line("plan one weight by the file: `quorate plan`", ours.planned, "", nil),
		line("one weight by the file: `quorate apply`", ours.byFile, "reload", theirs.reloads),
		line("one weight: `quorate set server`", ours.byCommand, "reload", theirs.reloads),
		line("of which the start of a process in this guest: `quorate version`", ours.started, "", nil),
		line("one weight by the API", ours.byAPI, "reload", theirs.reloads),
		line("one weight by the API, until all three states have it", ours.inStates, "reload", theirs.reloads),
	})
	table("Memory with that configuration", []string{"process", "RSS MiB", "PSS MiB"},
		slices.Concat(ours.memory, l.memoryRows(", at the end"), theirs.memory))
}

// quorateTimes is what quorate took.
type quorateTimes struct {
	applied, planned, byFile, byCommand, started, byAPI, inStates []time.Duration
	memory                                                        [][]string
}

// byFile applies all of it, and then files with one other weight.
func (l *large) byFile(r *run, took *quorateTimes) {
	d, last := l.directors[0], targetOf(manyServices-1, manyServers-1)
	file := d.WriteFile("cluster.hcl", string(config.Format(largest(nil))))
	changed := d.WriteFile("changed.hcl", string(config.Format(largest(changes{last.server: 9}))))
	r.note("quorate: apply all of it")
	took.applied = rounds(1, func(int) {
		command(r, d, "apply", file, "--yes")
		inKernels(r, patience, l.hosts(), last.service, last.weighed(1))
	})
	for _, h := range l.hosts() {
		whole(r, h)
	}
	settle()
	took.memory = l.memoryRows(", after the first apply")
	r.note("quorate: %v; one weight by the file", took.applied)
	took.planned = rounds(1, func(int) { l.planned(r, d, changed) })
	took.byFile = rounds(fileRounds, func(i int) {
		command(r, d, "apply", []string{changed, file}[i%2], "--yes")
		inKernels(r, patience, l.hosts(), last.service, last.weighed([]int{9, 1}[i%2]))
	})
	settle()
}

// byEdit changes weights without a file.
func (l *large) byEdit(r *run, took *quorateTimes) {
	r.note("quorate: %v; set server", took.byFile)
	took.byCommand = rounds(editRounds, func(i int) {
		t := targetOf(anywhere(i), 1)
		l.set(r, t, anywhere(i), 7)
		inKernels(r, patience, l.hosts(), t.service, t.weighed(7))
	})
	took.started = rounds(editRounds, func(int) { command(r, l.directors[0], "version") })
	r.note("quorate: %v, of which to start %v; the same by the API", took.byCommand, took.started)
	took.byAPI = rounds(editRounds, func(i int) {
		t := targetOf(anywhere(i), 2)
		l.reweigh(r, t, anywhere(i), 7)
		inKernels(r, patience, l.hosts(), t.service, t.weighed(7))
	})
	r.note("quorate: %v; until the states have it", took.byAPI)
	took.inStates = rounds(editRounds, func(i int) { l.inStates(r, patience, l.reweigh(r, targetOf(anywhere(i), 3), anywhere(i), 7)) })
	for i := range editRounds { // ipvsadm's word for what was seen
		for _, h := range l.hosts() {
			byIPVSAdm(r, h, targetOf(anywhere(i), 1), 7)
			byIPVSAdm(r, h, targetOf(anywhere(i), 2), 7)
		}
	}
}

// planned plans a file that changes one thing: its exit status says so.
func (l *large) planned(r *run, d *lab.Director, file string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, err := d.Run(ctx, program(), "plan", file)
	if err == nil || !strings.Contains(err.Error(), "exit status 2") {
		r.Fatalf("plan: %v: %s", err, out)
	}
}

// settle waits until what was done before is told and forgotten. To ask for a status would cost more than it.
func settle() { time.Sleep(5 * time.Second) }

// keepalivedTimes is what keepalived took.
type keepalivedTimes struct {
	starts, reloads []time.Duration
	memory          [][]string
}

// keepalivedReloads has keepalived start and read its file anew with one other weight, again and again.
func keepalivedReloads(r *run) (took keepalivedTimes) {
	n := lab.New(r)
	k := &checker{on: n.Director("k", n.Segment("lan").At("192.0.2.1/24"))}
	hosts, last := []*lab.Host{k.on.Host}, targetOf(manyServices-1, manyServers-1)
	file := k.write(nil)
	r.note("keepalived: start")
	took.starts = rounds(1, func(int) {
		k.start(file)
		inKernels(r, patience, hosts, last.service, last.weighed(1))
	})
	whole(r, k.on.Host)
	took.memory = append(took.memory, memoryRow("keepalived: checker", []int{k.child(r)}))
	r.note("keepalived: reload")
	with := changes{}
	for i := range reloadRounds {
		t := targetOf(anywhere(i), 1)
		with[t.server] = 7
		k.write(with)
		time.Sleep(time.Second)
		took.reloads = append(took.reloads, timed(func() {
			k.reload(r)
			inKernels(r, patience, hosts, t.service, t.weighed(7))
		}))
		byIPVSAdm(r, k.on.Host, t, 7)
		time.Sleep(2 * time.Second)
	}
	took.memory = append(took.memory, memoryRow(fmt.Sprintf("keepalived: checker, after %d reloads", reloadRounds), []int{k.child(r)}))
	r.note("keepalived: start %v, reloads %v", took.starts, took.reloads)
	k.stop(r)
	return took
}

// whole holds that a kernel has all there is, by ipvsadm.
func whole(r *run, h *lab.Host) {
	out := ran(r, h, "ipvsadm", "-Sn")
	if n, want := strings.Count(out, "\n"), manyServices*(1+manyServers); n != want {
		r.Fatalf("%s has %d services and servers, want %d", h.Name, n, want)
	}
}

// byIPVSAdm holds that a server has a weight, by ipvsadm, which is asked for its service alone.
func byIPVSAdm(r *run, h *lab.Host, t target, weight int) {
	out := ran(r, h, "ipvsadm", "-Ln", "-t", t.service.String())
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) > 3 && f[0] == "->" && is(f[1], t.server) {
			if f[3] != fmt.Sprint(weight) {
				r.Fatalf("%s: %v has weight %s, want %d", h.Name, t.server, f[3], weight)
			}
			return
		}
	}
	r.Fatalf("%s has no server %v in\n%s", h.Name, t.server, out)
}

func is(text string, a netip.AddrPort) bool {
	got, err := netip.ParseAddrPort(text)
	return err == nil && got == a
}
