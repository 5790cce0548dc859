package sim

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	orders "github.com/quorate/quorate/director/keeper"
	"github.com/quorate/quorate/director/vrrp"
)

// record is what a keeper leaves on disk for the next one.
type record struct {
	seq    int // the newest is the one that counts
	order  orders.Order
	active []string
}

// note writes the record. A disk that is slow writes the newest one late.
func (k *keeper) note() {
	k.noted++
	rec := record{seq: k.noted, order: k.order}
	for _, g := range k.groups {
		if g.machine.State() == vrrp.Active {
			rec.active = append(rec.active, g.spec.Name)
		}
	}
	k.h.keeping.after(k.h.disk, func() {
		if rec.seq > k.h.record.seq {
			k.h.record = rec
		}
	})
}

// startKeeper starts a keeper process, which takes up what the record and the kernel say.
func (h *host) startKeeper() {
	h.keeping.start()
	k := &keeper{h: h, w: h.w, beat: h.w.now, noted: h.record.seq, signs: map[station]time.Time{}}
	h.keeper = k
	h.keeping.thawed = func() { k.turn(nil) }
	h.w.say(h.name, "keeper starts", "", "")
	rec := h.record
	going := map[string]bool{}
	for _, g := range rec.order.Groups {
		whole := slices.Contains(rec.active, g.Name)
		for _, r := range g.Routers {
			own := h.w.routerNamed(r.Name)
			whole = whole && h.kernel.has(own.index) && h.plugs[own.on].severed == 0
		}
		going[g.Name] = whole
		for _, r := range g.Routers {
			if !whole {
				h.kernel.remove(h.w.routerNamed(r.Name).index, "a stray")
			}
		}
	}
	k.turn(func(now time.Time) { k.set(now, rec.order, going) })
}

// set makes the groups equal to the order. Going names those that go on as Active.
func (k *keeper) set(now time.Time, o orders.Order, going map[string]bool) {
	if k.order.Apart && !o.Apart {
		k.came = k.w.now
	}
	k.order, k.changed = o, true
	k.members = map[netip.Addr]bool{}
	for _, m := range o.Members {
		k.members[m] = true
	}
	old := k.groups
	k.groups = nil
	for _, g := range old {
		if !slices.ContainsFunc(o.Groups, func(spec orders.Group) bool { return spec.Name == g.spec.Name }) {
			for _, r := range slices.Clone(g.routers) {
				k.leave(now, g, r)
			}
			g.answer(lost{"the group is gone"})
		}
	}
	for _, spec := range o.Groups {
		i := slices.IndexFunc(old, func(g *keptGroup) bool { return g.spec.Name == spec.Name })
		g := &keptGroup{machine: vrrp.NewGroup(), spec: spec}
		if i >= 0 {
			g = old[i]
		}
		k.groups = append(k.groups, g)
		k.setGroup(now, g, spec, going[spec.Name])
	}
	k.note()
}

// leave takes one router out, with priority 0.
func (k *keeper) leave(now time.Time, g *keptGroup, r *keptRouter) {
	_, effects := g.machine.Remove(now, r.name)
	k.carry(now, g, effects)
	g.routers = slices.DeleteFunc(g.routers, func(x *keptRouter) bool { return x == r })
}

func (k *keeper) setGroup(now time.Time, g *keptGroup, spec orders.Group, going bool) {
	yields := spec.Yield != "" && g.spec.Yield == ""
	if g.spec.Priority != spec.Priority || g.spec.Epoch != spec.Epoch {
		g.claimed = false
	}
	g.spec = spec
	for _, r := range slices.Clone(g.routers) {
		if !slices.ContainsFunc(spec.Routers, func(s orders.Router) bool { return s.Name == r.name }) {
			k.leave(now, g, r)
		}
	}
	for _, s := range spec.Routers {
		r := g.find(s.Name)
		switch {
		case r != nil && (r.machine == nil || r.spec.VRID == s.VRID || k.inherits(now, g, r)):
			k.setRouter(now, g, r, s)
			continue
		case r != nil:
			k.h.renumbered = k.w.now
			k.leave(now, g, r)
		}
		r = &keptRouter{router: k.w.routerNamed(s.Name)}
		k.inform(r, s)
		g.routers = append(g.routers, r)
	}
	priority := spec.Priority
	if g.claimed {
		priority = g.machine.Priority()
	}
	k.carry(now, g, g.machine.Step(now, "", g.setPriority(priority)))
	if yields && g.machine.State() == vrrp.Active {
		k.w.say(k.h.name, "gives up once", g.spec.Name, spec.Yield)
		k.carry(now, g, g.machine.Step(now, "", vrrp.Resign{}))
	}
	k.lookFaults(now, g)
	k.join(now, g, going)
}

