package sim

import (
	"time"

	"github.com/quorate/quorate/fsm"
)

// names is told whom the log names. It follows the wire: it does not name who does not own it, instead of who does.
func (x *watch) names(c fsm.SetOwner, before string) {
	w := x.w
	to, from := w.hostNamed(c.Owner), w.hostNamed(before)
	if from == nil || to == from {
		return
	}
	lost, has := x.owns[to.index], x.owns[from.index]
	late := 500*time.Millisecond + w.slack() + w.slowest()
	if !lost.is && w.now-lost.at > late && has.is && w.now-has.at > late && x.calm[from.index].is {
		x.fail("the log follows the wire", "it names %s the owner of %s, which has not owned it for %v, though %s does: %s", to.name, c.Group, w.now-lost.at, from.name, c.Reason)
	}
}

// slowest is what the slowest disk takes.
func (w *world) slowest() time.Duration {
	d := time.Duration(0)
	for _, h := range w.hosts {
		d = max(d, h.disk)
		if h.slow.is && w.now-h.slow.at < 2*h.was { // what was written then may be agreed now
			d = max(d, h.was)
		}
	}
	return d
}
