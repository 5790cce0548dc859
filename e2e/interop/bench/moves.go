package main

import (
	"time"

	"github.com/quorate/quorate/e2e/lab"
)

// runs is how often a gap is measured, with each interval.
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
func (p *pair) gaps(r *run, runs int, interval time.Duration, harm, heal func()) []time.Duration {
	p.speakers[0].start(one(high, interval))
	p.owned(r, 0, address)
	p.speakers[1].start(one(low, interval))
	var all []time.Duration
	for i := range runs {
		// Not always at the same time of an interval: the gap is shorter by what has passed of it.
		all = append(all, r.fair(func() lab.ProbeReport {
			time.Sleep(4*interval + time.Duration(i)*interval/time.Duration(runs) + 300*time.Millisecond)
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
				all[name] = p.gaps(r, runs, interval, do, undo)
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
	compare(r, "The owner's machine dies: the client's gap", (*pair).dies, func(r *run, interval time.Duration) map[string][]time.Duration {
		return map[string][]time.Duration{"dies": newCluster(r, interval).deaths(r, runs)}
	})
}

func stop(r *run) {
	compare(r, "The owner stops in order: the client's gap", (*pair).stops, func(r *run, interval time.Duration) map[string][]time.Duration {
		c := newCluster(r, interval)
		all := map[string][]time.Duration{}
		for range runs {
			all["drain"] = append(all["drain"], r.fair(func() lab.ProbeReport { return c.drain(r) }))
		}
		for range runs {
			all["leave"] = append(all["leave"], r.fair(func() lab.ProbeReport { return c.leave(r) }))
		}
		return all
	})
}
