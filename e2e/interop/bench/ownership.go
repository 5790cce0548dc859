package main

import (
	"fmt"
	"time"

	"github.com/quorate/quorate/e2e/lab"
)

// How often the client's gap is measured.
const (
	deathRuns = 10
	stopRuns  = 10
	moveRuns  = 20
)

// harmed measures keepalived's gap, at adverts each second.
func harmed(r *run, runs int, harm func(*pair) (harm, heal func())) (all []time.Duration) {
	r.note("keepalived")
	r.with(func(r *run) {
		p := newPair(r, "keepalived", 1)
		do, undo := harm(p)
		all = p.gaps(r, runs, time.Second, do, undo)
	})
	return all
}

// machine measures how long a client has no answer when the owner's machine dies.
func machine(r *run) {
	r.note("quorate")
	var ours []time.Duration
	r.with(func(r *run) { ours = newCluster(r, time.Second).deaths(r, deathRuns) })
	theirs := harmed(r, deathRuns, (*pair).dies)
	table("The owner's machine dies, adverts each second: the client's gap", []string{"program", "median ms", "worst", "all", "ratio"}, [][]string{
		gapsRow("quorate, three directors", ours, theirs), gapsRow("keepalived", theirs, theirs),
	})
}

func gapsRow(name string, all, theirs []time.Duration) []string {
	return []string{name, ms(median(all)), ms(quantile(all, 1)), list(all), ratio(median(all), median(theirs))}
}

// planned measures what a client loses when a person moves an address, beside keepalived's way to do so.
func planned(r *run) {
	var rows [][]string
	ways := []struct {
		name string
		do   func(*cluster, *run) lab.ProbeReport
	}{{"move", (*cluster).move}, {"drain", (*cluster).drain}}
	theirs := harmed(r, stopRuns, (*pair).stops)
	r.with(func(r *run) {
		c := newCluster(r, time.Second)
		for _, way := range ways {
			r.note("quorate, %s", way.name)
			var lost []int
			var all, stalls []time.Duration
			for range moveRuns {
				seen := way.do(c, r)
				lost, all, stalls = append(lost, seen.Lost), append(all, seen.Longest), append(stalls, seen.Stall)
			}
			rows = append(rows, []string{"quorate, " + way.name, fmt.Sprint(middle(lost)), counts(lost), ms(median(all)), ms(quantile(all, 1)), list(all), ms(quantile(stalls, 1)), ratio(median(all), median(theirs))})
		}
	})
	rows = append(rows, []string{"keepalived, stop", "-", "-", ms(median(theirs)), ms(quantile(theirs, 1)), list(theirs), "-", "1.00"})
	table("A planned move, adverts each second: echoes that the client lost, and its gap",
		[]string{"program", "lost, median", "lost, all", "gap ms, median", "worst", "all", "longest time that the client itself sent nothing", "ratio"}, rows)
}
