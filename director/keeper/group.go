package keeper

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/director/vrrp"
)

// group is one group of the order with its machine.
type group struct {
	spec    Group
	machine *vrrp.Group
	routers map[identity]*router
	since   time.Time
	claimed bool
	claims  []*claim
}

// router is one router of a group.
type router struct {
	spec     Router
	machine  *vrrp.Machine
	judge    vrrp.Judge
	source   netip.Addr
	owned    bool   // asked of the worker
	asked    uint64 // generation of the last announcement asked for
	done     uint64 // generation that the worker has reported
	err      error
	silent   bool
	sent     uint64
	received uint64
	restored uint64
	drops    map[vrrp.Drop]uint64
	notices  map[vrrp.Notice]uint64
	noted    map[netip.Addr]string // the last list that a source was reported for
}

// parting is a router that is gone but for its repeated priority 0.
type parting struct {
	id      identity
	router  *router
	machine *vrrp.Machine
}

// claim is a client that waits until the addresses are announced.
type claim struct {
	waits map[identity]uint64
	done  chan error // capacity 1
}

// port is a socket with the goroutine that waits at it.
type port struct {
	conn      vrrp.Conn
	signalled atomic.Bool   // the goroutine waits for drained
	drained   chan struct{} // capacity 1
	gone      chan struct{}
}

// set makes the groups equal to the order. Going names the groups that go on as Active.
func (k *keeper) set(now time.Time, o Order, going map[string]bool) {
	k.order, k.recorded, k.changed = o, false, true
	clear(k.members)
	for _, m := range o.Members {
		k.members[m] = true
	}
	going = k.adopt(o, going)
	kept := map[string]bool{}
	for _, g := range o.Groups {
		kept[g.Name] = true
	}
	for name, g := range k.groups {
		if kept[name] {
			continue
		}
		for id := range g.routers {
			k.leave(now, g, id)
		}
		g.answer(errors.New("the group is gone"))
		delete(k.groups, name)
	}
	for _, spec := range o.Groups { // routers leave one group before they enter another
		if g := k.groups[spec.Name]; g != nil {
			k.prune(now, g, spec)
		}
	}
	for _, spec := range o.Groups {
		k.setGroup(now, spec, going[spec.Name])
	}
	k.need(o)
}

// adopt finds new groups whose routers are all owned here in other groups: they go on without a
// pause, and what they leave behind does not resign.
func (k *keeper) adopt(o Order, going map[string]bool) map[string]bool {
	at := map[identity]*group{}
	for _, g := range k.groups {
		for id := range g.routers {
			at[id] = g
		}
	}
	out := map[string]bool{}
	for _, spec := range o.Groups {
		whole := k.groups[spec.Name] == nil && len(spec.Routers) > 0
		for _, r := range spec.Routers {
			g := at[r.identity()]
			whole = whole && g != nil && g.machine.State() == vrrp.Active
		}
		if whole {
			for _, r := range spec.Routers {
				at[r.identity()].forget(r.identity())
			}
		}
		out[spec.Name] = whole || going[spec.Name]
	}
	return out
}

// forget takes a router out without a word.
func (g *group) forget(id identity) {
	g.machine.Remove(time.Time{}, id.String())
	delete(g.routers, id)
}

// prune takes out the routers that a group does not have any more.
func (k *keeper) prune(now time.Time, g *group, spec Group) {
	for id := range g.routers {
		if !slices.ContainsFunc(spec.Routers, func(r Router) bool { return r.identity() == id }) {
			k.leave(now, g, id)
		}
	}
}

// leave takes one router out with priority 0.
func (k *keeper) leave(now time.Time, g *group, id identity) {
	r := g.routers[id]
	machine, effects := g.machine.Remove(now, id.String())
	k.carry(now, g, effects)
	delete(g.routers, id)
	if machine != nil && !machine.Deadline().IsZero() {
		k.parting = append(k.parting, &parting{id: id, router: r, machine: machine})
	}
}

// setGroup makes one group what the order says.
func (k *keeper) setGroup(now time.Time, spec Group, going bool) {
	g, started := k.groups[spec.Name], true
	if g == nil {
		started = false
		g = &group{machine: vrrp.NewGroup(), routers: map[identity]*router{}, since: now, spec: spec}
		k.groups[spec.Name] = g
	}
	old := g.spec
	g.spec = spec
	for _, r := range spec.Routers {
		k.setRouter(now, g, r)
	}
	if !started {
		start := vrrp.Start{}
		if going {
			start.Resume = resume
			if k.seq > 0 { // not at the start of the process: nobody else can have taken them
				start.Resume = time.Millisecond
			}
			for id, r := range g.routers {
				r.owned = true
				k.worker.own(id, r.spec.kept(), r.spec.lifetime())
			}
		}
		k.carry(now, g, g.machine.Step(now, "", start))
		if g.machine.State() == vrrp.Initialize && going {
			k.disown(g)
		}
		return
	}
	if old.Priority != spec.Priority || old.Epoch != spec.Epoch {
		g.claimed = false
	}
	if !g.claimed {
		k.carry(now, g, g.machine.Step(now, "", vrrp.SetPriority{Priority: spec.Priority, Preempt: spec.Preempt}))
	}
}

