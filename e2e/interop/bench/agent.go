package main

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"github.com/quorate/quorate/e2e/interop"
	"github.com/quorate/quorate/e2e/lab"
)

// How a process is restarted, and for how long is looked at what follows.
const (
	keeperRestart  = 100 * time.Millisecond // RestartSec of the units
	controlRestart = time.Second
	aftermath      = 5 * time.Second // a kernel lets an address go after three
	askEach        = 10 * time.Millisecond
)

// harm is what is done to processes of an owner whose machine lives on.
type harm struct {
	to     string        // control, keeper or both; VRRP or both of keepalived's
	freeze time.Duration // 0: killed, and started again as systemd would
	runs   int           // of quorate's; keepalived does the same each time
}

func (h harm) String() string {
	if h.freeze == 0 {
		return h.to + " killed"
	}
	return fmt.Sprintf("%s frozen for %v", h.to, h.freeze)
}

// harms are all that is done to processes of those names.
func harms(names ...string) []harm {
	var all []harm
	for _, to := range names {
		all = append(all, harm{to, 0, 3})
	}
	for _, d := range []time.Duration{200 * time.Millisecond, time.Second, 3 * time.Second, 10 * time.Second} {
		for _, to := range names {
			all = append(all, harm{to, d, 1})
		}
	}
	return all
}

// sight is what was seen of an address while something happened.
type sight struct {
	gap, two time.Duration // nobody answered the client; two hosts answered who asked
	lost     int
	owner    string // at the end: the same, another, or how many
}

// ground is where it is looked at.
type ground struct {
	net             *lab.Net
	segment         *lab.Segment
	client, watcher *lab.Host
}

func (g ground) watch(r *run, f func()) sight {
	before := g.net.Owners(address)
	c := g.net.Capture(g.segment, "arp")
	asking := askFrom(r, g.watcher, map[*lab.Segment][]netip.Addr{g.segment: {netip.MustParseAddr(address)}}, askEach)
	probe := g.client.Probe(lab.Probe{To: address})
	time.Sleep(300 * time.Millisecond)
	f()
	time.Sleep(aftermath)
	seen := probe.Close()
	asking.end()
	c.Close()
	frames, err := interop.ReadCapture(c.File)
	if err != nil {
		r.Fatalf("%v", err)
	}
	s := sight{gap: seen.Longest, two: twice(frames, g.watcher.MAC(g.segment)), lost: seen.Lost, owner: "the same"}
	switch after := g.net.Owners(address); {
	case len(after) != 1:
		s.owner = fmt.Sprint(len(after), " hosts")
	case after[0] != before[0]:
		s.owner = "another"
	}
	r.note("%v; two hosts answered for %v, owner: %s", seen, s.two, s.owner)
	return s
}

// agent measures what the death and the freeze of an owner's processes do to a client.
func agent(r *run) {
	var rows [][]string
	row := func(name string, h harm, all []sight) {
		var gaps, two []time.Duration
		var lost []int
		var owners []string
		for _, s := range all {
			gaps, two, lost, owners = append(gaps, s.gap), append(two, s.two), append(lost, s.lost), append(owners, s.owner)
		}
		rows = append(rows, []string{name, h.String(), list(gaps), counts(lost), list(two), strings.Join(owners, ", ")})
	}
	r.with(func(r *run) {
		c := clusterOf(r, time.Second, true)
		for _, h := range harms("control", "keeper", "both") {
			r.note("quorate, %v", h)
			var all []sight
			for range h.runs {
				owner := c.settled(r)
				all = append(all, ground{c.Net, c.Outer, c.Client, c.watcher}.watch(r, func() { c.suffer(r, owner, h) }))
			}
			row("quorate", h, all)
		}
	})
	for _, h := range harms("VRRP process", "both processes") {
		r.note("keepalived, %v", h)
		r.with(func(r *run) { row("keepalived", h, []sight{keepalivedSuffers(r, h)}) })
	}
	table("Death and freeze of an owner's processes, adverts each second; started again as systemd does",
		[]string{"program", "what", "gap ms", "echoes lost", "two hosts answered, ms", "owner at the end"}, rows)
}

// suffer harms the owner's processes. Frozen ones are left alone, where systemd would kill a keeper after five
// seconds: this is the worse case.
func (c *cluster) suffer(r *run, owner *lab.Director, h harm) {
	var victims []*lab.Process
	if h.to != "keeper" {
		victims = append(victims, owner.Control())
	}
	if h.to != "control" {
		victims = append(victims, owner.Keeper())
	}
	if h.freeze > 0 {
		for _, p := range victims {
			if err := p.Freeze(); err != nil {
				r.Fatalf("%v", err)
			}
		}
		time.Sleep(h.freeze)
		for _, p := range victims {
			_ = p.Thaw() // it may have ended
		}
		return
	}
	for _, p := range victims {
		p.Kill()
	}
	if h.to != "control" {
		time.Sleep(keeperRestart)
		startKeeper(owner)
	}
	if h.to != "keeper" {
		time.Sleep(controlRestart)
		owner.Agent(r)
	}
}

// keepalivedSuffers does the same to keepalived, in a network of its own.
func keepalivedSuffers(r *run, h harm) sight {
	p := newPair(r, "keepalived", 1)
	p.speakers[0].start(one(high, time.Second))
	p.owned(r, 0, address)
	p.speakers[1].start(one(low, time.Second))
	time.Sleep(4 * time.Second)
	pids := p.speakers[0].pids() // the parent, which starts the other one again, and that
	signal := func(sig syscall.Signal, pids ...int) {
		var errs []error
		for _, pid := range pids {
			errs = append(errs, syscall.Kill(pid, sig))
		}
		if err := errors.Join(errs...); err != nil {
			r.Fatalf("keepalived: %v", err)
		}
	}
	return ground{p.Net, p.segments[0], p.client, p.watcher}.watch(r, func() {
		both := h.to == "both processes"
		victims := pids[1:]
		if both {
			victims = pids
		}
		if h.freeze > 0 {
			signal(syscall.SIGSTOP, victims...)
			time.Sleep(h.freeze)
			signal(syscall.SIGCONT, victims...)
			return
		}
		if both {
			signal(syscall.SIGSTOP, pids[0]) // it would start the other one, which says goodbye when its parent dies
		}
		signal(syscall.SIGKILL, pids[1])
		if both {
			signal(syscall.SIGKILL, pids[0])
			time.Sleep(controlRestart)
			p.speakers[0].start(one(high, time.Second))
		}
	})
}
