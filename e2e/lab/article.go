package lab

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Addresses of the article's network.
const (
	OuterVIP = "192.168.1.1" // the clients' address of the service
	InnerVIP = "192.168.2.1" // the real servers' default gateway
)

// ArticleFile is the article's set-up as a cluster file, with a check each second.
const ArticleFile = `sync_group "gateway" { routers = ["outside", "inside"] }

router "outside" {
  vrid      = 51
  interface = "wan"
  addresses = ["192.168.1.1/24"]
}

router "inside" {
  vrid      = 52
  interface = "lan"
  addresses = ["192.168.2.1/24"]
}

service "web" {
  address   = "192.168.1.1:80"
  scheduler = "wlc"
  forward   = "nat"

  check "http" {
    path     = "/health"
    interval = "1s"
    timeout  = "500ms"
  }

  server "192.168.2.11:80" { weight = 1 }
  server "192.168.2.12:80" { weight = 1 }
  server "192.168.2.13:80" { weight = 1 }
  fallback "192.168.2.250:80" {}
}
`

// An Article is the network of the published set-up that quorate is first tested on: clients on an
// outer network, real servers on an inner one, directors between them.
type Article struct {
	*Net

	Outer, Inner *Segment
	Directors    []*Director   // d1 ...: 192.168.1.2 ... and 192.168.2.2 ...
	Servers      []*RealServer // rs1 to rs3: 192.168.2.11 to .13
	Fallback     *RealServer   // 192.168.2.250
	Client       *Host         // 192.168.1.100, without a route to the inner network

	t T
}

// NewArticle builds the article's network with that many directors. No agent runs yet.
func NewArticle(t T, directors int) *Article {
	t.Helper()
	n := New(t)
	a := &Article{Net: n, t: t, Outer: n.Segment("outer"), Inner: n.Segment("inner")}
	for i := range 3 {
		name, addr := "rs"+strconv.Itoa(i+1), fmt.Sprintf("192.168.2.%d/24", 11+i)
		a.Servers = append(a.Servers, n.addRealServer(name, a.Inner.At(addr), InnerVIP))
	}
	a.Fallback = n.addRealServer("fallback", a.Inner.At("192.168.2.250/24"), InnerVIP)
	for range directors {
		a.AddDirector()
	}
	a.Client = n.Host("client", a.Outer.At("192.168.1.100/24"))
	for _, rs := range append(a.Servers, a.Fallback) {
		if err := rs.await(); err != nil {
			t.Fatalf("lab: %v", err)
		}
	}
	return a
}

// AddDirector adds the next director, without an agent.
func (a *Article) AddDirector() *Director {
	a.t.Helper()
	i := len(a.Directors)
	d := a.Net.Director("d"+strconv.Itoa(i+1),
		a.Outer.At(fmt.Sprintf("192.168.1.%d/24", 2+i)), a.Inner.At(fmt.Sprintf("192.168.2.%d/24", 2+i)))
	a.Directors = append(a.Directors, d)
	return d
}

// Cluster starts the agents and makes them one cluster, whole and ready.
func (a *Article) Cluster(t T) {
	t.Helper()
	a.Agents(t)
	first := a.Directors[0]
	must(t, first, "init")
	for _, d := range a.Directors[1:] {
		a.Join(t, d)
	}
	a.AwaitReady(t, 60*time.Second)
}

// Agents starts every agent that does not run, all at once, and waits until they answer.
func (a *Article) Agents(t T) {
	t.Helper()
	started := map[*Director]*Process{}
	for _, d := range a.Directors {
		if _, err := d.FindProcess("agent"); err != nil {
			started[d] = d.StartAgent(t)
		}
	}
	for d, p := range started {
		d.AwaitAgent(t, p)
	}
}

// Join makes a director whose agent runs a member, through the first other one that is on.
func (a *Article) Join(t T, d *Director) {
	t.Helper()
	for _, via := range a.Directors {
		if via == d || !via.On() {
			continue
		}
		token := strings.TrimSpace(must(t, via, "token", "create", "--role", cmp.Or(d.Role, "director")))
		must(t, d, "join", via.Bind, "--token", token)
		return
	}
	t.Fatalf("lab: nobody is there to join")
}

