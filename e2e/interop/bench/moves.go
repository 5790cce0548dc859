package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/quorate/quorate/e2e/lab"
)

// runs is how often a gap is measured.
const runs = 5

func intervals() []time.Duration {
	return []time.Duration{time.Second, 100 * time.Millisecond, 10 * time.Millisecond}
}

// The priorities of the pair.
const (
	high = 150
	low  = 100
)

// gaps takes the owner away again and again, and returns what the client saw of it.
func (p *pair) gaps(r *run, interval time.Duration, harm, heal func()) []time.Duration {
	const address = "192.0.2.100"
	p.speakers[0].start(one(high, interval))
	p.owned(r, 0, address)
	p.speakers[1].start(one(low, interval))
	var all []time.Duration
	for i := range runs {
		// Not always at the same time of an interval: the gap is shorter by what has passed of it.
		all = append(all, r.fair(func() lab.ProbeReport {
			time.Sleep(4*interval + time.Duration(i)*interval/runs + 300*time.Millisecond)
			p.owned(r, 0, address)
			probe := p.client.Probe(lab.Probe{To: address})
			time.Sleep(200 * time.Millisecond)
			harm()
			p.owned(r, 1, address)
			time.Sleep(300 * time.Millisecond)
			report := probe.Close()
			heal()
			p.speakers[0].start(one(high, interval))
			p.owned(r, 0, address)
			return report
		}))
	}
	return all
}

// A client that stood still itself for this long says nothing about a gap that is as short. It is asked again
// for so many times.
const (
	stillness = 5 * time.Millisecond
	tries     = 4
)

// fair returns how long the address was away in a round in which the client was well.
func (r *run) fair(round func() lab.ProbeReport) time.Duration {
	for try := 1; ; try++ {
		report := round()
		still := report.Stall > max(stillness, report.Away/20)
		if still {
			r.note("the client itself stood still for %v, in try %d of %d", report.Stall, try, tries)
		}
		if !still || try == tries {
			return report.Away
		}
	}
}

// compare measures both programs, and a cluster of quorate's, at each interval.
func compare(r *run, title string, harm func(*pair) (harm, heal func()), cluster func(*run, time.Duration) map[string][]time.Duration) {
	var rows [][]string
	for _, interval := range intervals() {
		all := map[string][]time.Duration{}
		for _, name := range makes() {
			r.note("%s, each %v", name, interval)
			r.with(func(r *run) {
				p := newPair(r, name, 1)
				do, undo := harm(p)
				all[name] = p.gaps(r, interval, do, undo)
			})
		}
		theirs := median(all["keepalived"])
		for _, name := range makes() {
			rows = append(rows, []string{interval.String(), name, ms(median(all[name])), list(all[name]), ratio(median(all[name]), theirs)})
		}
		r.note("a cluster, each %v", interval)
		more := map[string][]time.Duration{}
		r.with(func(r *run) { more = cluster(r, interval) })
		for _, what := range []string{"dies", "drain", "leave"} {
			if times := more[what]; len(times) > 0 {
				rows = append(rows, []string{interval.String(), "quorate, three directors: " + what, ms(median(times)), list(times), ratio(median(times), theirs)})
			}
		}
	}
	table(title, []string{"interval", "program", "median ms", "all", "ratio"}, rows)
}

func death(r *run) {
	compare(r, "The owner's machine dies: the client's gap", func(p *pair) (func(), func()) {
		return p.hosts[0].Die, func() { p.hosts[0].Revive(); p.quiet(0) }
	}, func(r *run, interval time.Duration) map[string][]time.Duration {
		c := newCluster(r, interval)
		var all []time.Duration
		for range runs {
			all = append(all, c.gap(r, func(owner *lab.Director) { owner.Die() }, func(owner *lab.Director) {
				owner.Revive()
				owner.MustRun("sysctl", "-qw", "net.ipv4.ip_forward=0")
				owner.Agent(r)
			}))
		}
		return map[string][]time.Duration{"dies": all}
	})
}

func stop(r *run) {
	compare(r, "The owner stops in order: the client's gap", func(p *pair) (func(), func()) {
		return p.speakers[0].stop, func() {}
	}, func(r *run, interval time.Duration) map[string][]time.Duration {
		c := newCluster(r, interval)
		all := map[string][]time.Duration{}
		for range runs {
			all["drain"] = append(all["drain"], c.gap(r, func(owner *lab.Director) {
				owner.MustQuorate("drain", "director", owner.Name)
			}, func(owner *lab.Director) { owner.MustQuorate("enable", "director", owner.Name) }))
		}
		for range runs {
			all["leave"] = append(all["leave"], c.gap(r, func(owner *lab.Director) { owner.MustQuorate("leave") }, func(owner *lab.Director) {
				for _, via := range c.Directors {
					if via != owner {
						owner.MustQuorate("join", via.Bind, "--token", strings.TrimSpace(via.MustQuorate("token", "create")))
						return
					}
				}
			}))
		}
		return all
	})
}

// cluster is three directors whose agents are one cluster, with one router.
type cluster struct{ *lab.Article }

func newCluster(r *run, interval time.Duration) *cluster {
	n := lab.New(r)
	c := &cluster{&lab.Article{Net: n, Outer: n.Segment("outer"), Inner: n.Segment("inner")}}
	for i := range 3 {
		d := n.Director(fmt.Sprintf("d%d", i+1), c.Outer.At(fmt.Sprintf("192.0.2.%d/24", 1+i)), c.Inner.At(fmt.Sprintf("198.51.100.%d/24", 1+i)))
		d.MustRun("sysctl", "-qw", "net.ipv4.ip_forward=0")
		c.Directors = append(c.Directors, d)
	}
	c.Client = n.Host("client", c.Outer.At("192.0.2.9/24"))
	c.Cluster(r)
	text := fmt.Sprintf("router \"web\" {\n vrid = 51\n interface = \"wan\"\n interval = %q\n addresses = [\"192.0.2.100/24\"]\n}\n", interval)
	d := c.Directors[0]
	d.MustQuorate("apply", d.WriteFile("cluster.hcl", text), "--yes")
	return c
}

// gap takes the owner away when all is well, and returns what the client saw of it.
func (c *cluster) gap(r *run, harm, heal func(*lab.Director)) time.Duration {
	return r.fair(func() lab.ProbeReport { return c.move(r, harm, heal) })
}

func (c *cluster) move(r *run, harm, heal func(*lab.Director)) lab.ProbeReport {
	const address = "192.0.2.100"
	c.AwaitReady(r, 60*time.Second)
	host := c.AwaitOwner(r, 20*time.Second, address)
	var owner *lab.Director
	for _, d := range c.Directors {
		if d.Host == host {
			owner = d
		}
	}
	lab.Eventually(r, 20*time.Second, "the log names the owner", func() error {
		for _, d := range c.Directors {
			if st, err := d.Status(); err != nil || st.Owner("web") != owner.Name {
				return fmt.Errorf("%s names %q: %w", d.Name, st.Owner("web"), err)
			}
		}
		return nil
	})
	probe := c.Client.Probe(lab.Probe{To: address})
	time.Sleep(300 * time.Millisecond)
	harm(owner)
	lab.Eventually(r, 20*time.Second, "another owns", func() error {
		if o := c.Owners(address); len(o) != 1 || o[0] == host {
			return fmt.Errorf("%d hosts have it", len(o))
		}
		return nil
	})
	time.Sleep(300 * time.Millisecond)
	report := probe.Close()
	heal(owner)
	return report
}
