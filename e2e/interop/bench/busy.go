package main

import (
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/quorate/quorate/e2e/interop"
	"github.com/quorate/quorate/e2e/lab"
)

// calm is what was seen on a wire on which nothing should have happened.
type calm struct {
	adverts, moves int           // moves: how often another than before spoke
	worst          time.Duration // between two adverts
}

// busy has every core of the machine busy for long, and looks whether anything moves: of a cluster of
// quorate's and a pair of keepalived's at the same time.
func busy(r *run) {
	r.with(func(r *run) {
		p, c := newPair(r, "keepalived", 1), newCluster(r, time.Second)
		p.speakers[0].start(one(high, time.Second))
		p.owned(r, 0, address)
		p.speakers[1].start(one(low, time.Second))
		epoch := c.epoch(r, c.settled(r))
		for i := range runtime.NumCPU() {
			p.client.Start(fmt.Sprint("load", i), "sh", "-c", "while :; do :; done") // ends with the network
		}
		time.Sleep(time.Second)
		r.note("for %v", *busyFor)
		wires := []*lab.Capture{c.Capture(c.Outer, "ip proto 112"), p.Capture(p.segments[0], "ip proto 112")}
		var probes []*lab.Prober
		for _, h := range []*lab.Host{c.Client, p.client} {
			probes = append(probes, h.Probe(lab.Probe{To: address, Interval: 10 * time.Millisecond, Limit: 2 * *busyFor}))
		}
		time.Sleep(*busyFor)
		var rows [][]string
		entries := fmt.Sprint(c.epoch(r, c.settled(r)) - epoch)
		for i, name := range []string{"quorate, three directors", "keepalived"} {
			seen := probes[i].Close()
			wires[i].Close()
			s := calmOf(r, wires[i])
			rows = append(rows, []string{name, fmt.Sprint(s.adverts), fmt.Sprint(s.moves), entries, ms(s.worst), fmt.Sprint(seen.Sent), fmt.Sprint(seen.Lost), ms(seen.Longest), ms(seen.Stall)})
			entries = "-"
		}
		table(fmt.Sprintf("Every core busy for %v, adverts each second: what moved", *busyFor),
			[]string{"program", "adverts", "takeovers", "epochs", "worst advert gap ms", "echoes, each 10 ms", "lost", "longest gap ms", "longest time that the client itself sent nothing"}, rows)
	})
}

// epoch is the epoch of the group, as a director knows it.
func (c *cluster) epoch(r *run, d *lab.Director) uint64 {
	st, err := d.Status()
	if err != nil || len(st.Groups) != 1 {
		r.Fatalf("status of %s: %+v, %v", d.Name, st, err)
	}
	return st.Groups[0].Epoch
}

// calmOf reads a capture of adverts.
func calmOf(r *run, c *lab.Capture) calm {
	frames, err := interop.ReadCapture(c.File)
	if err != nil {
		r.Fatalf("%v", err)
	}
	var s calm
	var last interop.Frame
	for _, f := range frames {
		if f.Kind != interop.Advert {
			continue
		}
		if s.adverts++; s.adverts > 1 {
			s.worst = max(s.worst, f.At.Sub(last.At))
			if !slices.Equal(f.From, last.From) {
				s.moves++
			}
		}
		last = f
	}
	if s.adverts == 0 {
		r.Fatalf("no advert was captured")
	}
	return s
}
