package sim

import (
	"math"
	"slices"
	"time"

	"github.com/quorate/quorate/director/ownership"
)

// groupStatus is what a keeper says of a group.
type groupStatus struct {
	state   string
	part    ownership.Part
	claims  bool
	epoch   uint64 // of the order
	reason  string
	routers []routerStatus
}

type routerStatus struct {
	silent  bool
	every   time.Duration // what was learned from who was heard
	owned   bool          // its addresses are on the host: it is Active, lingers, or listens before it goes on
	heard   int           // the member, -1 for none
	claims  bool          // by a claim
	resigns bool          // with a resignation
	at      time.Duration
}

// keeps reports whether it has addresses of the group.
func (g groupStatus) keeps() bool {
	return slices.ContainsFunc(g.routers, func(r routerStatus) bool { return r.owned })
}

// says is what the keeper says of its groups now.
func (k *keeper) says() []groupStatus {
	status := make([]groupStatus, len(k.groups))
	for i, g := range k.groups {
		s := groupStatus{epoch: g.spec.Epoch, claims: g.claimed, state: g.machine.State().String(), reason: g.machine.Reason()}
		if k.w.without(Epoch) {
			s.epoch = math.MaxUint64
		}
		s.part = [...]ownership.Part{ownership.Faulty, ownership.Standby, ownership.Owner}[g.machine.State()]
		s.routers = make([]routerStatus, len(g.routers))
		for j, r := range g.routers {
			s.routers[j] = routerStatus{silent: r.silent, owned: r.owned, heard: -1}
			if r.machine == nil {
				continue
			}
			if p := r.machine.Peer(); p.Source.IsValid() {
				s.routers[j].heard, s.routers[j].at = k.w.memberAt(r.on, p.Source), k.w.at(p.Heard)
				s.routers[j].claims, s.routers[j].resigns, s.routers[j].every = ownership.IsClaim(p.Priority), p.Priority == 0, r.machine.Learned()
			}
		}
		status[i] = s
	}
	return status
}

// tell has control know what the keeper says.
func (k *keeper) tell() {
	c := k.h.control
	if c == nil || !k.h.controlling.alive || !c.begun {
		return
	}
	status, taken := k.says(), k.w.now
	k.h.controlling.after(300*time.Microsecond, func() {
		if c.learns(k, status, taken) {
			c.changed()
		}
	})
}

// learns notes what a keeper has said, and reports whether that is there. What it said later stays, whichever comes first.
func (c *control) learns(k *keeper, status []groupStatus, taken time.Duration) bool {
	if c.h.keeper != k || !k.h.keeping.alive {
		return false
	}
	if c.status == nil || taken >= c.taken {
		for i, g := range c.groups {
			switch {
			case c.status == nil || i < len(status) && status[i].keeps():
				g.gave = 0
			case c.keeps(i):
				g.gave = c.w.now
			}
		}
		c.status, c.said, c.taken = status, c.w.now, taken
	}
	return true
}

// verify looks whether the keeper answers: with what it says from then on, which a frozen one may not have said before.
func (g *owning) verify(a ownership.Verify) {
	answer := g.once(a.ID, a.Within)
	if !g.begun {
		g.h.controlling.after(0, func() { answer(ownership.Done{}) })
		return
	}
	k := g.h.keeper
	k.call(func(time.Time) {
		status, taken := k.says(), g.w.now
		g.h.controlling.after(100*time.Microsecond, func() {
			if g.begun {
				g.learns(k, status, taken)
			}
			answer(ownership.Done{OK: true})
		})
	})
}
