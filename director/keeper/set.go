package keeper

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/quorate/quorate/director/vrrp"
)

// mover is a router between two groups, or the heir of one that goes.
type mover struct {
	router  *router
	machine *vrrp.Machine
	from    string // the interface that an heir leaves, if it is another
}

// set makes the groups equal to the order. Going names the groups that go on as Active.
//
// A router that moves to another group takes its state along, and its addresses never leave the
// kernel: [vrrp.Group.Join] says who is Active then. So does a router whose VRID or interface changes: who has its
// addresses under the new one is its heir. Neither says priority 0. A router that is gone does, and
// one on an interface that was not looked at yet joins its group when that has been done, so that the
// others do not stop for it.
func (k *keeper) set(now time.Time, o Order, going map[string]bool) {
	k.worker.batch.Lock() // so that it sees no address that nobody wants for a moment
	defer k.worker.batch.Unlock()
	k.order, k.recorded, k.changed = o, false, true
	k.asked.told(now, o.Apart)
	k.worker.setPace(cmp.Or(o.AnnounceRate, announceRate), cmp.Or(o.AnnounceBurst, announceBurst))
	clear(k.members)
	for _, m := range o.Members {
		k.members[m] = true
	}
	maps.DeleteFunc(k.signs, func(p place, _ time.Time) bool { return !k.members[p.source] })
	k.worker.setRefused(o.refused())
	k.quiet.set(o.Quiet)
	moving := k.moving(now, o)
	for name, g := range k.groups {
		if slices.ContainsFunc(o.Groups, func(spec Group) bool { return spec.Name == name }) {
			continue
		}
		for id := range g.routers {
			k.leave(now, g, id)
		}
		g.answer(errors.New("the group is gone"))
		delete(k.groups, name)
	}
	for _, spec := range o.Groups {
		k.setGroup(now, spec, moving, going[spec.Name])
	}
	k.need()
}

// moving takes the routers that change their group out of the old ones.
func (k *keeper) moving(now time.Time, o Order) map[identity]*mover {
	out := map[identity]*mover{}
	next := map[identity]Group{}
	for _, spec := range o.Groups {
		for _, r := range spec.Routers {
			next[r.identity()] = spec
		}
	}
	for _, spec := range o.Groups {
		for _, r := range spec.Routers {
			id := r.identity()
			if g := k.at[id]; g != nil && g.spec.Name == spec.Name {
				continue
			} else if g != nil {
				was := g.routers[id]
				out[id] = &mover{router: was, machine: k.detach(g, id)}
				continue
			}
			if old, g := k.ancestor(r, next); g != nil {
				out[id] = k.inherit(now, g, old, r)
			}
		}
	}
	return out
}

// ancestor finds the Active router whose addresses a new one gets, and that is gone with the order.
func (k *keeper) ancestor(r Router, next map[identity]Group) (identity, *group) {
	for id, g := range k.at {
		old := g.routers[id]
		if _, stays := next[id]; stays || id.V6 != r.identity().V6 || !old.owned || old.machine.State() != vrrp.Active {
			continue
		}
		for _, a := range r.Addresses {
			if slices.Contains(old.spec.Addresses, a) {
				return id, g
			}
		}
	}
	return identity{}, nil
}

// inherit makes the heir of a router that is gone without a word. One on another link says nothing until it knows its source there.
func (k *keeper) inherit(now time.Time, g *group, old identity, spec Router) *mover {
	was := g.routers[old]
	heir, from := newRouter(), ""
	if old.link == spec.identity().link {
		heir.source, heir.judge = was.source, was.judge
	} else {
		from = old.Interface
	}
	heir.owned, heir.wanted = true, k.worker.own(spec.identity(), spec, &heir.spoke)
	k.worker.release(old)
	return &mover{heir, k.detach(g, old).Heir(now), from}
}

