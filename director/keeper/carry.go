package keeper

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/quorate/quorate/director/vrrp"
)

// carry does what a machine says, in order. Adverts leave at once; the addresses are the worker's.
func (k *keeper) carry(now time.Time, g *group, effects []vrrp.Effect) {
	for _, e := range effects {
		switch a := e.Action.(type) {
		case vrrp.Became:
			k.became(now, g, a)
			continue
		case vrrp.Ask:
			k.ask(g, a)
			continue
		}
		id, r := g.find(e.Router)
		if r == nil {
			continue
		}
		k.act(now, id, r, e.Action)
	}
}

func (g *group) find(router string) (identity, *router) {
	id, ok := g.names[router]
	if !ok {
		return identity{}, nil
	}
	return id, g.routers[id]
}

func (k *keeper) act(now time.Time, id identity, r *router, a vrrp.Action) {
	switch a := a.(type) {
	case vrrp.Advertise:
		k.advertise(now, id, r, a.Priority)
	case vrrp.Own:
		r.owned, r.wanted = true, k.worker.own(id, r.spec, &r.spoke)
	case vrrp.Release:
		r.owned, r.err = false, nil
		k.worker.release(id)
	case vrrp.Shorten:
		k.worker.shorten(id)
	case vrrp.Announce:
		k.announce(id, r)
	case vrrp.Silent:
		r.silent, k.changed = true, true
	}
}

func (k *keeper) announce(id identity, r *router) {
	if r.owned && r.active() {
		r.asked = k.worker.announce(id)
	}
}

// advertise sends one advert, to each that it goes to.
func (k *keeper) advertise(now time.Time, id identity, r *router, priority uint8) {
	if priority > 0 {
		r.spoke.store(now)
	}
	outlet := k.outlet(id, r)
	if outlet == nil || r.sender == nil {
		return
	}
	var err error
	for _, a := range r.sender.Adverts(now, priority) {
		err = cmp.Or(err, outlet.Send(r.source, a.Dst, a.Message)) // one that does not get it keeps it from nobody else
	}
	if errorText(err) != errorText(r.unsent) { // once, not at every advert
		k.changed = true
		k.log.Info("advertise", "router", id, "err", err)
	}
	r.unsent = err
	if err != nil {
		poke(k.survey.poke)
		return
	}
	r.sent++
}

// outlet is where a router's adverts leave, nil while there is none.
func (k *keeper) outlet(id identity, r *router) vrrp.Outlet {
	if r.spec.VirtualMAC {
		return k.outlets[r.spec.virtual()]
	}
	if p := k.ports[id.link]; p != nil {
		return p.conn
	}
	return nil
}

// part says the rest of what routers that are gone have to say.
func (k *keeper) part(now time.Time) {
	before := len(k.parting)
	k.parting = slices.DeleteFunc(k.parting, func(p *parting) bool {
		d := p.machine.Deadline()
		if !d.IsZero() && !d.After(now) {
			for _, a := range p.machine.Step(now, vrrp.Expired{}) {
				if a, ok := a.(vrrp.Advertise); ok {
					k.advertise(now, p.id, p.router, a.Priority)
				}
			}
		}
		return p.machine.Deadline().IsZero()
	})
	if len(k.parting) < before {
		k.need()
	}
}

// became takes note of a change of state.
func (k *keeper) became(now time.Time, g *group, b vrrp.Became) {
	reason := g.reason(b.Reason)
	if _, r := g.find(b.Router); r != nil && len(g.routers) > 1 {
		reason = r.spec.Name + ": " + reason
	}
	g.since = now
	g.changes[b.To.String()]++
	k.note(now, g, b.From.String(), b.To.String(), reason)
	k.recorded = false
	for _, r := range g.routers {
		r.silent = false
	}
	if b.To == vrrp.Active {
		return
	}
	for _, r := range g.routers {
		r.spoke.store(time.Time{})
	}
	k.hush(g)
	g.answer(fmt.Errorf("claim group %q: %s", g.spec.Name, reason))
	k.unclaim(now, g) // it is lost
}

