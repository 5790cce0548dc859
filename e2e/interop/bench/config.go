package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/e2e/lab"
	"github.com/quorate/quorate/fsm"
)

// The size of the configuration.
const (
	manyServices = 2000
	manyServers  = 50 // of each
	guestMemory  = "6144M"
	largeDisk    = "1024m"
	patience     = 3 * time.Minute // with what is done to all of it
)

// sizes is how the subject is measured.
const sizes = "The configuration has 2,000 virtual services of 50 real servers each, without checks, and a router; the same for keepalived, " +
	"whose checker runs alone, on as many hosts. Changes are of one weight, each of another server, and are timed from the command or the signal on. " +
	"A ratio is keepalived's median by quorate's: above 1 is in quorate's favour."

// target is a server whose weight is changed.
type target struct{ service, server netip.AddrPort }

func targetOf(service, server int) target {
	return target{
		service: netip.AddrPortFrom(netip.MustParseAddr(address), uint16(1000+service)),
		server:  netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(service / 250), byte(service % 250), byte(server + 1)}), 80),
	}
}

// anywhere spreads what is changed over all services: who reads a file has what stands first in it first.
func anywhere(round int) int { return (manyServices/2 + 397*round) % manyServices }

// weighed tells whether a service has all its servers, and one of them this weight.
func (t target) weighed(weight int) func(map[netip.AddrPort]int) bool {
	return func(all map[netip.AddrPort]int) bool { return len(all) == manyServers && all[t.server] == weight }
}

// changes are the weights that are not 1, by server.
type changes map[netip.AddrPort]int

func (c changes) of(server netip.AddrPort) int { return cmp.Or(c[server], 1) }

// largest is the configuration with those changes in it.
func largest(with changes) fsm.Config {
	c := fsm.Config{
		Routers: map[string]fsm.Router{"web": {
			Name: "web", VRID: 51, Interface: "wan", Interval: time.Second, Addresses: []netip.Prefix{netip.MustParsePrefix(address + "/24")},
			Excluded: []netip.Prefix{netip.MustParsePrefix("10.255.255.1/8")}, // the servers' gateway
		}},
	}
	for i := range manyServices {
		s := fsm.Service{Name: nameOf(i), Address: targetOf(i, 0).service, Protocol: fsm.TCP, Scheduler: "wrr", Forward: fsm.NAT}
		for k := range manyServers {
			a := targetOf(i, k).server
			s.Servers = append(s.Servers, fsm.Server{Address: a, Weight: uint32(with.of(a))})
		}
		c.Services = c.Services.With(s.Name, s)
	}
	return config.WithDefaults(c)
}

func nameOf(service int) string { return "s-" + strconv.Itoa(service) }

