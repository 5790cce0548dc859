package sim

import (
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/director/vrrp"
)

// toldTime is how long after another took a group a director knows that, and has asked it: a report, a question and its answer
// take some milliseconds, and a survey that waits for the dead ends within it.
const toldTime = 350 * time.Millisecond

// whoCanAsks is the name of the invariant.
const whoCanAsks = "who can ask asks"

// asks is another invariant: nobody takes a group by its timer which another has just taken, as its report and the log tell,
// and which it can ask. A third that is cut off, or whose agent is, excuses nobody.
func (x *watch) asks(h, o *host, group, why string) {
	w := x.w
	if w.slow > 0 || !strings.Contains(why, vrrp.Fell) || w.now-x.owns[o.index].at < toldTime || !x.could(h, o) {
		return
	}
	x.fail(whoCanAsks, "%s takes %s though %s has owned it for %v, which it could ask: %s", h.name, group, o.name, w.now-x.owns[o.index].at, why)
}

// could reports whether a director could have asked an owner for so long that nothing before it counts: nothing is wrong with
// the two, their agents reach each other, and so do their machines on each segment.
func (x *watch) could(h, o *host) bool {
	long := func(s since) bool { return s.is && x.w.now-s.at > time.Second }
	return long(x.well[h.index]) && long(x.well[o.index]) && long(x.ports[h.index][o.index]) && x.w.speak(h, o) &&
		h.control.isOnTime() && o.control.isOnTime() &&
		!slices.ContainsFunc(x.w.routers, func(r *router) bool {
			return !long(x.reach[r.index][h.index][o.index]) || x.w.tooSlow(r, h, o)
		})
}
