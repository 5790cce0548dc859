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
	"github.com/quorate/quorate/fsm"
)

// How often what is measured is done.
const (
	fileRounds   = 2 // each takes half a minute in a guest
	readRounds   = 5
	reloadRounds = 5
	editRounds   = 20
)

// kernels measures the time until IPVS has a change: in the kernels' tables of three directors, and in those of as many
// hosts with keepalived, which have been stopped by then. Quorate changes all by one command; of keepalived each host is
// reloaded, all at the same moment, so that both have the same work to do on the guest's one processor. One host alone
// stands beside the kernel of the director that was asked, while the other two directors work as well.
//
// Nothing may run beside what is measured that runs beside one of the two only. Until quorate 0f49e82 something did: from the
// moment on that the bench had asked what the keepers take of memory, the lab looked for the end of each two hundred times a
// second, until the bench's own end. It made quorate's changes and the start of its processes, `true` too, take a fifth to a third
// longer; what keepalived runs is the bench's own child, which nobody has to look for.
func kernels(r *run) {
	const all = "reload of all three hosts at once"
	var theirs keepalivedTimes
	r.with(func(r *run) { theirs = keepalivedReloads(r) })
	l := newLarge(r, fsm.RoleDirector)
	var ours quorateTimes
	l.byFile(r, &ours)
	l.byEdit(r, &ours)
	table("In a guest with IPVS and one processor: until the kernels of all three directors have it, and those of three hosts with keepalived", lineHead(), [][]string{
		line("the first apply of all of it: `quorate apply`", ours.applied, "start on one host", theirs.starts),
		line("plan one weight by the file: `quorate plan`", ours.planned, "", nil),
		line("one weight by the file: `quorate apply`", ours.byFile, all, theirs.all),
		line("one weight: `quorate set server`", ours.byCommand, all, theirs.all),
		line("of which the start of the process: `quorate version`", ours.started, "", nil),
		line("and of any process in this guest: `true`", ours.nothing, "", nil),
		line("one weight by the API", ours.byAPI, all, theirs.all),
		line("the same, until the kernel of the director that was asked has it", ours.ownKernel, "reload of one host", theirs.reloads),
	})
	table("Memory with that configuration", []string{"process", "RSS MiB", "PSS MiB"},
		slices.Concat(ours.memory, l.memoryRows(", at the end"), theirs.memory))
}

// quorateTimes is what quorate took.
type quorateTimes struct {
	applied, planned, byFile, byCommand, started, nothing, byAPI, ownKernel []time.Duration
	memory                                                                  [][]string
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
	took.nothing = rounds(editRounds, func(int) { ran(r, l.directors[0].Host, "true") })
	r.note("quorate: %v, of which to start %v, and nothing %v; the same by the API", took.byCommand, took.started, took.nothing)
	took.byAPI = rounds(editRounds, func(i int) {
		t := targetOf(anywhere(i), 2)
		took.ownKernel = append(took.ownKernel, timed(func() {
			l.reweigh(r, t, anywhere(i), 7)
			inKernels(r, patience, l.hosts()[:1], t.service, t.weighed(7))
		}))
		inKernels(r, patience, l.hosts()[1:], t.service, t.weighed(7))
	})
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
	all             []time.Duration // reloads of all hosts at once
	memory          [][]string
}

// keepalivedReloads has keepalived start on three hosts, and read its file anew with one other weight, again and again: on
// one host, and then on all of them at the same moment.
func keepalivedReloads(r *run) (took keepalivedTimes) {
	n := lab.New(r)
	lan := n.Segment("lan")
	var all []*checker
	last := targetOf(manyServices-1, manyServers-1)
	r.note("keepalived: start")
	for i := range 3 {
		k := &checker{on: n.Director(fmt.Sprintf("k%d", i+1), lan.At(fmt.Sprintf("192.0.2.%d/24", 1+i)))}
		file := k.write(nil)
		took.starts = append(took.starts, timed(func() {
			k.start(file)
			inKernels(r, patience, []*lab.Host{k.on.Host}, last.service, last.weighed(1))
		}))
		whole(r, k.on.Host)
		all = append(all, k)
	}
	took.memory = append(took.memory, memoryRow("keepalived: checker", []int{all[0].child(r)}))
	r.note("keepalived: start %v; reload", took.starts)
	took.reloads = reloaded(r, all[:1], 1)
	took.all = reloaded(r, all, 2)
	took.memory = append(took.memory, memoryRow(fmt.Sprintf("keepalived: checker, after %d reloads", 2*reloadRounds), []int{all[0].child(r)}))
	r.note("keepalived: reloads of one host %v, of all at once %v", took.reloads, took.all)
	for _, k := range all {
		k.stop(r)
	}
	return took
}

// reloaded has keepalived on some hosts read files with one other weight, all at the same moment, until the kernels of all
// have it. Each time it is another service's, of the same server.
func reloaded(r *run, some []*checker, server int) (took []time.Duration) {
	var hosts []*lab.Host
	for _, k := range some {
		hosts = append(hosts, k.on.Host)
	}
	with := changes{}
	for i := range reloadRounds {
		t := targetOf(anywhere(i), server)
		with[t.server] = 7
		for _, k := range some {
			k.write(with)
		}
		time.Sleep(time.Second)
		took = append(took, timed(func() {
			for _, k := range some {
				k.reload(r)
			}
			inKernels(r, patience, hosts, t.service, t.weighed(7))
		}))
		for _, h := range hosts {
			byIPVSAdm(r, h, t, 7)
		}
		time.Sleep(2 * time.Second)
	}
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
