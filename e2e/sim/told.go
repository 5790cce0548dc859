package sim

import (
	"slices"
	"time"

	"github.com/quorate/quorate/director/ownership"
)

// announced is told when a host says where an address is: a client that hears it believes it.
func (x *watch) announced(h *host, r *router) {
	if x.w.passes(r.on, arpKind, h.index, client) && h.stalls == 0 {
		x.entry[r.index] = h
		x.w.touch()
	}
}

// knows reports whether an owner could know that a client has to be told, who sends to another: it has reached it since
// it owns, or a member came into its reach with it.
func (x *watch) knows(r *router, h, was *host) bool {
	switch {
	case !h.controlling.runs():
		return false // who knows of others is control
	case !h.keeping.runs():
		return false // and who announces is the keeper
	case !x.owns[h.index].is:
		return false // it listens before it goes on, and must not announce
	case was.up && !x.w.speak(h, was) && !x.advertised(was, h):
		return false // it knows nothing of the other
	}
	c := x.reach[r.index][h.index][client]
	if c.at <= x.owns[h.index].at {
		// Not what ended long before they could speak again, nor what it was never told of, nor that one died which it had no sign of.
		return x.w.now-x.owns[was.index].at < 3*time.Second && x.met[h.index][was.index].is && x.w.now-x.met[h.index][was.index].at < 5*time.Second &&
			(was.up || x.signOf(h, was))
	}
	for _, o := range x.w.hosts {
		s := x.reach[r.index][h.index][o.index]
		if !x.w.attached(o) { // its cluster port tells
			s = x.ports[h.index][o.index]
		}
		if o != h && s.is && s.at >= c.at {
			return x.calmer(h) && x.w.now-s.at < 5*time.Second && max(h.control.since, h.control.late)+ownership.GoneAfter < s.at
		}
	}
	return false
}

// advertised reports whether the adverts of an owner reach another at once, and did before it owned no more: those that pass only since
// then tell nothing of it.
func (x *watch) advertised(from, to *host) bool {
	s, owns := x.clear[from.index][to.index], x.owns[from.index]
	return s.is && (owns.is || s.at <= owns.at)
}

// signOf reports whether an owner has had a sign of another since it owns, and until that one owned no more: that it owns the group as
// well, or an answer of its machine. Whoever was silent on every path by then was taken for dead before that, and told of then: what it
// announced since, and that it died, nothing tells.
func (x *watch) signOf(h, o *host) bool {
	owns, gone := x.owns[h.index].at, x.owns[o.index].at-ownership.GoneAfter
	until := func(s since) bool { return s.is || s.at >= max(owns, gone) }
	if met := x.met[h.index][o.index].at; met >= owns && (met >= gone-x.w.interval || until(x.ports[h.index][o.index])) {
		return true
	}
	return slices.ContainsFunc(x.w.routers, func(r *router) bool { return until(x.reach[r.index][h.index][o.index]) })
}

// meet notes who knows now that another owns the group: by its word, or, of an advert, by that.
func (x *watch) meet(h, owner *host, advert bool) {
	if h != owner && x.owns[owner.index].is && (advert || x.w.speak(h, owner)) {
		x.met[h.index][owner.index] = since{true, x.w.now}
	}
}

// lookReach looks who reaches whom on the segment of a router.
func (x *watch) lookReach(r *router) {
	w := x.w
	for _, h := range w.hosts {
		for _, o := range w.hosts {
			x.ports[h.index][o.index].set(w.touches(h.index, o.index), w.now)
		}
		for o := range most {
			if o == client || o < len(w.hosts) && o != h.index {
				x.reach[r.index][h.index][o].set(w.answers(r.on, h.index, o), w.now)
			}
		}
	}
}

// lookLost is another invariant: a client sends to a host that has the address.
func (x *watch) lookLost(r *router) {
	w, e := x.w, x.entry[r.index]
	var server *host
	serves := 0
	for _, h := range w.hosts {
		if w.serves(r, client, h) {
			server = h
			serves++
		}
	}
	s := &x.lost[r.index]
	s.set(e != nil && serves == 1 && !w.serves(r, client, e) && x.knows(r, server, e), w.now)
	x.must(*s, lostLimit, func() {
		x.fail("clients are told", "a client of %s sends to %s, which has not got it, for over %v", r.name, e.name, lostLimit)
	})
}