// Heal switches every director on, has its agent run and in the cluster, ends its drain, makes text, a
// cluster file, the configuration, and waits until all are ready and one host owns the address.
func (a *Article) Heal(t T, text string) {
	t.Helper()
	for _, d := range a.Directors {
		if !d.On() {
			d.Revive()
		}
	}
	a.Agents(t)
	for _, d := range a.Directors {
		s, err := d.Status()
		if err != nil {
			t.Fatalf("lab: %v", err)
		}
		if len(s.Directors) == 0 {
			a.Join(t, d)
		}
	}
	a.AwaitReady(t, 60*time.Second)
	first := a.Directors[0]
	file := first.WriteFile("cluster.hcl", text)
	Eventually(t, 30*time.Second, "nobody drains, and the configuration is as it was", func() error { // a leader may go
		s, err := first.Status()
		if err != nil {
			return err
		}
		for _, d := range s.Directors {
			if !d.Draining {
				continue
			}
			if _, err := first.Quorate("enable", "director", d.Name); err != nil {
				return err
			}
		}
		_, err = first.Quorate("apply", file, "--yes")
		return err
	})
	a.AwaitOwner(t, 15*time.Second, OuterVIP)
}

func must(t T, d *Director, args ...string) string {
	t.Helper()
	out, err := d.Quorate(args...)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return out
}

// AwaitReady waits until every director that is on says that all of those are alive and ready, with
// the same leader, a quorum and the same state.
func (a *Article) AwaitReady(t T, timeout time.Duration) {
	t.Helper()
	Eventually(t, timeout, "all directors are ready", func() error {
		err := a.ready()
		if err != nil {
			time.Sleep(50 * time.Millisecond) // who is looked at has to get ready
		}
		return err
	})
}

func (a *Article) ready() error {
	var errs []error
	on := map[string]bool{}
	for _, d := range a.Directors {
		on[d.Name] = d.On()
	}
	seen := map[string]string{}
	for _, d := range a.Directors {
		if !d.On() {
			continue
		}
		s, err := d.Status()
		if err != nil {
			return err
		}
		if s.Leader == "" || !s.Quorum {
			errs = append(errs, fmt.Errorf("%s: leader %q, quorum %v", d.Name, s.Leader, s.Quorum))
		}
		seen[s.StateHash+" led by "+s.Leader] = d.Name
		ready := 0
		for _, m := range s.Directors {
			if on[m.Name] && m.Ready && m.State == "alive" {
				ready++
			} else if on[m.Name] {
				errs = append(errs, fmt.Errorf("%s: %s is %s, ready %v", d.Name, m.Name, m.State, m.Ready))
			}
		}
		if want := len(a.on()); ready != want {
			errs = append(errs, fmt.Errorf("%s: %d directors ready, want %d", d.Name, ready, want))
		}
	}
	if len(seen) != 1 {
		errs = append(errs, fmt.Errorf("states: %v", seen))
	}
	return errors.Join(errs...)
}

// on lists the directors that are switched on.
func (a *Article) on() []*Director {
	var on []*Director
	for _, d := range a.Directors {
		if d.On() {
			on = append(on, d)
		}
	}
	return on
}

// Apply makes text, a cluster file, the configuration, through the first director that is on.
func (a *Article) Apply(text string) {
	a.t.Helper()
	on := a.on()
	if len(on) == 0 {
		a.t.Fatalf("lab: no director is on")
	}
	must(a.t, on[0], "apply", on[0].WriteFile("cluster.hcl", text), "--yes")
}

// AwaitOwner waits until exactly one host has the address in its kernel, and returns it.
func (n *Net) AwaitOwner(t T, timeout time.Duration, address string) *Host {
	t.Helper()
	var owner *Host
	Eventually(t, timeout, "one host owns "+address, func() error {
		owners := n.Owners(address)
		if len(owners) != 1 {
			return fmt.Errorf("%d owners: %v", len(owners), hostNames(owners))
		}
		owner = owners[0]
		return nil
	})
	return owner
}

// Director is the director of that host.
func (a *Article) Director(h *Host) *Director {
	a.t.Helper()
	for _, d := range a.Directors {
		if d.Host == h {
			return d
		}
	}
	a.t.Fatalf("lab: %s is no director", h.Name)
	return nil
}

func hostNames(hosts []*Host) []string {
	var names []string
	for _, h := range hosts {
		names = append(names, h.Name)
	}
	return names
}
