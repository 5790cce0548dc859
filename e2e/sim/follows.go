package sim

import (
	"time"

	"github.com/quorate/quorate/fsm"
)

// known is from when on something must have been so for a leader to know it now.
func (w *world) known() time.Duration { return w.now - 500*time.Millisecond - w.slack() }

// names is told whom the log names. It follows the wire: it does not name who does not own it, instead of who does. What has
// happened since it was decided, of which known was known, the leader takes nothing back for: the disks have it.
func (x *watch) names(c fsm.SetOwner, before string, known time.Duration) {
	w := x.w
	to, from := w.hostNamed(c.Owner), w.hostNamed(before)
	if from == nil || to == from {
		return
	}
	lost, has := x.owns[to.index], x.owns[from.index]
	if !lost.is && lost.at < known && has.is && has.at < known && x.calm[from.index].is {
		x.fail("the log follows the wire", "it names %s the owner of %s, which has not owned it for %v, though %s does: %s", to.name, c.Group, w.now-lost.at, from.name, c.Reason)
	}
}
