package sim

import (
	"fmt"
	"time"

	orders "github.com/quorate/quorate/director/keeper"
	"github.com/quorate/quorate/director/ownership"
	"github.com/quorate/quorate/director/vrrp"
	"github.com/quorate/quorate/fsm"
)

// The bounds of the invariants, see the package's comment.
const (
	bothLimit  = time.Second
	lostLimit  = time.Second
	splitLimit = vrrp.Linger + 10*time.Millisecond
	calmTime   = 12 * time.Second       // what was wrong before that has no consequences any more
	ownsTime   = 5 * time.Second        // who has owned for less may have to give way: the log does not know it yet
	wantTime   = 11 * time.Second       // an intent is over by then
	slackFor   = 3 * time.Second        // for which a delay counts that has ended
	askTime    = 300 * time.Millisecond // a control that was just started has asked nobody yet
	settled    = 20 * time.Second       // after everything has healed
)

// watch looks at a world all the time, and finds what is broken first.
type watch struct {
	w        *world
	broken   *Violation
	deadline time.Duration // when something will be broken that is not yet; 0 for never
	both     [2][most][most]since
	filter   [most][most]since // one of two is behind a filter, and can ask the other
	dark     [2]since
	served   [2]*host // who answers, nil for nobody
	entry    [2]*host // whom a client sends to
	lost     [2]since
	reach    [2][most][most]since
	ports    [most][most]since // who reaches whose cluster port
	met      [most][most]since // when one was told last that another owns the group
	able     [most]since
	split    [most]since
	calm     [most]since
	clear    [most][most]since            // adverts pass from one to another
	heard    [2][most][most]time.Duration // when an advert came from one to another last
	well     [most]since                  // nothing is wrong with a host itself
	alone    [most]bool                   // it took over by its timer while its control was away
	asleep   [most][most]bool             // when one took over, whether another was as dead to it
	quiet    [most]since                  // its keeper does not run
	says     [most]since                  // its control runs, and is in touch with one that could serve
	owns     [most]since                  // VRRP's Active
	tookAt   [most]time.Duration          // when that began last
	claims   [most]time.Duration          // when a host decided last to claim
	intent   since                        // the log has wanted a move
	wants    [most]since                  // and that to a host
	moves    int                          // changes of owner
	after    time.Duration                // from when on nothing may change; 0: not yet
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

func newWatch(w *world) *watch { return &watch{w: w} }

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
		x.owns[h.index].set(h.owns(), w.now)
		x.quiet[h.index].set(!h.keeping.runs(), w.now)
		x.says[h.index].set(x.tells(h), w.now)
		x.well[h.index].set(x.calmer(h), w.now)
		x.lookSplit(h)
		for _, o := range w.hosts {
			x.meet(h, o, false)
			if o != h {
				x.clear[h.index][o.index].set(x.isClear(h, o), w.now)
			}
		}
	}
	for _, r := range w.routers {
		x.lookBoth(r)
		x.lookDark(r)
		x.lookReach(r)
		x.lookLost(r)
	}
}

// renewal is how long before an advert the addresses were renewed at most, and how long before their end the next
// owner claims.
func (w *world) renewal() time.Duration { return orders.Renewal(w.interval) + 50*time.Millisecond }

// lifetime is for how long a kernel keeps the addresses of a keeper that does not run.
func (w *world) lifetime() time.Duration { return orders.Lifetime(w.interval) }

