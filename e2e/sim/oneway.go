package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/director/placement"
)

// unreachedAfter is for how long a member's port must be shut to who hears it, before what it says does not count.
const unreachedAfter = time.Second

// shuts keeps some from opening connections to a host's port: a filter before it. What the host opens itself passes both ways.
func (w *world) shuts(h *host, to []*host) fault {
	change := func(by int) func() {
		return func() {
			for _, o := range to {
				w.shut[o.index][h.index] += by
			}
			w.touch()
		}
	}
	var names []string
	for _, o := range to {
		names = append(names, o.name)
	}
	return fault{fmt.Sprintf("the cluster port of %s is shut to %s", h.name, strings.Join(names, " ")), change(1), change(-1)}
}

// others are all hosts but one.
func (w *world) others(h *host) []*host {
	return slices.DeleteFunc(slices.Clone(w.hosts), func(o *host) bool { return o == h })
}

// from are the pairs of some hosts with one.
func (w *world) from(some []*host, to *host) [][2]int {
	var pairs [][2]int
	for _, o := range some {
		pairs = append(pairs, [2]int{o.index, to.index})
	}
	return pairs
}

// filtered reports whether a host's port is shut to all others, while its agent reaches another: then it can ask that one.
// Neither keeper stands still: who could end what the kernel of one has is told by reports alone.
func (w *world) filtered(h, o *host) bool {
	return w.commands(h.index, o.index) && h.keeping.runs() && o.keeping.runs() && !slices.ContainsFunc(w.others(h), func(o *host) bool { return w.shut[o.index][h.index] == 0 })
}

// oneWay has the cluster port of one be shut to all others, or to one: often that of who leads or owns. A filter may keep the
// adverts of those from it, too, or no advert passes. It draws from a chance of its own, so that all else of the scenario is as it would be.
func (p *plan) oneWay(c chance) (heal time.Duration) {
	w, at, lasts := p.w, warm+c.between(0, 20*time.Second), c.between(3*time.Second, 20*time.Second)
	whom, one, any, other := c.IntN(3), c.one(4), c.IntN(len(w.hosts)), c.IntN(len(w.hosts)-1)
	adverts := c.IntN(3)
	w.after(at-w.now, func() {
		h := w.hosts[any]
		switch l, o := w.leader(), p.owner(); {
		case whom == 0 && l != nil:
			h = l
		case whom == 1 && o != nil:
			h = o
		}
		to := w.others(h)
		if one {
			to = to[other : other+1]
		}
		fs := []fault{w.shuts(h, to)}
		for _, r := range w.routers {
			switch adverts {
			case 0:
				fs = append(fs, w.cutsOff(r.on, []kind{vrrpKind}, w.from(to, h), wireNames[r.on]+" loses all VRRP to "+h.name))
			case 1:
				fs = append(fs, w.losesAll(r.on, vrrpKind))
			}
		}
		for _, f := range fs {
			p.names = append(p.names, f.name)
			w.inject(w.now, lasts, f)
		}
	})
	p.heal = max(p.heal, at+lasts)
	return p.heal
}

// abdicate has another lead where a leader hears no majority of the voters, as the agent's does: the first of those that it
// reaches and that have all of its log stands at once, and needs no more than the votes of a majority that it reaches itself.
func (c *control) abdicate() {
	w := c.w
	if w.without(Abdication) || w.now-c.placer.led < settleTime || !c.isOnTime() || len(w.hosts) <= 2 {
		return
	}
	heard := 0
	for _, h := range w.hosts {
		if h == c.h || w.now-c.heard[h.index] <= placement.Grace {
			heard++
		}
	}
	if 2*heard > len(w.hosts) {
		return
	}
	for _, h := range w.hosts {
		if h == c.h || !w.commands(c.h.index, h.index) || h.control.node.has < c.node.has {
			continue
		}
		w.say(c.h.name, "abdicates", h.name, "")
		term := c.node.term
		w.send(c.h, h, func(next *control) {
			if next.node.term <= term {
				next.stands()
			}
		})
		return
	}
}

// stands has a member take the lead that another has given up: nobody goes by it that it has heard that one lately.
func (c *control) stands() {
	w := c.w
	var votes []*control
	for _, h := range w.hosts {
		if w.commands(c.h.index, h.index) && h.control.node.has <= c.node.has {
			votes = append(votes, h.control)
		}
	}
	if len(votes) >= w.majority() {
		c.wins(votes)
	}
}
