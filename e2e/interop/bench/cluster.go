package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/e2e/lab"
)

// address is the virtual one, where there is one only.
const address = "192.0.2.100"

// cluster is three directors whose agents are one cluster, with one router, and what is not asked for as it
// is by default.
type cluster struct {
	*lab.Article
	watcher *lab.Host
	named   lab.GroupStatus // who owned when all was well last, and the epoch
	units   bool            // the two processes of an agent are started and restarted apart, as systemd does
}

func newCluster(r *run, interval time.Duration) *cluster { return clusterOf(r, interval, false) }

func clusterOf(r *run, interval time.Duration, units bool) *cluster {
	n := lab.New(r)
	c := &cluster{Article: &lab.Article{Net: n, Outer: n.Segment("outer"), Inner: n.Segment("inner")}, units: units}
	for i := range 3 {
		d := n.Director(fmt.Sprintf("d%d", i+1), c.Outer.At(fmt.Sprintf("192.0.2.%d/24", 1+i)), c.Inner.At(fmt.Sprintf("198.51.100.%d/24", 1+i)))
		d.MustRun("sysctl", "-qw", "net.ipv4.ip_forward=0")
		d.Heartbeat = config.DefaultHeartbeat.String()
		c.Directors = append(c.Directors, d)
		if units {
			d.Env = []string{"QUORATE_KEEPER=external"}
			startKeeper(d)
		}
	}
	c.Client = n.Host("visitor", c.Outer.At("192.0.2.9/24"))
	c.watcher = n.Host("watcher", c.Outer.At("192.0.2.8/24"))
	c.Cluster(r)
	text := fmt.Sprintf("router \"web\" {\n vrid = 51\n interface = \"wan\"\n interval = %q\n addresses = [\"192.0.2.100/24\"]\n}\n", interval)
	d := c.Directors[0]
	d.MustQuorate("apply", d.WriteFile("cluster.hcl", text), "--yes")
	return c
}

func startKeeper(d *lab.Director) {
	d.Start("keeper", program(), "keeper", "--config", d.AgentFile())
}

// settled waits until all is well, and returns the owner. All is well when the log has named who owns: a new
// leader takes a few seconds for that, and who dies before is found by VRRP's timer.
func (c *cluster) settled(r *run) *lab.Director {
	c.AwaitReady(r, 60*time.Second)
	host := c.AwaitOwner(r, 20*time.Second, address)
	owner := c.Directors[slices.IndexFunc(c.Directors, func(d *lab.Director) bool { return d.Host == host })]
	lab.Eventually(r, 20*time.Second, "the log names the owner", func() error {
		for _, d := range c.Directors {
			st, err := d.Status()
			if err != nil || len(st.Groups) != 1 {
				return fmt.Errorf("%s: %d groups, %w", d.Name, len(st.Groups), err)
			}
			g := st.Groups[0]
			if g.Owner != owner.Name || g.Epoch == 0 || g.Owner != c.named.Owner && g.Epoch <= c.named.Epoch {
				return fmt.Errorf("%s names %q in epoch %d", d.Name, g.Owner, g.Epoch)
			}
		}
		return nil
	})
	c.named = lab.GroupStatus{Owner: owner.Name, Epoch: c.epoch(r, owner)}
	return owner
}

// gap takes the owner away when all is well, and returns what the client saw of it.
func (c *cluster) gap(r *run, harm, heal func(*lab.Director)) lab.ProbeReport {
	owner := c.settled(r)
	probe := c.Client.Probe(lab.Probe{To: address})
	time.Sleep(300 * time.Millisecond)
	harm(owner)
	lab.Eventually(r, 20*time.Second, "another owns", func() error {
		if o := c.Owners(address); len(o) != 1 || o[0] == owner.Host {
			return fmt.Errorf("%d hosts have it", len(o))
		}
		return nil
	})
	time.Sleep(300 * time.Millisecond)
	seen := probe.Close()
	r.note("%s: %v, load average %s", owner.Name, seen, load())
	heal(owner)
	return seen
}

// deaths are how long the address was away when the owner's machine died, that often.
func (c *cluster) deaths(r *run, runs int) []time.Duration {
	var all []time.Duration
	for range runs {
		all = append(all, r.fair(func() lab.ProbeReport {
			return c.gap(r, func(owner *lab.Director) { owner.Die() }, func(owner *lab.Director) {
				owner.Revive()
				owner.MustRun("sysctl", "-qw", "net.ipv4.ip_forward=0")
				owner.Agent(r)
			})
		}))
	}
	return all
}

// leave has the owner leave the cluster, and join again.
func (c *cluster) leave(r *run) lab.ProbeReport {
	return c.gap(r, func(owner *lab.Director) { owner.MustQuorate("leave") }, func(owner *lab.Director) {
		for _, via := range c.Directors {
			if via != owner {
				owner.MustQuorate("join", via.Bind, "--token", strings.TrimSpace(via.MustQuorate("token", "create")))
				return
			}
		}
	})
}

// drain drains the owner and undoes it.
func (c *cluster) drain(r *run) lab.ProbeReport {
	return c.gap(r, func(owner *lab.Director) { owner.MustQuorate("drain", "director", owner.Name) },
		func(owner *lab.Director) { owner.MustQuorate("enable", "director", owner.Name) })
}

// move has another director own, as a person asks for.
func (c *cluster) move(r *run) lab.ProbeReport {
	return c.gap(r, func(owner *lab.Director) {
		for _, d := range c.Directors {
			if d != owner {
				owner.MustQuorate("move", "web", d.Name)
				return
			}
		}
	}, func(*lab.Director) {})
}