// reason is a machine's reason as people are told it.
func (g *group) reason(text string) string {
	for id, r := range g.routers {
		if text == vrrp.NoCarrier && g.machine.Fault(id.String()) == text {
			return r.spec.down()
		}
	}
	return text
}

// down is the fault of a router whose link has no carrier.
func (r Router) down() string { return "link " + r.Interface + " down" }

// setPriority is the event of a priority of a group.
func (g Group) setPriority(priority uint8) vrrp.SetPriority {
	return vrrp.SetPriority{Priority: priority, Preempt: g.Preempt, PreemptDelay: g.PreemptDelay}
}

// event notes what is worth knowing and no change of state.
func (k *keeper) event(now time.Time, g *group, reason string) {
	state := g.machine.State().String()
	k.note(now, g, state, state, reason)
}

func (k *keeper) note(now time.Time, g *group, from, to, reason string) {
	k.seq++
	k.changed = true
	k.transitions = append(k.transitions, Transition{Seq: k.seq, At: now, Group: g.spec.Name, From: from, To: to, Reason: reason})
	if extra := len(k.transitions) - keptTransitions; extra > 0 {
		k.transitions = slices.Delete(k.transitions, 0, extra)
	}
	k.log.Info("group", "name", g.spec.Name, "from", from, "to", to, "reason", reason)
}

// receive reads what waits at the sockets. A flood is read in pieces, so that it delays no advert.
func (k *keeper) receive(now time.Time) {
	const piece = 512
	for l, p := range k.ports {
		for i := 0; ; i++ {
			if i == piece {
				poke(k.ready)
				break
			}
			d, ok, err := p.conn.Receive(k.buf)
			if err != nil {
				k.log.Debug("receive", "interface", l.Interface, "err", err)
				poke(k.survey.poke)
			}
			if !ok || err != nil {
				if p.signalled.Swap(false) {
					poke(p.drained)
				}
				break
			}
			k.hear(now, l, d)
		}
	}
}

// hear judges one datagram and tells the machine.
func (k *keeper) hear(now time.Time, l link, d vrrp.Datagram) {
	if d.Lost > 0 {
		k.drop(l, vrrp.DropQueue, d.Lost)
	}
	if d.Rejected != "" {
		k.drop(l, d.Rejected, d.Count)
		return
	}
	k.sign(now, l, d.Src)
	vrid, drop := vrrp.Peek(d)
	if drop != "" {
		k.drop(l, drop, 1)
		return
	}
	id := identity{l, vrid}
	g := k.at[id]
	if g == nil {
		k.drop(l, vrrp.DropVRID, 1)
		return
	}
	r := g.routers[id]
	if r.machine == nil || g.machine.State() == vrrp.Initialize {
		r.drops[vrrp.DropIdle]++
		return
	}
	before := r.machine.Peer()
	follows := before.Source
	if g.machine.State() == vrrp.Active {
		follows = d.Src // an Active router answers whoever resigns
	}
	ev, notices, drop := r.judge.Hear(now, d, follows)
	if drop != "" {
		r.drops[drop]++
		if drop == vrrp.DropMismatch { // both are Active for as long as it lasts
			k.remark(now, g, r, d.Src, fmt.Sprintf("%s: %v has another interval, which version 2 does not allow", r.spec.Name, d.Src))
		}
		return
	}
	r.received++
	ev.Unasked = !k.asked.reached(now)
	if g.machine.State() == vrrp.Active && ev.Priority > 0 {
		r.contend(now, ev.Interval)
	}
	for _, n := range notices {
		k.notice(now, g, r, n, d.Src, r.judge.Packet())
	}
	if r.silent || before.Source != ev.Source || before.Priority != ev.Priority {
		k.changed = true
	}
	r.silent = false
	k.carry(now, g, g.machine.Step(now, id.String(), ev))
}

