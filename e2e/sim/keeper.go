package sim

import (
	"net/netip"
	"time"

	orders "github.com/quorate/quorate/director/keeper"
	"github.com/quorate/quorate/director/vrrp"
)

// keeper is a keeper process: what the package director/keeper does around the machines of the package
// director/vrrp, without its goroutines. Its loop and its worker are one here, and take turns as they do
// there: stalls are seen, then what waits is read, then what was asked is done, then what is due.
type keeper struct {
	h       *host
	w       *world
	order   orders.Order
	groups  []*keptGroup // in the order of the order
	members map[netip.Addr]bool
	signs   map[station]time.Time // when a host was heard on a wire, whatever it said
	inbox   []datagram
	beat    time.Duration // when the loop ran last
	wake    time.Duration // when it is to run again; 0: nothing is due
	changed bool          // control is to be told
	until   time.Duration // when to stop waiting for a hand-over; 0: not stopping
	noted   int           // counts the records
	called  time.Duration // when the kernel was called last
	takes   time.Duration // and how long it took
	packet  vrrp.Packet
	life    int           // of the control process that has given an order
	came    time.Duration // when it did first
}

// keptGroup is a group of the order with its machine.
type keptGroup struct {
	spec    orders.Group
	machine *vrrp.Group
	routers []*keptRouter
	claimed bool
	claims  []*claim
	reason  string

	claimEnds time.Duration // when a claim ends by itself
}

// keptRouter is a router of a group, and what the worker has done for it.
type keptRouter struct {
	*router // of the world
	spec    orders.Router
	machine *vrrp.Machine
	judge   vrrp.Judge
	owned   bool
	silent  bool

	life    time.Duration // of the addresses
	added   bool          // the worker has added them
	ends    bool          // they are renewed no more
	renewed time.Duration
	spoke   time.Duration // the last advert
	check   bool          // the worker is to look whether they are there
	again   bool          // they are to be added though they are there
	adding  int           // counts what was asked of the worker
	hushed  bool          // nothing is announced until it is Active again
	said    int           // announcements of this round
	sayAt   time.Duration
	lastSay time.Duration // 0: not since they were added
}

// claim waits for the announcement of all routers of a group.
type claim struct {
	left []*keptRouter
	done func(error)
}

// datagram is an advert on its way.
type datagram struct {
	from      *host
	router    *router
	vrid      uint8
	priority  uint8
	interval  time.Duration
	addresses []netip.Addr
}

// rounds are the times of the announcements of a new owner; after them it announces each refresh.
var rounds = [...]time.Duration{
	0, 200 * time.Millisecond, 400 * time.Millisecond, 600 * time.Millisecond, 800 * time.Millisecond,
	5000 * time.Millisecond, 5200 * time.Millisecond, 5400 * time.Millisecond, 5600 * time.Millisecond, 5800 * time.Millisecond,
}

const (
	refresh = time.Minute
	spare   = 100 * time.Millisecond // between announcements at least
)

func (k *keeper) group(name string) *keptGroup {
	for _, g := range k.groups {
		if g.spec.Name == name {
			return g
		}
	}
	return nil
}

func (g *keptGroup) find(router string) *keptRouter {
	for _, r := range g.routers {
		if r.name == router {
			return r
		}
	}
	return nil
}

// interval is that of a group's adverts as the keeper was told last.
func (k *keeper) interval(group string) time.Duration {
	if g := k.group(group); g != nil && len(g.spec.Routers) > 0 {
		return g.spec.Routers[0].Interval
	}
	return 0
}

// turn is one turn of the loop. Do may be nil.
func (k *keeper) turn(do func(now time.Time)) {
	if !k.h.keeping.runs() {
		return // it was ended by what it did
	}
	now := k.w.time()
	k.stalled(now)
	if k.w.without(StallGuard) {
		k.expire(now)
	}
	k.receive(now)
	if do != nil {
		do(now)
	}
	k.expire(now)
	k.work(now)
	k.beat = k.w.now
	if k.changed {
		k.changed = false
		k.tell()
	}
	if k.until != 0 && (k.w.now >= k.until || !k.owns()) {
		k.goodbye(now)
		return
	}
	k.arm()
}

