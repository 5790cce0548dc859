package keeper

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/quorate/quorate/director/vrrp"
)

// carry does what a machine says, in order. Adverts leave at once; the addresses are the worker's.
func (k *keeper) carry(now time.Time, g *group, effects []vrrp.Effect) {
	for _, e := range effects {
		if became, ok := e.Action.(vrrp.Became); ok {
			k.became(now, g, became)
			continue
		}
		id, r := g.find(e.Router)
		if r == nil {
			continue
		}
		k.act(id, r, e.Action)
	}
}

func (g *group) find(router string) (identity, *router) {
	for id, r := range g.routers {
		if id.String() == router {
			return id, r
		}
	}
	return identity{}, nil
}

func (k *keeper) act(id identity, r *router, a vrrp.Action) {
	switch a := a.(type) {
	case vrrp.Advertise:
		k.advertise(id, r, a.Priority)
	case vrrp.Own:
		r.owned = true
		k.worker.own(id, r.spec.kept(), r.spec.lifetime())
	case vrrp.Release:
		r.owned, r.err = false, nil
		k.worker.release(id)
	case vrrp.Announce:
		k.announce(id, r)
	case vrrp.Silent:
		r.silent, k.changed = true, true
	}
}

func (k *keeper) announce(id identity, r *router) {
	if r.owned {
		r.asked = k.worker.announce(id)
	}
}

// advertise sends one advert.
func (k *keeper) advertise(id identity, r *router, priority uint8) {
	p := k.ports[id.link]
	if p == nil || !r.source.IsValid() {
		return
	}
	advert := vrrp.Packet{VRID: id.vrid, Priority: priority, Interval: r.spec.Interval, Addresses: r.judge.Addresses}
	out, err := advert.Append(k.out[:0], r.source, vrrp.Multicast(id.V6), r.spec.checksum())
	k.out = out
	if err == nil {
		err = p.conn.Send(r.source, out)
	}
	if err != nil {
		if r.err == nil || r.err.Error() != err.Error() { // once, not at every advert
			k.log.Error("advertise", "router", id, "err", err)
			k.changed = true
		}
		r.err = err
		poke(k.survey.poke)
		return
	}
	r.sent++
}

// part says the rest of what routers that are gone have to say.
func (k *keeper) part(now time.Time) {
	k.parting = slices.DeleteFunc(k.parting, func(p *parting) bool {
		d := p.machine.Deadline()
		if !d.IsZero() && !d.After(now) {
			for _, a := range p.machine.Step(now, vrrp.Expired{}) {
				if a, ok := a.(vrrp.Advertise); ok {
					k.advertise(p.id, p.router, a.Priority)
				}
			}
		}
		return p.machine.Deadline().IsZero()
	})
}

// became takes note of a change of state.
func (k *keeper) became(now time.Time, g *group, b vrrp.Became) {
	reason := b.Reason
	if _, r := g.find(b.Router); r != nil && len(g.routers) > 1 {
		reason = r.spec.Name + ": " + reason
	}
	g.since = now
	k.note(now, g, b.From.String(), b.To.String(), reason)
	k.recorded = false
	for _, r := range g.routers {
		r.silent = false
	}
	if b.To == vrrp.Active {
		return
	}
	g.answer(fmt.Errorf("claim group %q: %s", g.spec.Name, reason))
	if g.claimed { // the claim is lost: back to the priority of the order
		g.claimed = false
		k.carry(now, g, g.machine.Step(now, "", vrrp.SetPriority{Priority: g.spec.Priority, Preempt: g.spec.Preempt}))
	}
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
	advert, sum, drop := vrrp.Parse(d)
	if drop != "" {
		k.drop(l, drop)
		return
	}
	g, r := k.router(identity{l, advert.VRID})
	switch {
	case r == nil:
		k.drop(l, vrrp.DropVRID)
		return
	case g.machine.State() == vrrp.Initialize:
		r.drops[vrrp.DropIdle]++
		return
	}
	before := r.machine.Peer()
	ev, notices, drop := r.judge.Believe(d.Src, advert, sum, before.Source)
	if drop != "" {
		r.drops[drop]++
		return
	}
	r.received++
	for _, n := range notices {
		k.notice(now, g, r, n, d.Src, advert)
	}
	if r.silent || before.Source != ev.Source || before.Priority != ev.Priority {
		k.changed = true
	}
	r.silent = false
	k.carry(now, g, g.machine.Step(now, r.spec.identity().String(), ev))
}

