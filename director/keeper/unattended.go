package keeper

import (
	"bytes"
	"context"
	"errors"
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

// query is what the segment of a link is asked for a group: who has its addresses, those of the other directors, and that of this host:
// who answers for that one is a proxy, which answers for whatever it is asked.
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
	members []place    // those whose it may be
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
		found, err := k.answerers(queries, a.For)
		select {
		case k.calls <- func() { k.answered(time.Now(), name, a, found, err) }:
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

// peers are the addresses, on a router's link, of the other directors; link-local ones only if they were heard there, since all links have
// the same subnet. A foreign router is not among them: the cluster changes nothing of what that one says, and who hears it no more takes
// from it, as RFC 9568 has it. But of a virtual MAC address nobody can tell whose it is: while any director answers, it counts as one's.
func (k *keeper) peers(r *router) []netip.Addr {
	var out []netip.Addr
	for m := range k.members {
		on := func(p netip.Prefix) bool { return p.Contains(m) }
		_, heard := k.signs[place{r.spec.identity().link, m}]
		if m.Is6() == r.spec.identity().V6 && m != r.source && slices.ContainsFunc(r.judge.Subnets, on) && (heard || !m.IsLinkLocalUnicast()) {
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
// The error is that of the last attempt.
func (k *keeper) answerers(queries []query, long time.Duration) ([]answerer, error) {
	begun, found, err := time.Now(), []answerer(nil), error(nil)
	for _, at := range Attempts(long) {
		if !k.pause(begun.Add(at)) {
			return nil, nil
		}
		all, errs := make([][]answerer, len(queries)), make([]error, len(queries))
		var asking sync.WaitGroup
		for i, q := range queries {
			asking.Go(func() { all[i], errs[i] = k.askOnce(q) })
		}
		asking.Wait()
		err = errors.Join(errs...)
		if found = slices.Concat(all...); slices.ContainsFunc(found, counts) {
			return found, err
		}
	}
	k.pause(begun.Add(long))
	return found, err
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
func (k *keeper) askOnce(q query) ([]answerer, error) {
	virtual := slices.SortedFunc(maps.Keys(q.virtual), netip.Addr.Compare)
	found, err := k.segments.ask(q.place, virtual, slices.Clone(q.members))
	var out []answerer
	for _, a := range virtual {
		for _, mac := range found[a] {
			out = append(out, q.answerer(a, mac, found))
		}
	}
	return out, err
}

// answerer finds whose a MAC address is that answers for a virtual one.
func (q query) answerer(virtual netip.Addr, mac net.HardwareAddr, found map[netip.Addr][]net.HardwareAddr) answerer {
	a := answerer{address: virtual, mac: mac}
	proxied := func(m net.HardwareAddr) bool { return has(found[q.source], m) }
	if proxied(mac) {
		return a
	}
	for _, o := range q.members {
		own := has(found[o], mac)
		if own && !a.owner.IsValid() {
			a.owner = o
		}
		there := slices.ContainsFunc(found[o], func(m net.HardwareAddr) bool { return !proxied(m) })
		if own || there && q.virtual[virtual] && vrrp.IsVirtualMAC(mac) { // whatever its VRID is now
			a.counts, a.members = true, append(a.members, place{q.link, o})
		}
	}
	return a
}

func has(macs []net.HardwareAddr, mac net.HardwareAddr) bool {
	return slices.ContainsFunc(macs, func(m net.HardwareAddr) bool { return bytes.Equal(m, mac) })
}

// counts reports whether an answer keeps a group from being taken. A real server that answers for a virtual address by mistake does not.
func counts(a answerer) bool { return a.counts }

// sign notes that a member has sent an advert: one that no router believes, or that is of none, shows all the same that it lives.
func (k *keeper) sign(now time.Time, l link, src netip.Addr) {
	if k.members[src] {
		k.signs[place{l, src}] = now
	}
}

// signed is when one of those that count was last heard to live.
func (k *keeper) signed(found []answerer) (at time.Time) {
	for _, f := range found {
		for _, m := range f.members {
			if s := k.signs[m]; s.After(at) {
				at = s
			}
		}
	}
	return at
}

// answered takes what became of a question. It is told once that a group is not taken, until it is heard again.
func (k *keeper) answered(now time.Time, name string, a vrrp.Ask, found []answerer, err error) {
	g := k.groups[name]
	if g == nil {
		return
	}
	taken, told := slices.ContainsFunc(found, counts), g.machine.Answered()
	k.carry(now, g, g.machine.Step(now, "", vrrp.Answer{Until: a.Until, Taken: taken, Signed: k.signed(found)}))
	takes := g.machine.State() == vrrp.Backup && !g.machine.Deadline().After(now) // a moment later
	var who []string
	for _, f := range found {
		if f.counts == taken {
			who = append(who, f.String())
		}
	}
	if takes && err != nil {
		k.event(now, g, fmt.Sprintf("control is away, and the segment could not be asked who has the addresses: %v: they are taken all the same", err))
	}
	switch {
	case len(who) == 0:
	case taken && takes:
		k.event(now, g, fmt.Sprintf("control is away, and %s, but no director that could be it has sent an advert for %v or more: the answer may be a cache's, and it is taken all the same",
			strings.Join(who, ", "), vrrp.HeldBack))
	case taken && !told && g.machine.Answered():
		k.event(now, g, "control is away, and the owner is heard no more, but "+strings.Join(who, ", ")+": it is not taken while that is so")
	case !taken && takes:
		k.event(now, g, strings.Join(who, ", ")+", which is no director: it is taken all the same")
	}
}