// inform tells a router what the order says about it.
func (k *keeper) inform(r *keptRouter, s orders.Router) {
	r.spec, r.life = s, orders.Lifetime(s.Interval)
	r.judge.Interval, r.judge.Members = s.Interval, k.members
	r.judge.Addresses = nil
	for _, p := range s.Addresses {
		r.judge.Addresses = append(r.judge.Addresses, p.Addr())
	}
	r.judge.Own = map[netip.Addr]bool{k.h.source(r.on): true}
	r.judge.Subnets = []netip.Prefix{netip.PrefixFrom(k.h.source(r.on), 24)}
}

func (k *keeper) setRouter(now time.Time, g *keptGroup, r *keptRouter, s orders.Router) {
	list := !slices.Equal(r.spec.Addresses, s.Addresses)
	again := list || r.spec.Interval != s.Interval
	k.inform(r, s)
	if r.owned && again {
		r.again = true
		k.add(r)
	}
	if list && r.machine.State() == vrrp.Active {
		k.w.advertise(k.h, r, r.machine.Priority())
	}
	k.carry(now, g, g.machine.Step(now, r.name, vrrp.SetInterval{Interval: s.Interval}))
}

// join gives the machine the routers that are new.
func (k *keeper) join(now time.Time, g *keptGroup, going bool) {
	for _, r := range g.routers {
		if r.machine != nil {
			continue
		}
		cfg := vrrp.Config{Source: k.h.source(r.on), Interval: r.spec.Interval, Priority: g.spec.Priority, Preempt: g.spec.Preempt, VirtualMAC: r.spec.VirtualMAC}
		if p := g.machine.Priority(); p != 0 {
			cfg.Priority = p
		}
		fault := g.spec.Blocked
		if fault == "" && k.h.plugs[r.on].severed > 0 {
			fault = vrrp.NoCarrier
		}
		g.machine.Add(r.name, cfg, fault)
		r.machine = g.machine.Machine(r.name)
	}
	start := vrrp.Start{}
	if going {
		start.Resume = g.listening()
		for _, r := range g.routers {
			r.owned = true
			r.said, r.sayAt = len(rounds), k.w.now+refresh // they were there before
			k.add(r)
		}
	}
	k.carry(now, g, g.machine.Join(now, start))
}

// survey tells the machines of a carrier that has come or gone.
func (k *keeper) survey(now time.Time) {
	for _, g := range k.groups {
		k.lookFaults(now, g)
	}
}

// lookFaults tells a group's machine what keeps its routers from working, as the keeper's learnRouter does.
func (k *keeper) lookFaults(now time.Time, g *keptGroup) {
	for _, r := range g.routers {
		if r.machine == nil {
			continue
		}
		cut, was, fault := k.h.plugs[r.on].severed > 0, g.machine.Fault(r.name), g.spec.Blocked
		if fault == "" && cut && was == "" && g.machine.State() == vrrp.Active && len(g.routers) > 1 {
			fault = fmt.Sprintf("link %s down", wireNames[r.on])
		}
		switch {
		case fault != "" && was != fault:
			k.changed = true
			k.carry(now, g, g.machine.Step(now, r.name, vrrp.Fault{Reason: fault, CanSend: !cut}))
		case cut:
			k.carry(now, g, g.machine.Step(now, r.name, vrrp.Carrier{}))
		case fault == "":
			k.carry(now, g, g.machine.Step(now, r.name, vrrp.Carrier{Up: true}))
			if g.machine.Fault(r.name) != "" {
				k.changed = true
				k.carry(now, g, g.machine.Step(now, r.name, vrrp.Fit{}))
			}
		}
	}
}

// stop tells the keeper to end, after it has handed over what it owns.
func (k *keeper) stop(wait time.Duration) {
	k.call(func(time.Time) { k.until, k.changed = k.w.now+wait, true })
}

// goodbye resigns everything, and ends the process.
func (k *keeper) goodbye(now time.Time) {
	k.until = 0
	o := k.order
	k.set(now, orders.Order{}, nil)
	k.h.record = record{seq: k.noted, order: o}
	for _, r := range k.w.routers {
		k.h.kernel.remove(r.index, "goodbye")
	}
	k.w.say(k.h.name, "keeper ends", "", "")
	k.h.keeping.kill()
	k.h.keeperEnded()
}
