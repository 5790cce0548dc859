package main

import (
	"fmt"
	"runtime"
	"time"

	"github.com/quorate/quorate/e2e/interop"
	"github.com/quorate/quorate/e2e/lab"
)

// lateFor is how long adverts are looked at.
const lateFor = 60 * time.Second

// late measures how late adverts leave at the shortest interval, beside a load on every core: as much as
// each is later than an interval after the one before it, by the capture's clock.
func late(r *run) {
	const interval = 10 * time.Millisecond
	all := map[string][]time.Duration{}
	names := append(makes(), "keepalived, real-time")
	for _, name := range names {
		r.note("%s for %v", name, lateFor)
		r.with(func(r *run) {
			p := newPair(r, name, 1)
			p.speakers[0].start(one(high, interval))
			p.owned(r, 0, "192.0.2.100")
			for i := range runtime.NumCPU() {
				p.client.Start(fmt.Sprint("load", i), "sh", "-c", "while :; do :; done") // ends with the network
			}
			time.Sleep(time.Second)
			c := p.Capture(p.segments[0], "ip proto 112")
			time.Sleep(lateFor)
			c.Close()
			all[name] = lateness(r, c, interval)
		})
	}
	var rows [][]string
	for _, name := range names {
		row := []string{name, fmt.Sprint(len(all[name]))}
		for _, share := range []float64{0.5, 0.99, 0.999, 1} {
			row = append(row, ms(quantile(all[name], share)))
		}
		rows = append(rows, append(row, ratio(quantile(all[name], 0.999), quantile(all["keepalived"], 0.999)), ratio(quantile(all[name], 1), quantile(all["keepalived"], 1))))
	}
	table("Adverts each 10 ms with every core busy: how late they are", []string{"program", "adverts", "p50 ms", "p99", "p99.9", "worst", "ratio of p99.9", "ratio of worst"}, rows)
}

func lateness(r *run, c *lab.Capture, interval time.Duration) []time.Duration {
	frames, err := interop.ReadCapture(c.File)
	if err != nil {
		r.Fatalf("%v", err)
	}
	var all []time.Duration
	var last time.Time
	for _, f := range frames {
		if f.Kind != interop.Advert {
			continue
		}
		if !last.IsZero() {
			all = append(all, max(0, f.At.Sub(last)-interval))
		}
		last = f.At
	}
	if len(all) < 100 {
		r.Fatalf("%d adverts were captured", len(all))
	}
	return all
}
