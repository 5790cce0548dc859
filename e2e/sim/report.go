package sim

import (
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/director/ownership"
	"github.com/quorate/quorate/fsm"
)

// report is what one director tells the others about itself.
type report struct {
	ready, leaving bool
	groups         []groupStatus
}

// tellOthers sends this director's report to every other member. One that hangs delays no other.
func (c *control) tellOthers() {
	w := c.w
	c.told, c.tell = w.now, false
	r := &report{ready: c.isReady(), leaving: c.leaving, groups: c.status}
	c.put(c.h.index, r)
	for _, h := range w.hosts {
		if h == c.h || c.busy[h.index] > w.now {
			continue
		}
		to := h
		c.busy[to.index] = w.now + 2*reportEvery
		w.send(c.h, to, func(other *control) {
			other.put(c.h.index, r)
			other.heardReport()
			w.send(to, c.h, func(*control) { c.busy[to.index] = 0 })
		})
	}
}

// put stores a report that came.
func (c *control) put(from int, r *report) {
	c.reports[from], c.came[from] = r, c.w.now
	switch {
	case r.ready:
		c.unready[from] = 0
	case c.unready[from] == 0:
		c.unready[from] = c.w.now
	}
}

// heardReport does what is to be done when a report came.
func (c *control) heardReport() {
	c.changed()
	c.tell = false
	c.fence()
}

// send sends a message to another member's control process, over the cluster port.
func (w *world) send(from, to *host, do func(*control)) {
	if !w.connected(from.index, to.index) || !to.controlling.alive {
		return
	}
	life := to.controlling.life
	w.after(w.transit(w.clusterOn, from.index, to.index), func() {
		if to.controlling.life == life && w.connected(from.index, to.index) {
			to.controlling.now(func() { do(to.control) })
		}
	})
}

// contested reports whether the keeper said last to own a group that another director says to own.
func (c *control) contested(group int) bool {
	if c.status == nil || group >= len(c.status) || c.status[group].part != ownership.Owner {
		return false
	}
	for _, h := range c.w.hosts {
		if r := c.reportOf(h.index); h != c.h && r != nil && group < len(r.groups) && r.groups[group].part == ownership.Owner {
			return true
		}
	}
	return false
}

// fence removes the addresses of a keeper that is frozen, once another director says that it owns them.
func (c *control) fence() {
	contested := false
	for i := range c.groups {
		contested = contested || c.contested(i)
	}
	if !contested || c.fencing || !c.begun {
		return
	}
	c.fencing = true
	answered, k := false, c.h.keeper
	k.call(func(time.Time) { answered = true })
	c.h.controlling.after(fenceAfter, func() {
		c.fencing = false
		if answered || !c.h.keeping.alive || c.h.keeper != k {
			return
		}
		for i, g := range c.groups {
			if c.contested(i) {
				for _, r := range c.w.routers {
					if r.group == g.name {
						c.h.kernel.remove(r.index, "fenced")
					}
				}
			}
		}
	})
}

type intentSeen struct {
	epoch uint64
	at    time.Duration
}

// duty is the leader's: it places the groups, a step for each and round.
func (c *control) duty() {
	w := c.w
	if w.now-c.led < settleTime {
		return
	}
	for i, name := range w.groups {
		g, ok := c.state.Groups[name]
		if !ok {
			continue
		}
		cmd := command(ownership.Place(name, g, c.views(i), c.intentAge(name, g)))
		_, move := cmd.(fsm.SetIntent)
		_, order := cmd.(fsm.SetOrder)
		switch {
		case cmd == nil, move && w.within(c.duties[0], name, moveAgain), order && w.within(c.duties[1], name, reportEvery):
			continue
		case order:
			c.duties[1][name] = w.now
		}
		if c.node.pending > 0 {
			return // one at a time: the loop waits for its proposal
		}
		w.watch.reasoned(c.h, cmd)
		c.propose(cmd, 10*time.Second, func(error) { c.changed() })
	}
}

func (w *world) within(of map[string]time.Duration, name string, d time.Duration) bool {
	at, ok := of[name]
	return ok && w.now-at < d
}

// views is what the leader knows of each candidate for a group.
func (c *control) views(group int) []ownership.View {
	var out []ownership.View
	for _, h := range c.w.hosts {
		if h.witness {
			continue
		}
		v := ownership.View{Name: h.name, Draining: c.state.Members[h.name].Draining}
		if r := c.reportOf(h.index); r != nil {
			v.Alive, v.Ready = true, r.ready
			v.Draining = v.Draining || r.leaving
			if group < len(r.groups) {
				g := r.groups[group]
				v.Active = g.part == ownership.Owner
				if g.part == ownership.Faulty {
					v.Fault = g.reason
				}
			}
			if c.unready[h.index] != 0 {
				v.Unready = c.w.now - c.unready[h.index]
			}
		}
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b ownership.View) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func command(d ownership.Decision) fsm.Command {
	switch {
	case d.Confirm != nil:
		return *d.Confirm
	case d.Drop != nil:
		return *d.Drop
	case d.Move != nil:
		return *d.Move
	case d.Order != nil:
		return *d.Order
	}
	return nil
}

// intentAge returns how long this leader has seen a group's intent.
func (c *control) intentAge(name string, g fsm.Ownership) time.Duration {
	seen, ok := c.intents[name]
	if g.Intent == nil {
		if ok && seen.epoch > g.Epoch { // it ended without an owner
			c.duties[0][name] = c.w.now
		}
		delete(c.intents, name)
		return 0
	}
	if !ok || seen.epoch != g.Intent.Epoch {
		seen = intentSeen{g.Intent.Epoch, c.w.now}
		c.intents[name] = seen
	}
	return c.w.now - seen.at
}
