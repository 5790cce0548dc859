package sim

import (
	"time"

	orders "github.com/quorate/quorate/director/keeper"
	"github.com/quorate/quorate/director/ownership"
)

// report is what one director tells the others about itself.
type report struct {
	ready, leaving bool
	groups         []groupStatus
	keeps          []bool   // it has the addresses of each, Active or not
	claims         []string // why each was claimed, while the log does not know
	takers         []string // who took each by a claim
	unproven       []bool   // its owner is heard, and nobody answers for its address
}

// tellOthers sends this director's report to every other member. One that hangs delays no other.
func (c *control) tellOthers() {
	w := c.w
	c.told, c.tell = w.now, false
	r := &report{ready: c.isReady(), leaving: c.leaving, groups: c.status}
	for i, g := range c.groups {
		r.keeps = append(r.keeps, c.keeps(i))
		r.claims = append(r.claims, g.machine.Claimed())
		r.takers = append(r.takers, g.machine.Taker())
		r.unproven = append(r.unproven, g.machine.Unproven() != "")
	}
	c.put(c.h.index, r)
	for _, h := range w.hosts {
		if h == c.h {
			continue
		}
		if c.busy[h.index] > w.now {
			c.again[h.index] = true // when that is over
			continue
		}
		to := h
		c.busy[to.index] = w.now + 2*reportEvery
		w.send(c.h, to, func(other *control) {
			other.put(c.h.index, r)
			other.heardReport()
			w.reply(to, c.h, func(*control) {
				c.busy[to.index] = 0
				if c.again[to.index] {
					c.again[to.index] = false
					c.changed()
				}
			})
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
	c.look()
	c.fence()
}

// send sends a message to another member's control process, over the cluster port.
func (w *world) send(from, to *host, do func(*control)) { w.carry(from, to, from, do) }

// reply answers one, over the connection that it came by.
func (w *world) reply(from, to *host, do func(*control)) { w.carry(from, to, to, do) }

// carry carries a message over a connection of one of the two.
func (w *world) carry(from, to, of *host, do func(*control)) {
	other := from.index + to.index - of.index
	if !w.opens(of.index, other) || !to.controlling.alive {
		return
	}
	life := to.controlling.life
	w.after(w.transit(w.clusterOn, from.index, to.index), func() {
		if to.controlling.life == life && w.opens(of.index, other) {
			to.controlling.now(func() { do(to.control) })
		}
	})
}

// contested reports whether the keeper said last to have addresses of a group, or has just given them up, of which another director
// says something, as that it owns it.
func (c *control) contested(group int, says func(*report, int) bool) bool {
	if !c.keeps(group) && !c.leaves(group) {
		return false
	}
	for _, h := range c.w.hosts {
		if r := c.reportOf(h.index); h != c.h && r != nil && c.w.now-c.heard[h.index] < returnAfter && says(r, group) {
			return true
		}
	}
	return false
}

func (r *report) owns(group int) bool {
	return group < len(r.groups) && r.groups[group].part == ownership.Owner
}

// serves reports whether a director has addresses of a group, Active or not: without a keeper too, for the next one finds them.
func (r *report) serves(group int) bool { return r.owns(group) || r.keeps[group] }

// keeps reports whether the keeper has addresses of a group as far as control knows: by what it said, or by the kernel.
func (c *control) keeps(group int) bool {
	if c.status != nil {
		return group < len(c.status) && c.status[group].keeps()
	}
	for _, r := range c.w.routers {
		if r.group == c.groups[group].name && c.h.kernel.has(r.index) {
			return true
		}
	}
	return false
}

// leaves reports whether the keeper has given a group up so lately that its addresses may still be there.
func (c *control) leaves(group int) bool {
	gave := c.groups[group].gave
	return c.status != nil && gave != 0 && c.w.now-gave < orders.Lifetime(c.w.interval)
}

// fence removes the addresses of a keeper that is frozen, once another director says that it owns them.
func (c *control) fence() {
	var contested []int
	for i := range c.groups {
		if c.contested(i, (*report).owns) {
			contested = append(contested, i)
		}
	}
	if len(contested) == 0 || c.fencing || !c.begun {
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
		for _, i := range contested { // of another, who is about to let its addresses go has them for a moment as well
			if c.contested(i, (*report).serves) {
				c.removeAddresses(c.groups[i])
			}
		}
	})
}

// removeAddresses removes a group's addresses of a keeper that is frozen, and tells who owns it of that if there were any.
func (c *control) removeAddresses(g *owning) {
	had := false
	for _, r := range c.w.routers {
		if r.group == g.name {
			had = had || c.h.kernel.has(r.index)
			c.h.kernel.remove(r.index, "fenced")
		}
	}
	if had {
		g.step(ownership.Fenced{})
	}
}