// detach takes a router out without a word.
func (k *keeper) detach(g *group, id identity) *vrrp.Machine {
	m := g.machine.Detach(id.String())
	delete(g.routers, id)
	delete(g.names, id.String())
	delete(k.at, id)
	return m
}

// leave takes one router out with priority 0.
func (k *keeper) leave(now time.Time, g *group, id identity) {
	r := g.routers[id]
	machine, effects := g.machine.Remove(now, id.String())
	k.carry(now, g, effects)
	k.detach(g, id)
	if machine != nil && !machine.Deadline().IsZero() {
		k.parting = append(k.parting, &parting{id: id, router: r, machine: machine})
	}
}

// setGroup makes one group what the order says.
func (k *keeper) setGroup(now time.Time, spec Group, moving map[identity]*mover, going bool) {
	g := k.groups[spec.Name]
	yields := g != nil && spec.Yield != "" && g.spec.Yield == ""
	if g == nil {
		g = &group{machine: vrrp.NewGroup(), routers: map[identity]*router{}, names: map[string]identity{}, changes: map[string]uint64{}, since: now, spec: spec}
		k.groups[spec.Name] = g
	}
	if g.spec.Priority != spec.Priority || g.spec.Epoch != spec.Epoch {
		g.claimed = false
	}
	g.spec = spec
	for id := range g.routers {
		if !slices.ContainsFunc(spec.Routers, func(r Router) bool { return r.identity() == id }) {
			k.leave(now, g, id)
		}
	}
	for _, r := range spec.Routers {
		switch m := moving[r.identity()]; {
		case m != nil && m.machine != nil:
			k.adopt(now, g, r, m)
		case g.routers[r.identity()] != nil:
			k.setRouter(now, g, r)
		default:
			k.newRouter(g, r)
		}
	}
	priority := spec.Priority
	if g.claimed {
		priority = g.machine.Priority()
	}
	k.carry(now, g, g.machine.Step(now, "", spec.setPriority(priority)))
	if yields && g.machine.State() == vrrp.Active { // after the priority, by which the down interval goes
		k.carry(now, g, g.machine.Step(now, "", vrrp.Resign{Reason: "gives it up once: " + spec.Yield}))
	}
	for id, r := range g.routers {
		if f, ok := k.links[id.link]; ok && r.machine != nil {
			k.learnRouter(now, g, id, r, f) // what blocks it may have come or gone
		}
	}
	k.join(now, g, going)
}

// adopt takes a router in with the state that it has.
func (k *keeper) adopt(now time.Time, g *group, spec Router, m *mover) {
	id := spec.identity()
	fault := ""
	if f, ok := k.links[id.link]; ok {
		fault = k.fault(g.spec, spec, f)
	}
	g.machine.Adopt(id.String(), m.machine, fault)
	g.begun = true
	m.router.machine = m.machine
	k.enter(g, id, m.router)
	k.setRouter(now, g, spec)
	if m.from != "" { // nobody there knows yet where the addresses are
		k.announce(id, m.router)
		k.event(now, g, fmt.Sprintf("%s: goes on, on %s in place of %s", spec.Name, spec.Interface, m.from))
	}
}

// enter puts a router into a group. What one of its name was still to say is not said.
func (k *keeper) enter(g *group, id identity, r *router) {
	g.routers[id], g.names[id.String()], k.at[id] = r, id, g
	k.parting = slices.DeleteFunc(k.parting, func(p *parting) bool { return p.id == id })
}

// setRouter makes a router that runs what the order says.
func (k *keeper) setRouter(now time.Time, g *group, spec Router) {
	id := spec.identity()
	r := g.routers[id]
	again := !r.spec.same(spec)
	list := !slices.Equal(r.spec.Addresses, spec.Addresses)
	k.inform(r, spec)
	if r.owned && again {
		r.wanted = k.worker.own(id, spec, &r.spoke)
	}
	if list && r.machine.State() == vrrp.Active { // peers learn the new list now, not an interval later
		k.advertise(now, id, r, r.machine.Priority())
	}
	k.carry(now, g, g.machine.Step(now, id.String(), vrrp.SetInterval{Interval: spec.Interval}))
}

