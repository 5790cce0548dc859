package sim

import (
	"errors"
	"fmt"
	"slices"
	"time"

	orders "github.com/quorate/quorate/director/keeper"
	"github.com/quorate/quorate/director/ownership"
	"github.com/quorate/quorate/director/vrrp"
	"github.com/quorate/quorate/fsm"
)

// owning drives one director's machine for one group: it gathers the facts, and carries out what the machine
// says.
type owning struct {
	*control
	name    string
	index   int
	machine machine
	wake    time.Duration
	replies map[uint64]func(ownership.Reply)
	queue   queue
	gone    func()        // tells the one that waits that its keeper is gone; nil at first
	last    uint64        // of the questions that came
	gave    time.Duration // when the keeper said first that it has no addresses of it any more; 0: it has, or had none
}

// machine is what is driven: [ownership.Machine].
type machine interface {
	Deadline() time.Time
	Claimed() string
	Unproven() string
	Taker() string
	Insists(self string, log fsm.Ownership) bool
	Step(time.Time, ownership.Facts, ownership.Event) []ownership.Action
}

// facts are reused from step to step: a machine keeps nothing of them.
type facts struct {
	members   []ownership.Member
	routers   []ownership.Router
	unreached []time.Duration
}

// facts gathers what is known of the group now.
func (g *owning) facts() ownership.Facts {
	c, w := g.control, g.w
	f := ownership.Facts{
		Self: c.h.name, Group: g.name, Log: c.state.Groups[g.name], Current: c.isCurrent(), Quorum: c.hasQuorum(),
		Ready: c.isReady(), Drains: c.leaving || c.state.Members[c.h.name].Draining, Voters: len(w.hosts), Groups: len(w.groups),
		OneSide: w.onCut == fsm.OneSide,
		OnTime:  c.isOnTime(),
	}
	var own groupStatus
	if g.index < len(c.status) {
		own = c.status[g.index]
	}
	shortest := w.intervalOf(c.state, g.name)
	longest := shortest
	for _, r := range own.routers {
		if r.every > 0 { // the owner may not know of a change yet
			shortest, longest = min(shortest, r.every), max(longest, r.every)
		}
	}
	f.Keeper = ownership.Keeper{Part: own.part, Claims: own.claims, Interval: shortest, Lifetime: orders.Lifetime(longest), Renewal: orders.Renewal(longest)}
	s := &c.scratch
	s.members, s.routers, s.unreached = s.members[:0], s.routers[:0], s.unreached[:0]
	j := 0
	for _, r := range w.routers {
		if r.group != g.name || j >= len(own.routers) {
			continue
		}
		st := own.routers[j]
		j++
		out := ownership.Router{Name: r.name, Silent: st.silent, Claims: st.claims, Resigns: st.resigns, Age: w.now - st.at}
		if st.heard >= 0 {
			out.Heard = w.hosts[st.heard].name
		}
		s.routers = append(s.routers, out)
	}
	f.Keeper.Routers = s.routers
	for _, h := range w.hosts {
		if h != c.h {
			s.members = append(s.members, g.member(h))
		}
	}
	f.Members = s.members
	return f
}

// member is what is known of another member.
func (g *owning) member(h *host) ownership.Member {
	c, w, s := g.control, g.w, &g.control.scratch
	m := ownership.Member{
		Name: h.name, Witness: h.witness, Unheard: w.now - c.heard[h.index],
		Draining: c.state.Members[h.name].Draining,
	}
	if r := c.reportOf(h.index); r != nil {
		m.Alive, m.Ready = true, r.ready
		m.Draining = m.Draining || r.leaving
		if g.index < len(r.groups) {
			m.Part, m.Epoch = r.groups[g.index].part, r.groups[g.index].epoch
			m.Fit = m.Part == ownership.Standby || m.Part == ownership.Owner
		}
	}
	from := len(s.unreached)
	for _, r := range w.routers {
		if r.group != g.name {
			continue
		}
		since := c.reached[h.index][r.index]
		if since >= 0 {
			since = w.now - since
		}
		s.unreached = append(s.unreached, since)
	}
	m.Unreached = s.unreached[from:]
	return m
}