// call has the loop do something, as an order over the socket does.
func (k *keeper) call(do func(now time.Time)) {
	k.h.keeping.after(100*time.Microsecond, func() { k.turn(do) })
}

// arm has the loop run when something is due next.
func (k *keeper) arm() {
	next := k.deadline()
	if next == 0 || k.wake != 0 && k.wake <= next {
		return
	}
	k.wake = next
	k.h.keeping.after(next-k.w.now, func() {
		if k.wake != 0 && k.wake <= k.w.now {
			k.wake = 0
		}
		if d := k.deadline(); d != 0 && d <= k.w.now {
			k.turn(nil)
		} else {
			k.arm()
		}
	})
}

func (k *keeper) deadline() time.Duration {
	next := k.until
	take := func(at time.Duration) {
		if next == 0 || at < next {
			next = max(at, 1)
		}
	}
	for _, g := range k.groups {
		if d := g.machine.Deadline(); !d.IsZero() {
			take(k.w.at(d))
		}
		if g.claimed {
			take(g.claimEnds)
		}
		for _, r := range g.routers {
			if r.added {
				take(r.renewAt())
				if !r.hushed {
					take(r.sayAt)
				}
			}
			if r.owned && g.machine.State() != vrrp.Active {
				take(k.beat + r.spec.Interval)
			}
		}
	}
	return next
}

// stalled finds groups that the loop is late for, as the keeper's stalls does. No host is suspended.
func (k *keeper) stalled(now time.Time) {
	if k.w.without(StallGuard) {
		return
	}
	var due time.Time
	if d := k.deadline(); d != 0 {
		due = epoch.Add(d)
	}
	s := orders.Stall{Now: now, Frozen: k.w.now - k.beat}
	if s.Unasked(due) {
		k.came = max(k.came, k.w.now)
	}
	for _, g := range k.groups {
		events := s.Events(g.machine, g.listening(), g.lifetime())
		if len(events) == 0 {
			continue
		}
		k.w.say(k.h.name, "stalled", g.spec.Name, s.Frozen.String())
		for _, ev := range events {
			k.carry(now, g, g.machine.Step(now, "", ev))
		}
		for _, r := range g.routers {
			r.check = r.check || r.owned
		}
	}
}

// expire does what is due, and what that makes due.
func (k *keeper) expire(now time.Time) {
	for _, g := range k.groups {
		for range 4 {
			if d := g.machine.Deadline(); d.IsZero() || d.After(now) {
				break
			}
			k.carry(now, g, g.machine.Step(now, "", vrrp.Expired{Unattended: k.unattended(g)}))
		}
		if g.claimed && k.w.now >= g.claimEnds {
			k.w.say(k.h.name, "a claim ends", g.spec.Name, "")
			k.unclaim(now, g)
		}
	}
}

// receive reads what waits at the sockets.
func (k *keeper) receive(now time.Time) {
	for len(k.inbox) > 0 {
		d := k.inbox[0]
		k.inbox = k.inbox[1:]
		k.hear(now, d)
	}
	k.inbox = nil
}

// hear judges one advert and tells the machine.
func (k *keeper) hear(now time.Time, d datagram) {
	k.signs[station{d.router.on, d.from.index}] = now
	g, r := k.at(d.router)
	if r == nil || r.machine == nil || g.machine.State() == vrrp.Initialize || d.vrid != r.spec.VRID {
		return
	}
	before := r.machine.Peer()
	src, follows := d.from.source(r.on), before.Source
	if g.machine.State() == vrrp.Active {
		follows = src
	}
	k.packet = vrrp.Packet{
		Version: vrrp.V3, VRID: d.vrid, Priority: d.priority, Interval: d.interval, Addresses: d.addresses,
		Checksum: vrrp.Pseudo,
	}
	ev, _, drop := r.judge.Believe(now, src, &k.packet, follows)
	if drop != "" {
		return
	}
	if r.silent || before.Source != ev.Source || before.Priority != ev.Priority {
		k.changed = true
	}
	r.silent = false
	ev.Unasked = !k.askable()
	k.carry(now, g, g.machine.Step(now, r.name, ev))
}