// breaks is the sixth invariant: a planned move makes before it breaks. It looks at an address that nobody answers
// for any more, while the log wants it to move between two that are well, of which one served it.
func (x *watch) breaks(r *router, served *host, whole bool) {
	w := x.w
	g := w.newest().Groups[r.group]
	if g.Intent == nil || !whole {
		return
	}
	from, to := w.hostNamed(g.Owner), w.hostNamed(g.Intent.To)
	if s := x.owns[served.index]; !s.is && w.now-s.at > splitLimit {
		return // its kernel alone did, and its keeper listens
	}
	if (served == from || served == to) && from != nil && x.able[from.index].is && x.able[to.index].is && w.speak(from, to) && x.clear[to.index][from.index].is {
		x.fail("make before break", "nobody answers for %s while it moves from %s to %s", r.name, from.name, to.name)
	}
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

// became is told of each change of a group's state.
func (x *watch) became(h *host, group string, b vrrp.Became) {
	if b.Reason == "" {
		x.fail("every decision has a reason", "%s: %s becomes %v without a reason", h.name, group, b.To)
	}
	x.w.touch()
	switch {
	case b.To == vrrp.Active:
		x.moves++
		x.tookAlone(h, b.Reason)
		x.takes(h, group, b.Reason)
		x.owns[h.index].set(true, x.w.now)
		x.tookAt[h.index] = x.w.now
		for _, o := range x.w.hosts {
			x.asleep[h.index][o.index] = !x.w.within(h, o) || x.justBack(h, o) || !x.well[h.index].is || x.w.now-x.well[h.index].at < askTime
		}
	case b.From == vrrp.Active:
		x.loses(h, group, b.Reason)
		x.owns[h.index].set(false, x.w.now)
	}
	if x.after != 0 && x.w.now > x.after {
		x.fail("it settles", "%s: %s becomes %v after everything has settled: %s", h.name, group, b.To, b.Reason)
	}
}

// loses is the fourth invariant: nobody loses a group without a reason.
func (x *watch) loses(h *host, group, why string) {
	w := x.w
	if !x.owns[h.index].is || w.now-x.owns[h.index].at < ownsTime || x.wanted() {
		return
	}
	for _, o := range w.hosts {
		if o != h && x.owns[o.index].is && (!o.controlling.runs() || o.control.applied < h.control.applied) {
			return // to one that cannot know that the log has named another since
		}
	}
	if s := x.calm[h.index]; x.wasCalm(h) {
		x.fail("no needless move", "%s loses %s though nothing was wrong with it for %v, and nobody asked: %s", h.name, group, w.now-s.at, why)
	}
}

// wanted reports whether the log wants a move, or has wanted one lately.
func (x *watch) wanted() bool {
	for _, g := range x.w.newest().Groups {
		if g.Intent != nil {
			return true
		}
	}
	return x.intent.is && x.w.now-x.intent.at < wantTime
}

// takes is the other side of that: nobody takes a group that another serves, unless the log wants it to, or
// neither the wire nor that one's agent could have told it.
func (x *watch) takes(h *host, group, why string) {
	w := x.w
	if w.now < warm || x.wanted() {
		return
	}
	for _, o := range w.hosts {
		if o == h || !x.owns[o.index].is {
			continue
		}
		x.asks(h, o, group, why)
		x.besides(h, o, group, why)
		clear := x.clear[o.index][h.index]
		switch {
		case !x.wasCalm(o), o.control.applied != h.control.applied: // their priorities may be the same by chance
		case why == "claim" && x.claims[h.index] < x.owns[o.index].at: // nobody had it when it was decided
		case w.now-x.owns[o.index].at < w.interval && !x.calm[h.index].is: // its keeper may have an order of old
		case h.keeper.interval(group) < w.intervalOf(w.newest(), group): // it listened for as long as it knew of
		case w.now-x.owns[o.index].at < time.Millisecond: // its advert is on the way
			x.tie(h, o, group, why)
		case clear.is && w.now-clear.at > 5*w.interval:
			x.fail("no needless move", "%s takes %s though it hears %s serve it: %s", h.name, group, o.name, why)
		case x.wasCalm(h) && w.slow == 0 && w.now-x.owns[o.index].at > w.interval:
			x.fail("no needless move", "%s takes %s though it could ask %s, which serves it: %s", h.name, group, o.name, why)
		}
	}
}

// claimed is told of a claim, when it is decided.
func (x *watch) claimed(h *host, _ string) { x.claims[h.index] = x.w.now }

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

// agreed is told of each entry of the log, when it is applied, and from when on something must have been so to be known when
// it was decided. Nobody has to ask for a move where a policy wishes it.
func (x *watch) agreed(cmd fsm.Command, known time.Duration, before *fsm.State, err error) {
	if c, ok := cmd.(fsm.SetOwner); ok && err == nil {
		x.names(c, before.Groups[c.Group].Owner, known)
	}
	c, ok := cmd.(fsm.SetIntent)
	if !ok || err != nil {
		return
	}
	w := x.w
	x.intent = since{true, w.now}
	if to := w.hostNamed(c.Intent.To); to != nil {
		x.wants[to.index] = x.intent
	}
	owner := w.hostNamed(before.Groups[c.Group].Owner)
	if owner == nil || w.policy != "" || !x.owns[owner.index].is {
		return
	}
	if s := x.calm[owner.index]; x.wasCalm(owner) {
		x.fail("no needless move", "the log wants %s to move from %s though nothing was wrong with that for %v, and nobody asked: %s", c.Group, owner.name, w.now-s.at, c.Intent.Reason)
	}
}

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