// step advances the machine, and carries out what it says. An answer that comes after the process has ended is lost, though
// another one runs by then.
func (g *owning) step(ev ownership.Event) {
	w := g.w
	if g.control.groups[g.index] != g {
		return
	}
	f := g.facts()
	for _, a := range g.machine.Step(w.time(), f, ev) {
		g.carry(a)
	}
	d := g.machine.Deadline()
	if d.IsZero() {
		return
	}
	at := max(w.at(d), w.now+time.Microsecond)
	if g.wake > w.now && g.wake <= at {
		return
	}
	g.wake = at
	g.h.controlling.after(at-w.now, func() { g.step(ownership.Look{}) })
}

// carry begins one action.
func (g *owning) carry(a ownership.Action) {
	switch a := a.(type) {
	case ownership.Ask:
		g.ask(a)
	case ownership.Probe:
		g.probeSegments(a)
	case ownership.Pull:
		g.pull(a)
	case ownership.Claim:
		g.claim(a)
	case ownership.Verify:
		g.verify(a)
	case ownership.Grant:
		g.keep(a.ID, is(vrrp.Yield{Wait: a.Wait}))
	case ownership.Concede:
		g.keep(a.ID, is(vrrp.Concede{}))
	case ownership.Unclaim:
		g.w.say(g.h.name, "ends its claim", g.name, "")
		g.order(0, patience, func(k *keeper, now time.Time, own *keptGroup, back func(ownership.Done)) {
			k.unclaim(now, own)
			back(ownership.Done{})
		})
	case ownership.HoldTimer:
		if !g.w.without(Hold) {
			g.keep(0, func(now time.Time) vrrp.Event { return vrrp.Hold{Until: now.Add(a.For)} })
		}
	case ownership.Resign:
		g.w.say(g.h.name, "resigns", g.name, "")
		g.keep(0, is(vrrp.Resign{Linger: a.Linger}))
	case ownership.Renew:
		g.w.say(g.h.name, "renews", g.name, "")
		g.keep(0, is(vrrp.Renew{}))
	case ownership.Propose:
		g.w.watch.reasoned(g.h, a.Command)
		g.propose(a.Command, a.Within, func(err error) {
			if errors.Is(err, fsm.ErrStale) {
				err = nil // somebody else has told the log
			}
			g.step(ownership.Done{ID: a.ID, Err: err})
		})
	case ownership.Reply:
		if reply := g.replies[a.ID]; reply != nil {
			delete(g.replies, a.ID)
			reply(a)
		}
	case ownership.Tell:
		g.w.say(g.h.name, "tells", g.name, a.Kind+": "+a.Text)
		g.w.watch.told(g.h, g.name, a)
	default:
		panic(fmt.Sprintf("sim: what is a %T?", a))
	}
}

// once returns a func that carries on with the first outcome, and has one come within a time.
func (g *owning) once(id uint64, within time.Duration) func(ownership.Done) {
	answered := false
	answer := func(d ownership.Done) {
		if answered {
			return
		}
		answered = true
		d.ID = id
		g.step(d)
	}
	g.h.controlling.after(within, func() { answer(ownership.Done{Err: errTimeout}) })
	return answer
}

// ask asks another member over the cluster port.
func (g *owning) ask(a ownership.Ask) {
	w := g.w
	answer := g.once(a.ID, a.Within)
	to := w.hostNamed(a.To)
	if to == nil {
		g.h.controlling.after(0, func() { answer(ownership.Done{Err: errors.New("no such member")}) })
		return
	}
	w.say(g.h.name, "asks", a.To, string(a.Kind))
	if a.Kind == ownership.Yield && w.without(AnswerFirst) {
		g.h.controlling.after(0, func() { answer(ownership.Done{}) })
		return
	}
	w.send(g.h, to, func(other *control) {
		og := other.groups[g.index]
		og.asked(ownership.Asked{From: g.h.name, Question: a.Question}, func(r ownership.Reply) {
			w.reply(to, g.h, func(*control) {
				d := ownership.Done{Word: r.Word}
				if r.Refuse != "" {
					d.Err = ownership.Refusal(r.Refuse)
				}
				answer(d)
			})
		})
	})
}

