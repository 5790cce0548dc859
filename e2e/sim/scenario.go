package sim

import (
	"fmt"
	"io"
	"maps"
	"net/netip"
	"time"

	"github.com/quorate/quorate/fsm"
)

// The parts of a scenario: nothing happens until the first owner is settled, then things go wrong, then all
// is well again and it must settle, and stay so.
const (
	warm  = 10 * time.Second
	quiet = 6 * time.Second
)

// Result is how a scenario came out.
type Result struct {
	Seed   uint64
	Broken *Violation // nil: all invariants held
	Hash   uint64
	Took   time.Duration // of virtual time
	Moves  int           // changes of owner
	Faults []string
	Tail   string // the end of the trace, if something is broken
}

// Run plays the scenario of a seed. Out gets all of its trace, unless it is nil.
func Run(seed uint64, without Mutant, out io.Writer) Result {
	c := newChance(seed)
	l := arrange(c)
	if seed%5 == 0 {
		l.onCut = fsm.OneSide
	}
	l.peers = seed%16 == 7
	l.without = without
	w := newWorld(c.Uint64(), l)
	w.trace.out = out
	w.say("layout", fmt.Sprintf("%+v", l), "", "")
	p := plan{w: w, chance: c}
	heal := p.draw()
	if seed%16 == 5 {
		heal = p.behind(newChance(seed ^ 0x626568696e64))
	}
	if seed%16 == 3 {
		heal = p.renumbers(newChance(seed ^ 0x72656e756d626572))
	}
	if seed%16 == 11 {
		heal = p.oneWay(newChance(seed ^ 0x6f6e65776179))
	}
	if seed%16 == 7 {
		heal = p.allDrain(newChance(seed ^ 0x647261696e))
	}
	w.run(heal + settled)
	if w.watch.broken == nil {
		w.watch.settle()
		w.run(heal + settled + quiet)
	}
	if w.watch.broken == nil {
		w.watch.agree()
	}
	r := Result{Seed: seed, Hash: w.trace.hash, Took: w.now, Moves: w.watch.moves, Faults: p.names}
	if w.watch.broken != nil {
		r.Broken, r.Tail = w.watch.broken, w.trace.tail()
	}
	return r
}

// arrange draws what a world consists of.
func arrange(c chance) layout {
	l := layout{directors: 3, pair: c.one(2), interval: time.Second, clusterOn: own, gateways: !c.one(4), external: !c.one(4), virtual: c.one(5)}
	switch c.IntN(8) {
	case 0, 1:
		l.directors, l.witness = 2, true
	case 2:
		l.directors = 5
	case 3:
		l.directors, l.witness = 4, true
	}
	if c.one(2) {
		l.interval = 100 * time.Millisecond
	}
	switch c.IntN(4) {
	case 0:
		l.clusterOn = wan
	case 1:
		l.clusterOn = lan
	}
	if c.one(4) {
		l.policy = []fsm.Policy{fsm.Leader, fsm.Pinned, fsm.Score, fsm.Spread}[c.IntN(4)]
	}
	l.witnessOn = l.witness && c.one(2)
	return l
}

// plan is the faults of a scenario.
type plan struct {
	w      *world
	chance chance
	heal   time.Duration
	names  []string
}

// draw draws the faults, and returns when all is well again.
func (p *plan) draw() time.Duration {
	c, at := p.chance, warm
	n := 3 + c.IntN(6)
	deaf := c.one(6)
	for range n {
		gap := 15 * time.Second
		if c.one(3) {
			gap = time.Second
		}
		at += c.between(0, gap)
		lasts := c.between(200*time.Millisecond, 10*time.Second)
		if c.one(4) {
			lasts = c.between(10*time.Second, 25*time.Second)
		}
		p.heal = max(p.heal, at+lasts)
		p.begin(at, lasts, c.IntN(len(kindsOfFault)))
	}
	if deaf { // all the time: the agents are all that there is
		for _, r := range p.w.routers {
			f := p.w.losesAll(r.on, vrrpKind)
			p.names = append(p.names, f.name)
			p.w.inject(warm, p.heal-warm, f)
		}
	}
	return p.heal
}

// begin has a fault begin at a time. Whom it hits is drawn then: half of the time it is who owns.
func (p *plan) begin(at, lasts time.Duration, which int) {
	w := p.w
	w.after(at-w.now, func() {
		f := kindsOfFault[which](p, p.victim())
		p.names = append(p.names, f.name)
		w.inject(w.now, lasts, f)
	})
}

// behind has an owner that is cut off come back with a log of before, while no adverts pass: it is told that another was
// named since, or goes on. It draws from a chance of its own, so that all else of the scenario is as it would be.
func (p *plan) behind(c chance) (heal time.Duration) {
	w, at, cut := p.w, warm+c.between(0, 10*time.Second), c.between(6*time.Second, 10*time.Second)
	lasts := cut + c.between(5*time.Second, 10*time.Second)
	w.after(at-w.now, func() {
		h := p.owner()
		if h == nil {
			return
		}
		fs := []fault{w.slowDisk(h, c.between(1500*time.Millisecond, 3*time.Second))}
		for _, r := range w.routers {
			fs = append(fs, w.losesAll(r.on, vrrpKind))
		}
		for _, f := range fs {
			p.names = append(p.names, f.name)
			w.inject(w.now, lasts, f)
		}
		w.inject(w.now, cut, w.isolates(h))
	})
	p.heal = max(p.heal, at+lasts)
	return p.heal
}

