package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/quorate/quorate/director/keeper"
	"github.com/quorate/quorate/e2e/lab"
)

// router is one virtual router, for both programs.
type router struct {
	device  string
	vrid    int
	address netip.Prefix
}

// fleet is what a program is told: all its routers are alike.
type fleet struct {
	routers  []router
	priority int
	interval time.Duration
}

// one is a fleet of one router.
func one(priority int, interval time.Duration) fleet {
	return fleet{[]router{{"eth0", 51, netip.MustParsePrefix("192.0.2.100/24")}}, priority, interval}
}

// speaker is a program that speaks VRRP on a host.
type speaker interface {
	start(fleet)
	stop()       // in order
	pids() []int // of its processes
}

// makes are the two programs, by name.
func makes() []string { return []string{"quorate", "keepalived"} }

// newSpeaker is a program of that name on a host. It does not run yet.
func newSpeaker(t lab.T, name string, d *lab.Director) speaker {
	if name == "quorate" {
		return &quorate{t: t, on: d}
	}
	return &keepalived{t: t, on: d, realtime: name != "keepalived"}
}

// quorate is its keeper process.
type quorate struct {
	t       lab.T
	on      *lab.Director
	process *lab.Process
	client  *keeper.Client
}

func (q *quorate) start(f fleet) {
	if q.client != nil {
		_ = q.client.Close() // of a machine that died
	}
	q.process = q.on.Start("keeper", program(), "keeper", "--config", q.on.AgentFile())
	lab.Eventually(q.t, 10*time.Second, "the keeper answers", func() (err error) {
		q.client, err = keeper.Dial(filepath.Join(q.on.Dir, "keeper.sock"))
		return err
	})
	var o keeper.Order
	for i, r := range f.routers {
		o.Groups = append(o.Groups, keeper.Group{
			Name: strconv.Itoa(i), Priority: uint8(f.priority), Preempt: true, Routers: []keeper.Router{{
				Name: strconv.Itoa(i), VRID: uint8(r.vrid), Interface: r.device, Addresses: []netip.Prefix{r.address}, Interval: f.interval,
			}},
		})
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := q.client.Set(ctx, o); err != nil {
		q.t.Fatalf("%v", err)
	}
}

func (q *quorate) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := q.client.Stop(ctx, true); err != nil {
		q.t.Fatalf("%v", err)
	}
	_ = q.client.Close() // its other end is gone
	q.client = nil
}

func (q *quorate) pids() []int { return []int{q.process.Pid} }

// keepalived is its VRRP part, without a log, or with the scheduling that it has if it is told to.
type keepalived struct {
	t        lab.T
	on       *lab.Director
	realtime bool
	process  *lab.Process
}

func (k *keepalived) pidFile() string { return filepath.Join(k.on.Dir, "run", "vrrp.pid") }

func (k *keepalived) start(f fleet) {
	os.Remove(k.pidFile())
	var b strings.Builder
	b.WriteString("global_defs {\n vrrp_version 3\n")
	if k.realtime {
		b.WriteString(" vrrp_rt_priority 50\n vrrp_no_swap\n")
	}
	b.WriteString("}\n")
	for i, r := range f.routers {
		fmt.Fprintf(&b, "vrrp_instance r%d {\n interface %s\n virtual_router_id %d\n priority %d\n advert_int %g\n virtual_ipaddress {\n  %v\n }\n}\n",
			i, r.device, r.vrid, f.priority, f.interval.Seconds(), r.address)
	}
	k.process = k.on.Start("keepalived", "keepalived", "--vrrp", "--dont-fork", "--no-syslog",
		"--use-file", k.on.WriteFile("keepalived.conf", b.String()), "--pid", filepath.Join(k.on.Dir, "run", "keepalived.pid"), "--vrrp_pid", k.pidFile())
	lab.Eventually(k.t, 20*time.Second, "keepalived runs", func() error {
		if n := len(k.pids()); n != 2 {
			return fmt.Errorf("%d processes", n)
		}
		return nil
	})
}

func (k *keepalived) stop() { endKeepalived(k.t, k.process, 30*time.Second) }

// endKeepalived ends keepalived in order, which may take it a while.
func endKeepalived(t lab.T, p *lab.Process, limit time.Duration) {
	if err := p.Signal(syscall.SIGTERM); err != nil {
		t.Fatalf("keepalived: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	_ = p.Wait(ctx) // its status says nothing
	if ctx.Err() != nil {
		t.Fatalf("keepalived does not stop")
	}
}

func (k *keepalived) pids() []int {
	pids := []int{k.process.Pid}
	if text, err := os.ReadFile(k.pidFile()); err == nil {
		if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// pair is two hosts with the same program, and a client, on some segments.
type pair struct {
	*lab.Net
	segments []*lab.Segment
	client   *lab.Host
	watcher  *lab.Host
	hosts    [2]*lab.Director
	speakers [2]speaker
}

// newPair draws the network. The hosts do not forward: one that does passes packets on to the next owner
// and hides a gap.
func newPair(t lab.T, name string, segments int) *pair {
	p := &pair{Net: lab.New(t)}
	var at [4][]lab.Attachment
	for i := range segments {
		s := p.Segment("lan" + strconv.Itoa(i))
		p.segments = append(p.segments, s)
		for j := range at {
			address := fmt.Sprintf("10.%d.0.%d/16", i, 1+j)
			if segments == 1 {
				address = fmt.Sprintf("192.0.2.%d/24", 1+j)
			}
			at[j] = append(at[j], s.At(address))
		}
	}
	p.client = p.Host("client", at[2]...)
	p.watcher = p.Host("asker", at[3]...)
	for i := range p.hosts {
		p.hosts[i] = p.Director("ab"[i:i+1], at[i]...)
		p.quiet(i)
		p.speakers[i] = newSpeaker(t, name, p.hosts[i])
	}
	return p
}

// quiet is to be called after each time a host was switched on.
func (p *pair) quiet(i int) { p.hosts[i].MustRun("sysctl", "-qw", "net.ipv4.ip_forward=0") }

// dies and stops are what takes the first host's program away, and what has it back but for its start.
func (p *pair) dies() (harm, heal func()) {
	return p.hosts[0].Die, func() { p.hosts[0].Revive(); p.quiet(0) }
}

func (p *pair) stops() (harm, heal func()) { return p.speakers[0].stop, func() {} }

// owned waits until that host alone has the address.
func (p *pair) owned(t lab.T, i int, address string) {
	lab.Eventually(t, 20*time.Second, "it owns", func() error {
		if h := p.Holders(address); len(h) != 1 || h[0] != p.hosts[i].Host {
			return fmt.Errorf("%d hosts have %s", len(h), address)
		}
		return nil
	})
}