// disown releases what was to go on and cannot.
func (k *keeper) disown(g *group) {
	for id, r := range g.routers {
		r.owned = false
		k.worker.own(id, r.spec.kept(), r.spec.lifetime())
		k.worker.release(id)
	}
}

func (k *keeper) setRouter(now time.Time, g *group, spec Router) {
	id := spec.identity()
	r := g.routers[id]
	if r == nil {
		r = &router{
			drops: map[vrrp.Drop]uint64{}, notices: map[vrrp.Notice]uint64{}, noted: map[netip.Addr]string{},
		}
		g.routers[id] = r
		k.inform(r, spec)
		fault := "not looked at yet"
		f, ok := k.links[id.link]
		if ok {
			fault = f.fault
			r.learn(f)
		}
		cfg := vrrp.Config{Source: r.source, Interval: spec.Interval, Priority: g.spec.Priority, Preempt: g.spec.Preempt}
		if p := g.machine.Priority(); p != 0 {
			cfg.Priority = p // a claim holds for all routers
		}
		effects := g.machine.Add(now, id.String(), cfg, fault)
		r.machine = g.machine.Machine(id.String())
		k.carry(now, g, effects)
		return
	}
	again := !slices.Equal(r.spec.kept(), spec.kept()) || r.spec.lifetime() != spec.lifetime()
	k.inform(r, spec)
	if r.owned && again {
		k.worker.own(id, spec.kept(), spec.lifetime())
	}
	k.carry(now, g, g.machine.Step(now, id.String(), vrrp.SetInterval{Interval: spec.Interval}))
}

// inform tells a router what the order says about it.
func (k *keeper) inform(r *router, spec Router) {
	r.spec = spec
	r.judge.Addresses, r.judge.Interval, r.judge.Members = spec.advertised(), spec.Interval, k.members
}

func (r *router) learn(f facts) {
	r.source, r.judge.Own, r.judge.Subnets = f.source, f.own, f.subnets
}

// need tells the surveyor what the order needs.
func (k *keeper) need(o Order) {
	links, virtual := map[link]bool{}, map[netip.Addr]bool{}
	for _, g := range o.Groups {
		for _, r := range g.Routers {
			links[r.identity().link] = true
			for _, a := range r.kept() {
				virtual[a.Prefix.Addr()] = true
			}
		}
	}
	k.survey.need(links, virtual)
}

// claim takes a group over. The error comes when the addresses are announced, or will not be.
func (k *keeper) claim(now time.Time, name string, priority uint8) <-chan error {
	c := &claim{waits: map[identity]uint64{}, done: make(chan error, 1)}
	g := k.groups[name]
	switch {
	case g == nil:
		c.done <- fmt.Errorf("claim: no group %q", name)
		return c.done
	case priority == 0 || priority == 255:
		c.done <- fmt.Errorf("claim group %q: priority %d is not 1 to 254", name, priority)
		return c.done
	case g.machine.State() == vrrp.Initialize:
		c.done <- fmt.Errorf("claim group %q: it cannot work here: %s", name, g.machine.Reason())
		return c.done
	}
	g.claimed = true
	k.carry(now, g, g.machine.Step(now, "", vrrp.Claim{Priority: priority}))
	for id, r := range g.routers {
		c.waits[id] = r.asked
	}
	g.claims = append(g.claims, c)
	return c.done
}

// settle answers the claims whose addresses are announced.
func (g *group) settle() {
	g.claims = slices.DeleteFunc(g.claims, func(c *claim) bool {
		for id, gen := range c.waits {
			if r := g.routers[id]; r != nil && r.done < gen {
				return false
			}
		}
		c.done <- nil
		return true
	})
}

// answer ends all claims that wait.
func (g *group) answer(err error) {
	for _, c := range g.claims {
		c.done <- err
	}
	g.claims = nil
}

// reported takes what the worker did.
func (k *keeper) reported(now time.Time, rep report) {
	for _, g := range k.groups {
		r := g.routers[rep.id]
		if r == nil {
			continue
		}
		k.changed = true
		r.err = rep.err
		if rep.err == nil {
			r.done = rep.gen
		}
		if len(rep.restored) > 0 {
			r.restored += uint64(len(rep.restored))
			k.event(now, g, fmt.Sprintf("%s: restored %v, which somebody else removed", r.spec.Name, rep.restored))
			k.announce(rep.id, r)
		}
		if rep.lapsed {
			k.lapse(now, g, rep.id, r)
		}
		g.settle()
	}
}

// lapse is the end of addresses that nobody renewed in time: an Active router that lost them this way
// was frozen, and starts again.
func (k *keeper) lapse(now time.Time, g *group, id identity, r *router) {
	if !r.owned {
		return
	}
	k.event(now, g, fmt.Sprintf("%s: the addresses lapsed while the keeper was frozen", r.spec.Name))
	k.carry(now, g, g.machine.Step(now, "", vrrp.Stalled{Resume: resume}))
	k.carry(now, g, g.machine.Step(now, "", vrrp.Abandon{}))
}