// owner is who has the first address, nil for nobody.
func (p *plan) owner() *host {
	for _, h := range p.w.hosts {
		if h.kernel.has(0) {
			return h
		}
	}
	return nil
}

// victim is the host that a fault hits.
func (p *plan) victim() *host {
	w := p.w
	h := w.hosts[p.chance.IntN(len(w.hosts))]
	if p.chance.one(2) {
		return h
	}
	if o := p.owner(); o != nil {
		return o
	}
	return h
}

// other is another host than one.
func (p *plan) other(h *host) *host {
	i := p.chance.IntN(len(p.w.hosts) - 1)
	if i >= h.index {
		i++
	}
	return p.w.hosts[i]
}

func (p *plan) director() *host { return p.w.hosts[p.chance.IntN(p.w.directors)] }

// segment is a segment with a router.
func (p *plan) segment() int { return p.w.routers[p.chance.IntN(len(p.w.routers))].on }

// side is a part of the hosts with one in it.
func (p *plan) side(h *host) []int {
	side := []int{h.index}
	for _, o := range p.w.hosts {
		if o != h && p.chance.one(3) {
			side = append(side, o.index)
		}
	}
	if p.chance.one(3) {
		side = append(side, client)
	}
	return side
}

// kindsOfFault are all that may go wrong.
var kindsOfFault = []func(*plan, *host) fault{
	func(p *plan, h *host) fault { return p.w.controlDies(h) },
	func(p *plan, h *host) fault { return p.w.keeperDies(h) },
	func(p *plan, h *host) fault { return p.w.bothDie(h) },
	func(p *plan, h *host) fault { return p.w.machineDies(h) },
	func(p *plan, h *host) fault { return p.w.machineDies(h) },
	func(p *plan, h *host) fault { return p.w.controlFreezes(h) },
	func(p *plan, h *host) fault { return p.w.keeperFreezes(h) },
	func(p *plan, h *host) fault { return p.w.bothFreeze(h) },
	func(p *plan, h *host) fault { return p.w.machineFreezes(h) },
	func(p *plan, h *host) fault { return p.w.splits(p.segment(), p.side(h)) },
	func(p *plan, h *host) fault { return p.w.splits(p.w.clusterOn, p.side(h)) },
	func(p *plan, h *host) fault { return p.w.loses(p.segment(), vrrpKind, h.index, p.other(h).index) },
	func(p *plan, h *host) fault { return p.w.loses(p.segment(), vrrpKind, p.other(h).index, h.index) },
	func(p *plan, h *host) fault { return p.w.losesAll(p.segment(), vrrpKind) },
	func(p *plan, h *host) fault { return p.w.loses(p.segment(), arpKind, h.index, p.other(h).index) },
	func(p *plan, h *host) fault { return p.w.loses(p.w.clusterOn, portKind, h.index, p.other(h).index) },
	func(p *plan, h *host) fault { return p.w.isolates(h) },
	func(p *plan, h *host) fault { return p.w.unplugs(p.segment(), h) },
	func(p *plan, h *host) fault { return p.w.movesPort(p.segment(), h) },
	func(p *plan, h *host) fault {
		return p.w.delays(p.segment(), p.chance.between(time.Millisecond, p.w.interval/8))
	},
	func(p *plan, h *host) fault {
		return p.w.delays(own, p.chance.between(time.Millisecond, 100*time.Millisecond))
	},
	func(p *plan, h *host) fault {
		return p.w.slowDisk(h, p.chance.between(50*time.Millisecond, 2*time.Second))
	},
	func(p *plan, h *host) fault { return p.w.drains(h) },
	func(p *plan, h *host) fault { return p.w.leaves(h) },
	func(p *plan, h *host) fault { return p.w.moves(p.w.groups[0], p.director()) },
	func(p *plan, h *host) fault { return p.w.configures(p) },
}

// configures has an operator change the routers: how often they advertise, or what.
func (w *world) configures(p *plan) fault {
	change := func(r fsm.Router) fsm.Router {
		r.Addresses = append([]netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 9, byte(1 + p.chance.IntN(200))}), 24)}, r.Addresses...)
		return r
	}
	if p.chance.one(2) {
		every := time.Duration(1+p.chance.IntN(10)) * 100 * time.Millisecond
		w.interval = max(w.interval, every)
		change = func(r fsm.Router) fsm.Router {
			r.Interval = every
			return r
		}
	}
	return w.changes(change)
}

// changes has an operator change all routers.
func (w *world) changes(change func(fsm.Router) fsm.Router) fault {
	return fault{"the configuration changes", func() {
		w.operator(func(s *fsm.State) fsm.Command {
			cfg := s.Config
			cfg.Routers = maps.Clone(cfg.Routers)
			for _, r := range w.routers {
				cfg.Routers[r.name] = change(cfg.Routers[r.name])
			}
			return fsm.PutConfig{Base: s.Revision, Config: cfg, Author: "an operator"}
		})
	}, nil}
}
