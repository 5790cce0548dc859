package sim

import (
	"fmt"
	"time"

	"github.com/quorate/quorate/director/ownership"
	"github.com/quorate/quorate/director/vrrp"
	"github.com/quorate/quorate/fsm"
)

// The bounds of the invariants, see the package's comment.
const (
	bothLimit  = time.Second
	splitLimit = vrrp.Linger + 10*time.Millisecond
	calmTime   = 12 * time.Second
	settled    = 20 * time.Second // after everything has healed
)

// watch looks at a world all the time, and finds what is broken first.
type watch struct {
	w        *world
	broken   *Violation
	deadline time.Duration // when something will be broken that is not yet; 0 for never
	both     [2][most][most]since
	dark     [2]since
	able     [most]since
	split    [most]since
	calm     [most]since
	owns     [most]time.Duration // since when it owns the group
	moves    int                 // changes of owner
	ends     map[string]int
	after    time.Duration // from when on nothing may change; 0: not yet
}

// since is from when on something is so.
type since struct {
	is bool
	at time.Duration
}

func (s *since) set(is bool, now time.Duration) {
	if is != s.is {
		s.is, s.at = is, now
	}
}

// Violation is an invariant that is broken.
type Violation struct {
	At        time.Duration
	Invariant string
	Text      string
}

// Error says when it was broken and by what.
func (v Violation) Error() string {
	return fmt.Sprintf("%.4f s: %s: %s", v.At.Seconds(), v.Invariant, v.Text)
}

func newWatch(w *world) *watch { return &watch{w: w, ends: map[string]int{}} }

func (x *watch) begin() { x.look() }

func (x *watch) fail(invariant, format string, args ...any) {
	if x.broken == nil {
		x.broken = &Violation{x.w.now, invariant, fmt.Sprintf(format, args...)}
		x.w.say("watch", "BROKEN", invariant, x.broken.Text)
	}
}

// must has an invariant broken when a condition has lasted for too long.
func (x *watch) must(s since, limit time.Duration, broken func()) {
	if !s.is {
		return
	}
	end := s.at + limit
	if x.w.now > end {
		broken()
	} else if x.deadline == 0 || end+1 < x.deadline {
		x.deadline = end + 1
	}
}

// look looks at everything.
func (x *watch) look() {
	x.deadline = 0
	w := x.w
	for _, h := range w.hosts {
		x.able[h.index].set(x.isAble(h), w.now)
		x.calm[h.index].set(x.isCalm(h), w.now)
		x.lookSplit(h)
	}
	for _, r := range w.routers {
		x.lookBoth(r)
		x.lookDark(r)
	}
}

// lookBoth is the first invariant: on a whole segment no two hosts answer for an address for longer than a
// second while their agents reach each other.
func (x *watch) lookBoth(r *router) {
	w := x.w
	for i, a := range w.hosts {
		for _, b := range w.hosts[i+1:] {
			is := a.kernel.has(r.index) && b.kernel.has(r.index) && w.both(r.on, arpKind, a.index, b.index) &&
				a.stalls == 0 && b.stalls == 0 && w.touches(a.index, b.index)
			s := &x.both[r.index][i][b.index]
			s.set(is, w.now)
			x.must(*s, bothLimit+w.slack(), func() {
				x.fail("one owner", "%s and %s both answer for %s for over %v", a.name, b.name, r.name, bothLimit)
			})
		}
	}
}

// slack is what the delays of the cluster's traffic add to a bound that needs it.
func (w *world) slack() time.Duration { return 4 * w.slow }

// isAble reports whether a host could serve: it is connected on each segment, and its keeper runs. Where the
// owner of a pair is cut off on one segment only, it takes a control that runs to see that.
func (x *watch) isAble(h *host) bool {
	w := x.w
	if h.witness || !h.up || h.stalls > 0 || !h.keeping.runs() || w.pair && !h.controlling.runs() {
		return false
	}
	for _, r := range w.routers {
		if !h.plugs[r.on].there() {
			return false
		}
	}
	return true
}

// lookDark is the second invariant: somebody answers within the bound.
func (x *watch) lookDark(r *router) {
	w := x.w
	served, kept, able := false, false, since{}
	for _, h := range w.hosts {
		served = served || w.serves(r, client, h)
		kept = kept || h.kernel.has(r.index)
	}
	for _, h := range w.hosts {
		if s := x.able[h.index]; s.is && (!kept || w.sees(h)) && (!able.is || s.at < able.at) {
			able = s
		}
	}
	whole := true
	for _, o := range w.routers {
		whole = whole && w.cuts[o.on][arpKind] == 0
	}
	x.dark[r.index].set(!served && able.is && whole && w.now > 0, w.now)
	x.must(x.dark[r.index], w.bound(), func() {
		x.fail("somebody answers", "nobody answers for %s for over %v, though a director could", r.name, w.bound())
	})
}