// learn takes a survey of the host.
func (k *keeper) learn(now time.Time, s survey) {
	if s.err != nil {
		return
	}
	for l, p := range k.ports {
		if s.links[l].conn != p.conn {
			close(p.gone)
			delete(k.ports, l)
		}
	}
	k.links, k.macs, k.outlets = s.links, s.macs, s.outlets
	for l, f := range s.links {
		if f.conn != nil && k.ports[l] == nil {
			k.attach(l, f.conn)
		}
	}
	for _, g := range k.groups {
		joins := false
		for id, r := range g.routers {
			f, ok := s.links[id.link]
			switch {
			case ok && r.machine != nil:
				k.learnRouter(now, g, id, r, f)
			case ok:
				joins = true
			}
		}
		if joins {
			k.join(now, g, false)
			k.changed = true
		}
		for id, r := range g.routers {
			k.missing(id, r, s)
		}
	}
	k.filters()
}

func (k *keeper) learnRouter(now time.Time, g *group, id identity, r *router, f facts) {
	f.source = k.from(r.spec, f)
	was, fault := g.machine.Fault(id.String()), k.fault(g.spec, r.spec, f)
	if fault == "" && f.cut && was == "" && g.machine.State() == vrrp.Active && len(g.routers) > 1 {
		fault = r.spec.down() // the others can say goodbye at once: that is faster than to wait for it to come back
	}
	switch {
	case fault != "" && was != fault:
		k.changed = true
		k.carry(now, g, g.machine.Step(now, id.String(), vrrp.Fault{Reason: fault, CanSend: f.fault == "" && !f.cut}))
	case f.cut:
		k.carry(now, g, g.machine.Step(now, id.String(), vrrp.Carrier{}))
	case fault == "":
		k.carry(now, g, g.machine.Step(now, id.String(), vrrp.Carrier{Up: true}))
		if r.source != f.source {
			k.carry(now, g, g.machine.Step(now, id.String(), vrrp.SetSource{Source: f.source}))
		}
		r.learn(f)
		k.speak(r)
		if g.machine.Fault(id.String()) != "" {
			k.changed = true
			k.carry(now, g, g.machine.Step(now, id.String(), vrrp.Fit{}))
		}
	}
}

// missing has addresses, routes and rules restored that were there and are not. What the worker could not
// add before it tries again, since something has changed. While it works, what is missing may be what it
// is about to add, or may go behind its back: that is looked at when it is done.
func (k *keeper) missing(id identity, r *router, s survey) {
	if !r.owned || r.machine.State() != vrrp.Active || r.whole(s) {
		return
	}
	if r.done < r.wanted && r.err == nil {
		r.doubt = true
		return
	}
	r.wanted = k.worker.check(id, true)
}

// whole reports whether a survey saw all that an owner has on the host.
func (r *router) whole(s survey) bool {
	for _, a := range r.spec.Kept() {
		if _, ok := s.present[a]; !ok {
			return false
		}
	}
	return s.paths == nil || s.paths.Lacks(r.spec.paths()).Empty()
}

// attach starts the goroutine that waits at a socket.
func (k *keeper) attach(l link, c vrrp.Conn) {
	p := &port{conn: c, drained: make(chan struct{}, 1), gone: make(chan struct{})}
	k.ports[l] = p
	k.waiting.Go(func() {
		for {
			if err := c.Wait(); err != nil {
				return
			}
			p.signalled.Store(true)
			poke(k.ready)
			select {
			case <-p.drained:
			case <-p.gone:
				return
			}
		}
	})
}

// active names the groups that are Active, or have their addresses still.
func (k *keeper) active() map[string]bool {
	out := map[string]bool{}
	for name, g := range k.groups {
		if g.machine.State() == vrrp.Active {
			out[name] = true
		}
	}
	return out
}
