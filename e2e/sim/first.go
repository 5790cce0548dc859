package sim

import (
	"strings"
	"time"

	"github.com/quorate/quorate/director/vrrp"
)

// tie is another invariant: one comes first. It is told of two that take a group over at the same moment. Of two whose timers ran by the same advert and the same log
// one must come first.
func (x *watch) tie(h, o *host, group string, why string) {
	a, b := h.keeper.group(group), o.keeper.group(group)
	if a == nil || b == nil || !x.wasCalm(h) || !x.wasCalm(o) || h.control.state != o.control.state || !byTimer(why) || !byTimer(b.reason) {
		return
	}
	for i := range a.routers {
		if !x.ran(a.routers[i].machine, b.routers[i].machine) {
			return
		}
	}
	if s, t := x.clear[h.index][o.index], x.clear[o.index][h.index]; s.is && t.is {
		x.fail("one comes first", "%s and %s both take %s at the same moment: %s", h.name, o.name, group, why)
	}
}

// byTimer reports whether a reason is that of a timer.
func byTimer(why string) bool {
	return strings.Contains(why, vrrp.Fell) || strings.HasSuffix(why, vrrp.Resigned)
}

// ran reports whether the timers of two routers ran by the same advert, and nothing held them.
func (x *watch) ran(a, b *vrrp.Machine) bool {
	p, q := a.Peer(), b.Peer()
	const together = time.Millisecond
	return p.Source == q.Source && p.Priority == q.Priority && p.Heard.Sub(q.Heard).Abs() < together &&
		a.Learned() == b.Learned() && x.w.now-x.w.at(p.Heard) < 4*a.Learned()
}