// sees reports whether a host can tell that it is not itself the one that is cut off: by a gateway, or by
// another host.
func (w *world) sees(h *host) bool {
	for _, r := range w.routers {
		sees := w.gateways
		for _, o := range w.hosts {
			sees = sees || o != h && w.answers(r.on, h.index, o.index)
		}
		if !sees {
			return false
		}
	}
	return true
}

// bound is how long nobody may answer while somebody could: the timer of VRRP at its longest, and what the
// guard holds it for at most. A pair of which the owner has lost one segment and the cluster is moved by the
// log, when the grace is over.
func (w *world) bound() time.Duration {
	b := 6*w.interval + time.Second + w.slack()
	if w.pair {
		b += quorumGrace + 3*reportEvery
	}
	return b
}

// lookSplit is the third invariant: a host has all addresses of a group, or none.
func (x *watch) lookSplit(h *host) {
	w := x.w
	if !w.pair {
		return
	}
	s := &x.split[h.index]
	s.set(h.kernel.has(0) != h.kernel.has(1), w.now)
	x.must(*s, splitLimit, func() {
		x.fail("a group is not split", "%s has one address of the group and not the other for over %v", h.name, splitLimit)
	})
}

// isCalm reports whether nothing is wrong with a host and its connections, and nobody has asked it to own
// nothing.
func (x *watch) isCalm(h *host) bool {
	w := x.w
	if !x.isAble(h) || !h.controlling.runs() || h.control.leaving || w.asks > 0 || w.policy != "" {
		return false
	}
	if m := w.agreed.states[len(w.agreed.states)-1].Members[h.name]; m.Draining {
		return false
	}
	reached := 0
	for _, o := range w.hosts {
		if !w.connected(h.index, o.index) {
			if o != h && o.controlling.alive {
				return false
			}
		}
		if w.touches(h.index, o.index) {
			reached++
		}
		for _, r := range w.routers {
			if o != h && o.plugs[r.on].there() && !o.witness && (!w.both(r.on, arpKind, h.index, o.index) || !w.both(r.on, vrrpKind, h.index, o.index)) && o.up {
				return false
			}
		}
	}
	return true
}

// became is told of each change of a group's state.
func (x *watch) became(h *host, group string, b vrrp.Became) {
	if b.Reason == "" {
		x.fail("every decision has a reason", "%s: %s becomes %v without a reason", h.name, group, b.To)
	}
	x.ends[b.To.String()]++
	x.w.touch()
	s := x.calm[h.index]
	switch {
	case b.To == vrrp.Active:
		x.moves++
		x.owns[h.index] = x.w.now
	case b.From != vrrp.Active:
	case s.is && x.w.now-s.at > calmTime && x.w.now-x.owns[h.index] > reportLife+time.Second:
		x.fail("no needless move", "%s loses %s though nothing was wrong with it for %v, and nobody asked: %s", h.name, group, x.w.now-s.at, b.Reason)
	}
	if x.after != 0 && x.w.now > x.after {
		x.fail("it settles", "%s: %s becomes %v after everything has settled: %s", h.name, group, b.To, b.Reason)
	}
}

// announced is told when a host says where an address is.
func (x *watch) announced(*host, *router) {}

// claimed is told of a claim.
func (x *watch) claimed(*host, string) {}

// told is told what people are told.
func (x *watch) told(h *host, group string, t ownership.Tell) {
	if t.Kind == "" || t.Text == "" {
		x.fail("every decision has a reason", "%s: %s: told without a word: %+v", h.name, group, t)
	}
}

// reasoned is told of each command that a director makes.
func (x *watch) reasoned(h *host, cmd fsm.Command) {
	reason := "it needs none"
	switch c := cmd.(type) {
	case fsm.SetOwner:
		reason = c.Reason
	case fsm.SetIntent:
		reason = c.Intent.Reason
	case fsm.DropIntent:
		reason = c.Reason
	}
	if reason == "" {
		x.fail("every decision has a reason", "%s proposes %T without a reason: %+v", h.name, cmd, cmd)
	}
}

// agreed is told of each entry of the log.
func (x *watch) agreed(fsm.Command, error) {}

// settle begins the last part: nothing changes any more, and log and wire agree.
func (x *watch) settle() {
	x.after = x.w.now
	x.agree()
}

// agree looks whether one director owns each group, on the wire as in the log.
func (x *watch) agree() {
	w := x.w
	for _, r := range w.routers {
		var serving *host
		for _, h := range w.hosts {
			if !h.kernel.has(r.index) {
				continue
			}
			if serving != nil {
				x.fail("it settles", "%s and %s both have %s", serving.name, h.name, r.name)
			}
			serving = h
		}
		if serving == nil {
			x.fail("it settles", "nobody has %s", r.name)
			return
		}
		for _, h := range w.hosts {
			g := h.control.state.Groups[r.group]
			if g.Owner != serving.name || g.Intent != nil {
				x.fail("it settles", "%s has %s, and the log of %s says %+v", serving.name, r.name, h.name, g)
			}
		}
	}
}
