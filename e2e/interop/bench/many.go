package main

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
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
	asking := newAsking(r, p)
	died := time.Now()
	p.hosts[0].Die()
	lab.Eventually(r, 60*time.Second, "the standby has all", all(1))
	time.Sleep(2 * time.Second)
	asking.end()
	before := cpu(p.speakers[1].pids())
	time.Sleep(manyFor)
	b.cpu = float64((cpu(p.speakers[1].pids()) - before).Microseconds()) / manyFor.Seconds() / float64(total)
	b.memory = float64(memory(p.speakers[1].pids())) / float64(total)
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

// asking asks for every address again and again, from the client: not by echo requests, since a thousand
// neighbours do not fit into the client's table.
type asking struct{ stop, done chan struct{} }

// askEach is how often each address is asked for.
const askEach = 20 * time.Millisecond

func newAsking(r *run, p *pair) *asking {
	a := &asking{make(chan struct{}), make(chan struct{})}
	frames := make([][][]byte, manySegments)
	for i, s := range p.segments {
		mac, from := p.client.MAC(s), p.client.Addr(s)
		for j := range perSegment {
			b := append(slices.Repeat([]byte{0xff}, 6), mac...)
			b = append(append(b, 0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1), mac...)
			b = append(append(b, from.AsSlice()...), 0, 0, 0, 0, 0, 0)
			frames[i] = append(frames[i], append(b, 10, byte(i), 1, byte(1+j)))
		}
	}
	go func() {
		defer close(a.done)
		for {
			for i, s := range p.segments {
				p.client.Send(s, frames[i]...)
			}
			select {
			case <-a.stop:
				return
			case <-time.After(askEach):
			}
		}
	}()
	r.Cleanup(a.end)
	return a
}

func (a *asking) end() {
	select {
	case <-a.stop:
	default:
		close(a.stop)
	}
	<-a.done
}

// cpu is the time that processes have had.
func cpu(pids []int) time.Duration {
	var ticks int64
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		if f := strings.Fields(rest); len(f) > 12 {
			for _, field := range f[11:13] {
				n, _ := strconv.ParseInt(field, 10, 64)
				ticks += n
			}
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// memory is what processes have in memory, in KiB.
func memory(pids []int) int64 {
	var total int64
	for _, pid := range pids {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		for line := range strings.Lines(string(text)) {
			if f := strings.Fields(line); len(f) > 1 && f[0] == "VmRSS:" {
				n, _ := strconv.ParseInt(f[1], 10, 64)
				total += n
			}
		}
	}
	return total
}