// askable reports whether a control is there that the others can have reached, as the keeper's asked does.
func (k *keeper) askable() bool {
	return k.h.controlling.alive && !k.order.Apart && k.life == k.h.controlling.life && k.w.now-k.came >= orders.Askable
}

// at returns a router of the order, nil if it is not in it.
func (k *keeper) at(r *router) (*keptGroup, *keptRouter) {
	for _, g := range k.groups {
		for _, own := range g.routers {
			if own.router == r {
				return g, own
			}
		}
	}
	return nil, nil
}

// carry does what a machine says, in order.
func (k *keeper) carry(now time.Time, g *keptGroup, effects []vrrp.Effect) {
	for _, e := range effects {
		switch a := e.Action.(type) {
		case vrrp.Became:
			k.became(now, g, a)
			continue
		case vrrp.Ask:
			k.ask(g, a)
			continue
		}
		r := g.find(e.Router)
		if r == nil {
			continue
		}
		switch a := e.Action.(type) {
		case vrrp.Advertise:
			k.w.advertise(k.h, r, a.Priority)
		case vrrp.Own:
			r.owned, r.again = true, true
			k.add(r)
		case vrrp.Release:
			r.owned = false
			k.release(r)
		case vrrp.Shorten:
			k.shorten(r)
		case vrrp.Announce:
			k.sayAgain(r)
		case vrrp.Silent:
			r.silent, k.changed = true, true
		}
	}
}

// became takes note of a change of state.
func (k *keeper) became(now time.Time, g *keptGroup, b vrrp.Became) {
	k.w.say(k.h.name, b.From.String()+"->"+b.To.String(), g.spec.Name, b.Reason)
	k.w.watch.became(k.h, g.spec.Name, b)
	g.reason = b.Reason
	k.changed = true
	k.note()
	for _, r := range g.routers {
		r.silent = false
	}
	if b.To == vrrp.Active {
		return
	}
	for _, r := range g.routers {
		r.hushed = true
	}
	g.answer(lost{b.Reason})
	k.unclaim(now, g)
}

// unclaim ends a claim: back to the priority of the order.
func (k *keeper) unclaim(now time.Time, g *keptGroup) {
	if g.claimed {
		g.claimed, k.changed = false, true
		k.carry(now, g, g.machine.Step(now, "", g.setPriority(g.spec.Priority)))
	}
}

// lost is why a claim did not come to its end.
type lost struct{ why string }

func (l lost) Error() string { return l.why }

func (g *keptGroup) setPriority(p uint8) vrrp.SetPriority {
	return vrrp.SetPriority{Priority: p, Preempt: g.spec.Preempt, PreemptDelay: g.spec.PreemptDelay}
}

// answer ends all claims that wait.
func (g *keptGroup) answer(err error) {
	for _, c := range g.claims {
		c.done(err)
	}
	g.claims = nil
}

func (g *keptGroup) lifetime() time.Duration {
	least := time.Duration(0)
	for _, r := range g.routers {
		if least == 0 || r.life < least {
			least = r.life
		}
	}
	return least
}

// listening is the keeper's own rule, see its start.go.
func (g *keptGroup) listening() time.Duration {
	d := 50 * time.Millisecond
	for _, r := range g.routers {
		d = max(d, r.spec.Interval*11/10)
	}
	return d
}

func (k *keeper) owns() bool {
	for _, g := range k.groups {
		for _, r := range g.routers {
			if r.owned {
				return true
			}
		}
	}
	return false
}