// forKeepalived is the same for keepalived.
func forKeepalived(with changes) string {
	var b bytes.Buffer
	b.WriteString("global_defs {\n}\n")
	for i := range manyServices {
		fmt.Fprintf(&b, "virtual_server %s %d {\n lvs_sched wrr\n lvs_method NAT\n protocol TCP\n", address, targetOf(i, 0).service.Port())
		for k := range manyServers {
			a := targetOf(i, k).server
			fmt.Fprintf(&b, " real_server %v %d {\n  weight %d\n }\n", a.Addr(), a.Port(), with.of(a))
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// large is three members whose agents are one cluster, and what changes their configuration.
type large struct {
	*lab.Net
	directors []*lab.Director
	clients   []*api.Client
}

// newLarge makes a cluster of three members of a role.
func newLarge(r *run, role fsm.Role) *large {
	n := lab.New(r)
	n.DiskSize = largeDisk
	outer := n.Segment("outer")
	a := &lab.Article{Net: n, Outer: outer}
	for i := range 3 {
		d := n.Director(fmt.Sprintf("d%d", i+1), outer.At(fmt.Sprintf("192.0.2.%d/24", 1+i)))
		d.Role = string(role)
		a.Directors = append(a.Directors, d)
	}
	a.Cluster(r)
	l := &large{Net: n, directors: a.Directors}
	for _, d := range l.directors {
		l.clients = append(l.clients, api.NewClient(d.Socket()))
	}
	return l
}

// hosts are the directors' hosts.
func (l *large) hosts() []*lab.Host {
	var all []*lab.Host
	for _, d := range l.directors {
		all = append(all, d.Host)
	}
	return all
}

// program is the path of the quorate that is measured.
func program() string { return os.Getenv(lab.EnvBinary) }

// command runs quorate on a director.
func command(r *run, d *lab.Director, args ...string) string {
	return ran(r, d.Host, append([]string{program()}, args...)...)
}

// ran runs a program on a host, with more patience than [lab.Host.MustRun], and returns what it printed.
func ran(r *run, h *lab.Host, argv ...string) string {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, err := h.Run(ctx, argv...)
	if err != nil {
		r.Fatalf("%v", err)
	}
	return out
}

// timed is how long something takes.
func timed(f func()) time.Duration {
	began := time.Now()
	f()
	return time.Since(began)
}

// rounds times something that often.
func rounds(times int, f func(round int)) []time.Duration {
	var all []time.Duration
	for i := range times {
		all = append(all, timed(func() { f(i) }))
	}
	return all
}

// reweigh changes a weight through the API of a director.
func (l *large) reweigh(r *run, t target, service, weight int) {
	_, err := l.clients[0].Edit(context.Background(), api.EditRequest{Edits: []config.Edit{{
		Verb: config.Modify, Kind: config.KindServer, In: nameOf(service), Name: t.server.String(), Keys: map[string]string{"weight": strconv.Itoa(weight)},
	}}})
	if err != nil {
		r.Fatalf("set the weight of %v: %v", t.server, err)
	}
}

// set is the same by the command line.
func (l *large) set(r *run, t target, service, weight int) {
	command(r, l.directors[0], "set", "server", nameOf(service), t.server.String(), "weight="+strconv.Itoa(weight))
}

// memoryRows are the lines of what an agent's processes take.
func (l *large) memoryRows(when string) [][]string {
	var rows [][]string
	for _, d := range l.directors {
		for _, p := range []*lab.Process{d.Control(), d.Keeper()} {
			rows = append(rows, memoryRow("quorate, "+d.Name+": "+p.Name+when, []int{p.Pid}))
		}
	}
	return rows
}

func memoryRow(what string, pids []int) []string {
	return []string{what, fmt.Sprintf("%.1f", float64(memory(pids, "Rss"))/1024), fmt.Sprintf("%.1f", float64(memory(pids, "Pss"))/1024)}
}

// checker is keepalived's checker on a host.
type checker struct {
	on      *lab.Director
	process *lab.Process
}

func (k *checker) pidFile() string { return filepath.Join(k.on.Dir, "run", "checkers.pid") }

func (k *checker) write(with changes) string {
	return k.on.WriteFile("keepalived.conf", forKeepalived(with))
}

func (k *checker) start(file string) {
	k.process = k.on.Start("keepalived", "keepalived", "--check", "--dont-fork", "--no-syslog", "--use-file", file,
		"--pid", filepath.Join(k.on.Dir, "run", "keepalived.pid"), "--checkers_pid", k.pidFile())
}

func (k *checker) reload(r *run) {
	if err := k.process.Signal(syscall.SIGHUP); err != nil {
		r.Fatalf("keepalived: %v", err)
	}
}

// stop ends it. It removes its table, and waits five seconds after that.
func (k *checker) stop(r *run) { endKeepalived(r, k.process, patience) }

// child is the process that does the work.
func (k *checker) child(r *run) int {
	text, err := os.ReadFile(k.pidFile())
	if err != nil {
		r.Fatalf("keepalived: %v", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		r.Fatalf("keepalived: %v", err)
	}
	return pid
}

// line is a line of the tables of times. The ratio is keepalived's median by quorate's.
func line(what string, ours []time.Duration, beside string, theirs []time.Duration) []string {
	row := []string{what, strconv.Itoa(len(ours)), ms(median(ours)), ms(quantile(ours, 1))}
	if len(theirs) == 0 {
		return append(row, "-", "-", "-", "-")
	}
	return append(row, beside, ms(median(theirs)), ms(quantile(theirs, 1)), fmt.Sprintf("%.1f", float64(median(theirs))/float64(median(ours))))
}

func lineHead() []string {
	return []string{"quorate", "times", "median ms", "worst", "keepalived", "median ms", "worst", "ratio"}
}