// asked has the machine answer a question.
func (g *owning) asked(q ownership.Asked, reply func(ownership.Reply)) {
	if g.replies == nil {
		g.replies = map[uint64]func(ownership.Reply){}
	}
	g.last++
	q.ID = g.last
	g.replies[q.ID] = reply
	g.step(q)
}

// pull brings another director's connections here.
func (g *owning) pull(a ownership.Pull) {
	w := g.w
	answer := g.once(a.ID, a.Within)
	from := w.hostNamed(a.From)
	if from == nil {
		g.h.controlling.after(0, func() { answer(ownership.Done{Err: errors.New("no such member")}) })
		return
	}
	w.send(g.h, from, func(*control) {
		from.controlling.after(w.chance.between(time.Millisecond, 20*time.Millisecond), func() {
			w.reply(from, g.h, func(*control) { answer(ownership.Done{}) })
		})
	})
}

// errNoKeeper is what an order to a keeper that is not there comes to.
var errNoKeeper = errors.New("the keeper does not answer")

// queue asks the keeper one thing after the other.
type queue struct {
	waiting []func(next func())
	busy    bool
}

func (q *queue) add(do func(next func())) {
	q.waiting = append(q.waiting, do)
	if !q.busy {
		q.next()
	}
}

func (q *queue) next() {
	q.busy = len(q.waiting) > 0
	if q.busy {
		do := q.waiting[0]
		q.waiting = q.waiting[1:]
		do(q.next)
	}
}

// order has the keeper do something about the group after what it was asked before. Do is called in the
// keeper, and calls back when it is done. What it reads later than within a time is not done.
func (g *owning) order(id uint64, within time.Duration, do func(k *keeper, now time.Time, own *keptGroup, back func(ownership.Done))) {
	w, decided := g.w, g.w.now
	g.queue.add(func(next func()) {
		answered := false
		answer := func(d ownership.Done) {
			if answered {
				return
			}
			answered = true
			if id != 0 {
				d.ID = id
				g.step(d)
			}
			next()
		}
		k := g.h.keeper
		if !g.begun || id != 0 && w.now-decided > claimWait {
			g.h.controlling.after(0, func() { answer(ownership.Done{Err: errNoKeeper}) })
			return
		}
		g.h.controlling.after(patience, func() { answer(ownership.Done{Err: errTimeout}) })
		end := w.now + within
		g.gone = func() { answer(ownership.Done{Err: errNoKeeper}) }
		back := func(d ownership.Done) { g.h.controlling.after(100*time.Microsecond, func() { answer(d) }) }
		k.call(func(now time.Time) {
			if w.now > end {
				back(ownership.Done{Err: errTimeout})
				return
			}
			own := k.group(g.name)
			if own == nil {
				back(ownership.Done{Err: errors.New("no such group")})
				return
			}
			do(k, now, own, back)
		})
	})
}

// claim has the keeper take the group.
func (g *owning) claim(a ownership.Claim) {
	g.w.say(g.h.name, "claims", g.name, "")
	g.w.watch.claimed(g.h, g.name)
	g.order(a.ID, claimWait, func(k *keeper, now time.Time, own *keptGroup, back func(ownership.Done)) {
		if own.machine.State() == vrrp.Initialize {
			back(ownership.Done{Err: errors.New("it cannot work here")})
			return
		}
		own.claimed, own.claimEnds, k.changed = true, k.w.now+orders.ClaimLasts, true
		k.carry(now, own, own.machine.Step(now, "", vrrp.Claim{Priority: a.Priority}))
		own.claims = append(own.claims, &claim{slices.Clone(own.routers), func(err error) { back(ownership.Done{Err: err}) }})
	})
}

// keep has the keeper's machine take an event, and tells whether the group was owned.
func (g *owning) keep(id uint64, ev func(now time.Time) vrrp.Event) {
	g.order(id, patience, func(k *keeper, now time.Time, own *keptGroup, back func(ownership.Done)) {
		owned := own.machine.State() == vrrp.Active
		k.carry(now, own, own.machine.Step(now, "", ev(now)))
		back(ownership.Done{OK: owned})
	})
}

func is(ev vrrp.Event) func(time.Time) vrrp.Event { return func(time.Time) vrrp.Event { return ev } }