func (k *keeper) router(id identity) (*group, *router) {
	for _, g := range k.groups {
		if r := g.routers[id]; r != nil {
			return g, r
		}
	}
	return nil, nil
}

func (k *keeper) drop(l link, why vrrp.Drop) {
	if k.drops[l.Interface] == nil {
		k.drops[l.Interface] = map[vrrp.Drop]uint64{}
	}
	k.drops[l.Interface][why]++
}

// notice counts an oddity, and reports a list or an interval that differs once for each source.
func (k *keeper) notice(now time.Time, g *group, r *router, n vrrp.Notice, src netip.Addr, p vrrp.Packet) {
	r.notices[n]++
	if n != vrrp.NoticeAddresses && n != vrrp.NoticeInterval {
		return
	}
	said := fmt.Sprintf("%s: %v advertises %v every %v", r.spec.Name, src, p.Addresses, p.Interval)
	if r.noted[src] == said {
		return
	}
	if len(r.noted) >= 64 { // strangers must not fill the memory
		clear(r.noted)
	}
	r.noted[src] = said
	k.event(now, g, said)
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
	k.links = s.links
	for l, f := range s.links {
		if f.conn != nil && k.ports[l] == nil {
			k.attach(l, f.conn)
		}
	}
	for _, g := range k.groups {
		for id, r := range g.routers {
			if f, ok := s.links[id.link]; ok {
				k.learnRouter(now, g, id, r, f)
			}
		}
		for id, r := range g.routers {
			k.missing(id, r, s)
		}
	}
}

func (k *keeper) learnRouter(now time.Time, g *group, id identity, r *router, f facts) {
	was := g.machine.Fault(id.String())
	switch {
	case f.fault != "" && was != f.fault:
		k.changed = true
		k.carry(now, g, g.machine.Step(now, id.String(), vrrp.Fault{Reason: f.fault}))
	case f.fault == "":
		if r.source != f.source {
			k.carry(now, g, g.machine.Step(now, id.String(), vrrp.SetSource{Source: f.source}))
		}
		r.learn(f)
		if was != "" {
			k.changed = true
			k.carry(now, g, g.machine.Step(now, id.String(), vrrp.Fit{}))
		}
	}
}

// missing has addresses restored that were there and are not.
func (k *keeper) missing(id identity, r *router, s survey) {
	if !r.owned || r.done == 0 || r.machine.State() != vrrp.Active {
		return
	}
	for _, a := range r.spec.kept() {
		if _, ok := s.present[a]; !ok {
			k.worker.check(id, true)
			return
		}
	}
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

// status copies what is known, for others to read.
func (k *keeper) status(now time.Time) Status {
	s := Status{Time: now, Transitions: slices.Clone(k.transitions), Drops: map[string]map[vrrp.Drop]uint64{}}
	for iface, d := range k.drops {
		s.Drops[iface] = cloneMap(d)
	}
	for _, spec := range k.order.Groups {
		g := k.groups[spec.Name]
		gs := GroupStatus{
			Name: spec.Name, State: g.machine.State().String(), Epoch: spec.Epoch, Priority: g.machine.Priority(),
			Claimed: g.claimed, Since: g.since, Reason: g.machine.Reason(),
		}
		for _, r := range spec.Routers {
			gs.Routers = append(gs.Routers, g.routers[r.identity()].status(now, g.machine.Fault(r.identity().String())))
		}
		s.Groups = append(s.Groups, gs)
	}
	return s
}

func (r *router) status(now time.Time, fault string) RouterStatus {
	s := RouterStatus{
		Name: r.spec.Name, Source: r.source, Fault: fault, Present: r.owned && r.done > 0 && r.err == nil, Silent: r.silent,
		Sent: r.sent, Received: r.received, Restored: r.restored, Drops: cloneMap(r.drops), Notices: cloneMap(r.notices),
		Error: errorText(r.err),
	}
	if p := r.machine.Peer(); p.Source.IsValid() {
		s.Heard = &Heard{Source: p.Source, Priority: p.Priority, Member: p.Member, Age: now.Sub(p.Heard)}
	}
	return s
}

func cloneMap[K comparable](m map[K]uint64) map[K]uint64 {
	out := make(map[K]uint64, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}
