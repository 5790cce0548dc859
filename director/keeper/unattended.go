package keeper

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/quorate/quorate/director/vrrp"
)

// Away is for how long control may say nothing until it counts as away: it asks for the status once a second at least.
const Away = 2 * time.Second

// Who asks the segment of an interface, until ctx ends, who has the targets: from source, an address of this host there. It returns
// the MAC addresses that answered for each. It may be called concurrently.
type Who func(ctx context.Context, iface string, source netip.Addr, targets []netip.Addr) (map[netip.Addr][]net.HardwareAddr, error)

// query is what the segment of a link is asked for a group: who has its addresses, and those of the other directors.
type query struct {
	place
	virtual map[netip.Addr]bool // those of the group; true: with a virtual MAC address
	members []netip.Addr        // the directors' own
}

// answerer is who answers for an address of a group.
type answerer struct {
	address netip.Addr
	mac     net.HardwareAddr
	owner   netip.Addr // the director whose it is; invalid: nobody knows
	counts  bool       // it is a director
}

func (a answerer) String() string {
	if a.owner.IsValid() {
		return fmt.Sprintf("%v answers for %v (%v)", a.owner, a.address, a.mac)
	}
	return fmt.Sprintf("%v answers for %v", a.mac, a.address)
}

// unattended reports whether a group that a timer would have taken now asks the segments first: control is away, and may not have told
// what the others were told. A control that is back may not know it either at once.
func (k *keeper) unattended(now time.Time, g *group) bool {
	return k.cfg.Who != nil && (k.asked.away(now) || g.machine.Answered() && !k.asked.settled(now))
}

// ask asks the segments of a group, away from the loop.
func (k *keeper) ask(g *group, a vrrp.Ask) {
	queries, name := k.queries(g), g.spec.Name
	k.waiting.Go(func() {
		found := k.answerers(queries, a.For)
		select {
		case k.calls <- func() { k.answered(time.Now(), name, a, found) }:
		case <-k.over:
		}
	})
}

// queries are what is asked for a group.
func (k *keeper) queries(g *group) []query {
	on := map[place]*query{}
	for id, r := range g.routers {
		if r.machine == nil || !r.source.IsValid() {
			continue
		}
		p := place{id.link, r.source}
		q := on[p]
		if q == nil {
			q = &query{place: p, virtual: map[netip.Addr]bool{}}
			on[p] = q
		}
		for _, a := range r.spec.Kept() {
			if addr := a.Prefix.Addr(); addr.Is6() == id.V6 {
				q.virtual[addr] = r.spec.VirtualMAC
			}
		}
		q.members = append(q.members, k.peers(r)...)
	}
	out := make([]query, 0, len(on))
	for _, q := range on {
		q.members = distinct(q.members)
		out = append(out, *q)
	}
	return out
}

// peers are the addresses, on a router's link, of the other directors. A foreign router is not among them: the cluster changes nothing of
// what that one says, and who hears it no more takes from it, as RFC 9568 has it.
func (k *keeper) peers(r *router) []netip.Addr {
	var out []netip.Addr
	for m := range k.members {
		on := func(p netip.Prefix) bool { return p.Contains(m) }
		if m.Is6() == r.spec.identity().V6 && m != r.source && slices.ContainsFunc(r.judge.Subnets, on) {
			out = append(out, m)
		}
	}
	return out
}

const (
	// AskEach is how long one attempt to ask the segments lasts.
	AskEach = 100 * time.Millisecond
	// attempts is how many there are of a question at most, but for the last.
	attempts = 10
)

// Attempts are when the segments are asked in a question of that length, from its begin on. The last is as late as can be: who has taken
// the addresses meanwhile answers that.
func Attempts(long time.Duration) []time.Duration {
	var at []time.Duration
	last := max(long-AskEach, 0)
	for next := time.Duration(0); next < last; next += max(AskEach, long/attempts) {
		at = append(at, next)
	}
	return append(at, last)
}

// answerers asks all segments, again and again for that long, until a director answers. Without such a one it lasts that long,
// whoever answers: of several directors the one with the highest priority is first, as ever.
func (k *keeper) answerers(queries []query, long time.Duration) []answerer {
	begun, found := time.Now(), []answerer(nil)
	for _, at := range Attempts(long) {
		if !k.pause(begun.Add(at)) {
			return nil
		}
		all := make([][]answerer, len(queries))
		var asking sync.WaitGroup
		for i, q := range queries {
			asking.Go(func() { all[i] = k.askOnce(q) })
		}
		asking.Wait()
		if found = slices.Concat(all...); slices.ContainsFunc(found, counts) {
			return found
		}
	}
	k.pause(begun.Add(long))
	return found
}

// pause waits until a time, and reports whether the keeper goes on.
func (k *keeper) pause(until time.Time) bool {
	select {
	case <-k.over:
		return false
	case <-time.After(time.Until(until)):
		return true
	}
}

// askOnce asks a segment once.
func (k *keeper) askOnce(q query) []answerer {
	virtual := slices.SortedFunc(maps.Keys(q.virtual), netip.Addr.Compare)
	found := k.segments.ask(q.place, virtual, slices.Clone(q.members))
	var out []answerer
	for _, a := range virtual {
		for _, mac := range found[a] {
			out = append(out, q.answerer(a, mac, found))
		}
	}
	return out
}

// answerer finds whose a MAC address is that answers for a virtual one.
func (q query) answerer(virtual netip.Addr, mac net.HardwareAddr, found map[netip.Addr][]net.HardwareAddr) answerer {
	a := answerer{address: virtual, mac: mac}
	for _, o := range q.members {
		a.counts = a.counts || found[o] != nil && q.virtual[virtual] && vrrp.IsVirtualMAC(mac) // whatever its VRID is now
		if slices.ContainsFunc(found[o], func(m net.HardwareAddr) bool { return bytes.Equal(m, mac) }) {
			a.owner, a.counts = o, true
		}
	}
	return a
}

// counts reports whether an answer keeps a group from being taken. A real server that answers for a virtual address by mistake does not.
func counts(a answerer) bool { return a.counts }

// answered takes what became of a question. It is told once that a group is not taken, until it is heard again.
func (k *keeper) answered(now time.Time, name string, a vrrp.Ask, found []answerer) {
	g := k.groups[name]
	if g == nil {
		return
	}
	taken, told := slices.ContainsFunc(found, counts), g.machine.Answered()
	k.carry(now, g, g.machine.Step(now, "", vrrp.Answer{Until: a.Until, Taken: taken}))
	var who []string
	for _, f := range found {
		if f.counts == taken {
			who = append(who, f.String())
		}
	}
	switch {
	case len(who) == 0:
	case taken && !told && g.machine.Answered():
		k.event(now, g, "control is away, and the owner is heard no more, but "+strings.Join(who, ", ")+": it is not taken while that is so")
	case !taken && g.machine.State() == vrrp.Backup && !g.machine.Deadline().After(now): // a moment later
		k.event(now, g, strings.Join(who, ", ")+", which is no director: it is taken all the same")
	}
}