func newRouter() *router {
	return &router{
		drops: map[vrrp.Drop]uint64{}, notices: map[vrrp.Notice]uint64{}, noted: map[netip.Addr]uint64{},
	}
}

// newRouter takes a router in that was nowhere.
func (k *keeper) newRouter(g *group, spec Router) {
	r := newRouter()
	k.inform(r, spec)
	k.enter(g, spec.identity(), r)
}

// join gives the machine the routers whose link was looked at. A group that is new waits for all.
func (k *keeper) join(now time.Time, g *group, going bool) {
	waiting := false
	for id, r := range g.routers {
		f, ok := k.links[id.link]
		switch {
		case r.machine != nil:
		case !ok || !k.looked(r.spec):
			waiting = true
		default:
			f.source = k.from(r.spec, f)
			r.learn(f)
			k.speak(r)
			cfg := vrrp.Config{
				Source: f.source, Interval: r.spec.Interval, Priority: g.spec.Priority, Preempt: g.spec.Preempt,
				PreemptDelay: g.spec.PreemptDelay, Version: vrrp.Version(r.spec.Version), VirtualMAC: r.spec.VirtualMAC,
			}
			if p := g.machine.Priority(); p != 0 {
				cfg.Priority = p // a claim holds for all routers
			}
			g.machine.Add(id.String(), cfg, cmp.Or(k.fault(g.spec, r.spec, f), f.away()))
			r.machine = g.machine.Machine(id.String())
		}
	}
	if waiting && !g.begun {
		return
	}
	start := vrrp.Start{}
	if going {
		start.Resume = g.spec.listening()
		for id, r := range g.routers {
			r.owned, r.wanted = true, k.worker.own(id, r.spec, &r.spoke)
		}
	}
	k.carry(now, g, g.machine.Join(now, start))
	k.hush(g)
	g.begun = g.machine.Size() > 0
}

// inform tells a router what the order says about it.
func (k *keeper) inform(r *router, spec Router) {
	r.spec = spec
	k.speak(r)
}

func (r *router) learn(f facts) {
	r.source, r.judge.Own, r.judge.Subnets = f.source, f.own, f.subnets
}

// looked reports whether it is known if a router can have its virtual MAC.
func (k *keeper) looked(spec Router) bool {
	if !spec.VirtualMAC {
		return true
	}
	_, ok := k.macs[spec.virtual()]
	return ok
}

// fault says why a router of a group cannot work on a link of which these are the facts. A carrier that is
// away is not among it: it may come back.
func (k *keeper) fault(g Group, spec Router, f facts) string {
	switch {
	case f.fault != "":
		return f.fault
	case g.Blocked != "":
		return g.Blocked
	case spec.VirtualMAC:
		return errorText(k.macs[spec.virtual()])
	}
	return ""
}

// away is the fault of a router that starts without a carrier.
func (f facts) away() string {
	if f.cut {
		return vrrp.NoCarrier
	}
	return ""
}

// need tells the surveyor what is needed, for those that part, too.
func (k *keeper) need() {
	n := needs{links: map[link]bool{}, virtual: map[netip.Addr]bool{}}
	add := func(r Router) {
		n.links[r.identity().link] = true
		for _, a := range r.Kept() {
			n.virtual[a.Prefix.Addr()] = true
		}
		if r.VirtualMAC {
			n.macs = append(n.macs, r.virtual())
		}
		n.paths = n.paths || !r.paths().Empty()
	}
	for _, g := range k.order.Groups {
		for _, r := range g.Routers {
			add(r)
		}
	}
	for _, p := range k.parting {
		add(p.router.spec)
	}
	k.survey.need(n)
	k.filters()
}
