package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/quorate/quorate/e2e/interop"
	"github.com/quorate/quorate/e2e/lab"
)

// The size of the fleet: VRIDs are used again on each interface.
const (
	manySegments = 4
	perSegment   = 250
	manyFor      = 20 * time.Second // of service that is looked at, after the takeover
)

// burden is what a fleet cost and how it did.
type burden struct {
	longest             time.Duration // between two adverts of a router, once it was taken over
	first, middle, last time.Duration // after the death, until an address answered
	taken               int
	cpu, memory         float64 // per router: microseconds a second, and KiB
}

// many measures a thousand routers each second whose owner dies.
func many(r *run) {
	all := map[string]burden{}
	for _, name := range makes() {
		r.note("%s, %d routers", name, manySegments*perSegment)
		r.with(func(r *run) { all[name] = fleetDies(r, name) })
	}
	row := func(what string, of func(burden) string, ratio string) []string {
		return []string{what, of(all["quorate"]), of(all["keepalived"]), ratio}
	}
	q, k := all["quorate"], all["keepalived"]
	table(fmt.Sprintf("%d routers each second, %d on each of %d interfaces, whose owner dies", manySegments*perSegment, perSegment, manySegments),
		[]string{"", "quorate", "keepalived", "ratio"}, [][]string{
			row("addresses taken over", func(b burden) string { return strconv.Itoa(b.taken) }, "-"),
			row("longest advert gap of any router afterwards, ms", func(b burden) string { return ms(b.longest) }, ratio(q.longest, k.longest)),
			row("first address answers, ms after the death", func(b burden) string { return ms(b.first) }, ratio(q.first, k.first)),
			row("median", func(b burden) string { return ms(b.middle) }, ratio(q.middle, k.middle)),
			row("last", func(b burden) string { return ms(b.last) }, ratio(q.last, k.last)),
			row("CPU per router as owner, us a second", func(b burden) string { return fmt.Sprintf("%.1f", b.cpu) }, fmt.Sprintf("%.2f", q.cpu/k.cpu)),
			row("memory per router, KiB", func(b burden) string { return fmt.Sprintf("%.1f", b.memory) }, fmt.Sprintf("%.2f", q.memory/k.memory)),
		})
}

// thousand is the fleet.
func thousand(priority int) fleet {
	f := fleet{priority: priority, interval: time.Second}
	for i := range manySegments {
		for j := range perSegment {
			a := netip.AddrFrom4([4]byte{10, byte(i), 1, byte(1 + j)})
			f.routers = append(f.routers, router{"eth" + strconv.Itoa(i), 1 + j, netip.PrefixFrom(a, 16)})
		}
	}
	return f
}

// thousandAddresses are the fleet's addresses on each segment.
func thousandAddresses(p *pair) map[*lab.Segment][]netip.Addr {
	all := map[*lab.Segment][]netip.Addr{}
	for i, r := range thousand(0).routers {
		s := p.segments[i/perSegment]
		all[s] = append(all[s], r.address.Addr())
	}
	return all
}

func fleetDies(r *run, name string) burden {
	p := newPair(r, name, manySegments)
	total := manySegments * perSegment
	var b burden
	count := func(i int) int { return len(p.hosts[i].Addresses("")) }
	base := count(0)
	p.speakers[0].start(thousand(high))
	all := func(i int) func() error {
		return func() error {
			if n := count(i) - base; n < total {
				return fmt.Errorf("%d of %d addresses", n, total)
			}
			return nil
		}
	}
	lab.Eventually(r, 60*time.Second, "the owner has all", all(0))
	p.speakers[1].start(thousand(low))
	time.Sleep(6 * time.Second)
	if n := count(1) - base; n > 0 {
		r.Fatalf("%d addresses are on the standby", n)
	}
	var captures []*lab.Capture
	for _, s := range p.segments {
		captures = append(captures, p.Capture(s, "ip proto 112 or arp"))
	}
	asking := askFrom(r, p.client, thousandAddresses(p), 20*time.Millisecond)
	died := time.Now()
	p.hosts[0].Die()
	lab.Eventually(r, 60*time.Second, "the standby has all", all(1))
	time.Sleep(2 * time.Second)
	asking.end()
	before := cpu(p.speakers[1].pids())
	time.Sleep(manyFor)
	b.cpu = float64((cpu(p.speakers[1].pids()) - before).Microseconds()) / manyFor.Seconds() / float64(total)
	b.memory = float64(memory(p.speakers[1].pids(), "Rss")) / float64(total)
	var reached []time.Duration
	for i, c := range captures {
		c.Close()
		frames, err := interop.ReadCapture(c.File)
		if err != nil {
			r.Fatalf("%v", err)
		}
		b.longest = max(b.longest, longest(frames, p.hosts[1].MAC(p.segments[i])))
		for _, at := range answers(frames, p.hosts[1].MAC(p.segments[i])) {
			reached = append(reached, at.Sub(died))
		}
	}
	b.taken = len(reached)
	b.first, b.middle, b.last = quantile(reached, 0), median(reached), quantile(reached, 1)
	return b
}

// longest is the longest time between two adverts of one router of a host's.
func longest(frames []interop.Frame, mac []byte) time.Duration {
	var worst time.Duration
	last := map[int]time.Time{}
	for _, f := range frames {
		if f.Kind != interop.Advert || !slices.Equal(f.From, mac) {
			continue
		}
		if at, ok := last[f.VRID]; ok {
			worst = max(worst, f.At.Sub(at))
		}
		last[f.VRID] = f.At
	}
	return worst
}

// answers is when a host first answered for each address.
func answers(frames []interop.Frame, mac []byte) map[netip.Addr]time.Time {
	first := map[netip.Addr]time.Time{}
	for _, f := range frames {
		if f.Op != 2 || !slices.Equal(f.SenderMAC, mac) {
			continue
		}
		if _, ok := first[f.Src]; !ok {
			first[f.Src] = f.At
		}
	}
	return first
}
