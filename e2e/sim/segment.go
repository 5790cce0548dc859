package sim

import (
	"strings"
	"time"

	"github.com/quorate/quorate/director/ownership"
)

// probeSegments asks the segments of routers.
func (g *owning) probeSegments(a ownership.Probe) {
	w := g.w
	answer := g.once(a.ID, a.Within)
	out := make([]ownership.Segment, len(a.Routers))
	whole, slowest := true, time.Duration(0)
	for i, name := range a.Routers {
		r := w.routerNamed(name)
		out[i].Router = name
		var serve []string
		if g.h.kernel.has(r.index) { // who asks does not answer itself
			serve = append(serve, g.h.name)
		}
		for _, h := range w.hosts {
			if h == g.h || !w.attached(h) {
				continue
			}
			took := w.transit(r.on, g.h.index, h.index) + w.transit(r.on, h.index, g.h.index)
			if took >= a.Within || !w.answers(r.on, g.h.index, h.index) {
				whole = false
				continue
			}
			slowest = max(slowest, took)
			out[i].Reached = append(out[i].Reached, h.name)
			switch {
			case !h.kernel.has(r.index):
			case w.virtual:
				out[i].Virtual = true
			default:
				out[i].Serves = h.name
				serve = append(serve, h.name)
			}
		}
		if len(serve) > 1 {
			out[i].Doubled = strings.Join(serve, " and ")
		}
		out[i].Gateway = w.gateways && w.answers(r.on, g.h.index, client) && 2*w.wires[r.on].delay[g.h.index][client] < a.Within
		whole = whole && (out[i].Serves != "" || out[i].Virtual)
	}
	if !whole {
		slowest = a.Within - time.Millisecond
	}
	g.h.controlling.after(slowest, func() { answer(ownership.Done{Segments: out}) })
}
