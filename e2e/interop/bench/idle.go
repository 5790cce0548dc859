package main

import (
	"fmt"
	"time"
)

// idleFor is how long what nothing costs is measured.
const idleFor = 60 * time.Second

// idle measures what the processes cost while nothing happens: of a cluster of quorate's and a pair of
// keepalived's, in the same minute.
func idle(r *run) {
	type cost struct {
		what          string
		pids          []int
		before, spent time.Duration
	}
	var all []*cost
	r.with(func(r *run) {
		p, c := newPair(r, "keepalived", 1), newCluster(r, time.Second)
		p.speakers[0].start(one(high, time.Second))
		p.owned(r, 0, address)
		p.speakers[1].start(one(low, time.Second))
		owner := c.settled(r)
		for _, d := range c.Directors {
			role := "standby"
			if d == owner {
				role = "owner"
			}
			control, keeper := d.Control().Pid, d.Keeper().Pid
			all = append(all, &cost{what: fmt.Sprintf("quorate, %s %s: control", role, d.Name), pids: []int{control}},
				&cost{what: fmt.Sprintf("quorate, %s %s: keeper", role, d.Name), pids: []int{keeper}},
				&cost{what: fmt.Sprintf("quorate, %s %s: both", role, d.Name), pids: []int{control, keeper}})
		}
		all = append(all, &cost{what: "keepalived, owner: both processes", pids: p.speakers[0].pids()},
			&cost{what: "keepalived, standby: both processes", pids: p.speakers[1].pids()})
		time.Sleep(10 * time.Second)
		r.note("for %v", idleFor)
		for _, c := range all {
			c.before = cpu(c.pids)
		}
		time.Sleep(idleFor)
		var rows [][]string
		for _, c := range all {
			c.spent = cpu(c.pids) - c.before
			rows = append(rows, []string{c.what, fmt.Sprintf("%.2f", 100*c.spent.Seconds()/idleFor.Seconds()),
				fmt.Sprintf("%.1f", float64(memory(c.pids, "Rss"))/1024), fmt.Sprintf("%.1f", float64(memory(c.pids, "Pss"))/1024)})
		}
		table("An idle cluster of three, adverts each second: CPU and memory", []string{"process", "% of a core", "RSS MiB", "PSS MiB"}, rows)
		fmt.Println("\nAll hosts share one kernel: a process that sends also pays for the switch and for what the receiver's kernel does.")
	})
}
