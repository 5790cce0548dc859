package sim

import (
	"slices"
	"strings"
	"time"

	orders "github.com/quorate/quorate/director/keeper"
	"github.com/quorate/quorate/director/vrrp"
	"github.com/quorate/quorate/fsm"
)

// away reports whether a keeper's control is: it is dead or has given no order yet, or has stood still for so long that
// the keeper finds that.
func (k *keeper) away() bool {
	c := k.h.controlling
	return !c.alive || k.life != c.life || c.stops > 0 && k.w.now-c.frozeAt >= orders.Away
}

// unattended reports whether the segments are asked before a timer has a group taken, as the keeper's unattended does.
func (k *keeper) unattended(g *keptGroup) bool {
	if k.w.without(Unasking) {
		return false
	}
	return k.away() || g.machine.Answered() && k.w.now-k.came < orders.Askable
}

// questions are when a round of the segments asks, from its begin on: when it has waited for others to join, once more, and
// shortly before its end; see director/keeper and director/probe.
var questions = []time.Duration{10 * time.Millisecond, 30 * time.Millisecond, orders.AskEach - 20*time.Millisecond}

// station is a host on a wire.
type station struct{ on, host int }

// ask asks the segments of a group, again and again until another answers or the time is over. A round is over at its end,
// whoever has answered.
func (k *keeper) ask(g *keptGroup, a vrrp.Ask) {
	over := false
	answer := func(taken bool, signed time.Time) {
		k.turn(func(now time.Time) {
			k.w.say(k.h.name, "asked the segments", g.spec.Name, map[bool]string{true: "another answers", false: "nobody answers"}[taken])
			k.carry(now, g, g.machine.Step(now, "", vrrp.Answer{Until: a.Until, Taken: taken, Signed: signed}))
		})
	}
	for _, at := range orders.Attempts(a.For) {
		taken := map[station]bool{}
		for _, q := range questions {
			k.h.keeping.after(at+q, func() {
				for _, r := range g.routers {
					for _, h := range k.w.answered(r.router, k.h, orders.AskEach-q) {
						taken[station{r.on, h.index}] = true
					}
				}
			})
		}
		k.h.keeping.after(at+orders.AskEach, func() {
			if over || len(taken) == 0 {
				return
			}
			over = true
			var signed time.Time
			for s := range taken {
				if k.signs[s].After(signed) {
					signed = k.signs[s]
				}
			}
			answer(true, signed)
		})
	}
	k.h.keeping.after(a.For, func() {
		if !over {
			answer(false, time.Time{})
		}
	})
}

// answered returns who else answers for a router's address, within a time.
func (w *world) answered(r *router, asker *host, within time.Duration) []*host {
	return slices.DeleteFunc(slices.Clone(w.others(asker)), func(h *host) bool {
		return !w.serves(r, asker.index, h) || w.takes(r, asker, h) >= within
	})
}

// takes is how long a question and its answer take.
func (w *world) takes(r *router, asker, h *host) time.Duration {
	wire := &w.wires[r.on]
	return wire.delay[asker.index][h.index] + wire.delay[h.index][asker.index]
}

// late reports whether an answer to the first question of a round comes after its end.
func (w *world) late(r *router, asker, h *host) bool {
	return w.takes(r, asker, h) >= orders.AskEach-questions[0]
}

// inherits has the router that a group's has become, which speaks with another VRID, take its place if that is Active.
func (k *keeper) inherits(now time.Time, g *keptGroup, r *keptRouter) bool {
	fault := g.machine.Fault(r.name)
	if r.machine.State() != vrrp.Active {
		return false
	}
	heir := g.machine.Detach(r.name).Heir(now)
	g.machine.Adopt(r.name, heir, fault)
	r.machine = heir
	return true
}

// whoIsAway is the name of the invariant.
const whoIsAway = "who is without control asks the segment"

// besides is another invariant: no keeper whose control is away has its timer take what another has owned for a second, and answers for on
// each segment, whatever it hears of that, unless nothing has come from that one for as long as its answers alone are believed. Nothing is
// wrong with the two machines, or with ARP between them, for as long.
func (x *watch) besides(h, o *host, group, why string) {
	w := x.w
	if !x.alone[h.index] || w.now-x.owns[o.index].at < time.Second || h.stalls+o.stalls > 0 {
		return
	}
	for _, r := range w.routers {
		if r.group == group && w.time().Sub(h.keeper.signs[station{r.on, o.index}]) >= vrrp.HeldBack {
			return
		}
		if s := x.reach[r.index][h.index][o.index]; r.group == group && (!s.is || w.now-s.at < time.Second || !w.serves(r, h.index, o) || w.late(r, h, o)) {
			return
		}
	}
	x.fail(whoIsAway, "%s takes %s though %s has owned it for %v, and answers for it: %s", h.name, group, o.name, w.now-x.owns[o.index].at, why)
}

// tookAlone is told that a host takes a group, and notes whether that was by its timer while its control was away. It may have asked while
// nobody had the addresses, and not hear who has them since.
func (x *watch) tookAlone(h *host, why string) {
	timer := strings.Contains(why, vrrp.Fell) || strings.HasPrefix(why, "no active router heard")
	x.alone[h.index] = timer && h.keeper.away()
}

// twice reports whether two have the addresses of which one took them so, or goes by another VRID than is agreed: it hears nobody, and its
// control is not there to be told.
func (x *watch) twice(a, b *host) bool {
	return a.kernel.has(0) && b.kernel.has(0) && (x.alone[a.index] || x.alone[b.index] || x.w.outdated(a) || x.w.outdated(b))
}

// outdated reports whether a host's keeper goes by another VRID than is agreed, and its control does not run.
func (w *world) outdated(h *host) bool {
	return !h.controlling.runs() && slices.ContainsFunc(h.keeper.groups, func(g *keptGroup) bool {
		return slices.ContainsFunc(g.routers, func(r *keptRouter) bool { return r.spec.VRID != w.newest().Config.Routers[r.name].VRID })
	})
}

// renumbers has control of a standby stand still, and an operator give the routers other VRIDs meanwhile: its keeper hears the owner no
// more. The owner may die as well. It draws from a chance of its own, so that all else of the scenario is as it would be.
func (p *plan) renumbers(c chance) (heal time.Duration) {
	w, at, lasts := p.w, warm+c.between(0, 10*time.Second), c.between(6*time.Second, 25*time.Second)
	which, dies := c.IntN(w.directors-1), c.one(2)
	change, death := orders.Away+c.between(0, 2*time.Second), c.between(3*time.Second, 10*time.Second)
	w.after(at-w.now, func() {
		standbys := slices.DeleteFunc(slices.Clone(w.hosts[:w.directors]), (*host).owns)
		if len(standbys) == 0 {
			return
		}
		inject := func(lasts time.Duration, f fault) {
			p.names = append(p.names, f.name)
			w.inject(w.now, lasts, f)
		}
		inject(lasts, w.controlFreezes(standbys[which%len(standbys)]))
		w.after(change, func() {
			inject(0, w.changes(func(r fsm.Router) fsm.Router {
				r.VRID += 100
				return r
			}))
		})
		if dies {
			w.after(death, func() {
				if o := p.owner(); o != nil {
					inject(lasts, w.machineDies(o))
				}
			})
		}
	})
	p.heal = max(p.heal, at+lasts, at+death+lasts)
	return p.heal
}
