package sim

import (
	"slices"
	"time"

	orders "github.com/quorate/quorate/director/keeper"
	"github.com/quorate/quorate/director/vrrp"
)

// slowestKernel is how long the kernel takes at most.
const slowestKernel = 10 * time.Millisecond

// kernelTakes is how long the kernel takes to add or remove addresses: all that is asked at one time goes into
// one call.
func (k *keeper) kernelTakes() time.Duration {
	if k.called != k.w.now || k.takes == 0 {
		k.called, k.takes = k.w.now, k.w.chance.between(100*time.Microsecond, time.Millisecond)
		if k.w.chance.one(4) {
			k.takes = k.w.chance.between(time.Millisecond, slowestKernel)
		}
	}
	return k.takes
}

// add asks the worker for a router's addresses.
func (k *keeper) add(r *keptRouter) {
	r.adding++
	r.ends = false
	asked := r.adding
	k.h.keeping.after(k.kernelTakes(), func() {
		if !r.owned || r.adding != asked {
			return
		}
		r.again = false
		r.added, r.check = true, false
		k.renew(r)
		k.turn(nil)
	})
}

// shorten asks the worker to give a router's addresses the shortest lifetime, and to renew them no more.
func (k *keeper) shorten(r *keptRouter) {
	r.ends = true
	k.h.keeping.after(k.kernelTakes(), func() {
		if r.owned && r.ends && k.h.kernel.has(r.index) {
			k.renew(r)
		}
	})
}

func (k *keeper) renew(r *keptRouter) {
	r.renewed = k.w.now
	lifetime := r.life
	if r.ends {
		lifetime = orders.Shortest
	}
	if k.w.without(Lifetime) {
		lifetime = time.Hour
	}
	k.h.kernel.renew(r.index, lifetime)
}

// release asks the worker to remove a router's addresses.
func (k *keeper) release(r *keptRouter) {
	r.adding++
	r.added = false
	asked := r.adding
	k.h.keeping.after(k.kernelTakes(), func() {
		if !r.owned && r.adding == asked {
			k.h.kernel.remove(r.index, "released")
			r.lastSay = 0
			k.turn(nil)
		}
	})
}

// work is what the worker does in a turn: it looks where it was late or asked to, renews and announces.
func (k *keeper) work(now time.Time) {
	for _, g := range k.groups {
		for _, r := range g.routers {
			if !r.added {
				continue
			}
			late := k.w.now-r.renewed >= r.life
			if (r.check || late) && !r.again && !k.h.kernel.has(r.index) {
				r.check, r.added = false, false
				k.lapse(now, g)
				break // with the others
			}
			r.check = false
			if k.w.now >= r.renewAt() {
				k.renew(r)
			}
			k.announce(g, r)
		}
	}
}

// Times of a renewal, see the keeper's pass.go.
const (
	renewEvery = 500 * time.Millisecond
	renewLead  = 50 * time.Millisecond
	renewGrid  = 50 * time.Millisecond
)

// renewAt is when the addresses are to be renewed: just before an advert, so that the last one that somebody heard
// tells when they end.
func (r *keptRouter) renewAt() time.Duration {
	if r.ends {
		return r.renewed + time.Hour
	}
	if r.spoke == 0 {
		return r.renewed + r.life/4
	}
	every := r.spec.Interval
	before := r.spoke - min(every/2, renewLead)
	until := r.renewed + every + renewGrid
	if group := renewEvery - every; group >= every {
		until = (r.renewed + every).Truncate(group) + group
	}
	at := before + (until-before)/every*every
	if every >= renewEvery {
		at = at.Truncate(renewGrid)
	}
	return min(at, r.renewed+max(every, renewEvery)+renewGrid)
}

// lapse is the end of addresses that nobody renewed in time.
func (k *keeper) lapse(now time.Time, g *keptGroup) {
	k.w.say(k.h.name, "lapsed", g.spec.Name, "")
	k.carry(now, g, g.machine.Step(now, "", vrrp.Stalled{Resume: g.listening()}))
	k.carry(now, g, g.machine.Step(now, "", vrrp.Abandon{}))
}

// announce says where a router's addresses are, and settles the claims that wait for it: at once, too, if it was said
// so lately that it must wait.
func (k *keeper) announce(g *keptGroup, r *keptRouter) {
	if r.hushed {
		return
	}
	if r.said == 0 {
		for _, c := range g.claims {
			c.left = slices.DeleteFunc(c.left, func(x *keptRouter) bool { return x == r })
		}
		g.settle()
	}
	if r.sayAt > k.w.now {
		return
	}
	r.lastSay = k.w.now
	k.w.watch.announced(k.h, r.router)
	r.said++
	r.sayAt = k.w.now + refresh
	if r.said < len(rounds) {
		r.sayAt = k.w.now + rounds[r.said] - rounds[r.said-1]
	}
}

// sayAgain starts a new round, not too soon after what was said last.
func (k *keeper) sayAgain(r *keptRouter) {
	r.said, r.sayAt, r.hushed = 0, k.w.now, false
	if r.lastSay != 0 {
		r.sayAt = max(r.sayAt, r.lastSay+spare)
	}
}

func (g *keptGroup) settle() {
	kept := g.claims[:0]
	for _, c := range g.claims {
		if len(c.left) > 0 {
			kept = append(kept, c)
			continue
		}
		c.done(nil)
	}
	g.claims = kept
}
