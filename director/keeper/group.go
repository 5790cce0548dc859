package keeper

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/director/vrrp"
)

// group is one group of the order with its machine.
type group struct {
	spec    Group
	machine *vrrp.Group
	routers map[identity]*router
	names   map[string]identity // what the machine calls them
	begun   bool                // the machine has been started
	since   time.Time
	changes map[string]uint64 // to each state
	claims  []*claim

	claimed   bool      // it works with the priority of a claim
	claimEnds time.Time // when that ends by itself
}

// router is one router of a group.
type router struct {
	spec    Router
	machine *vrrp.Machine // nil until its link was looked at
	judge   vrrp.Judge
	speech  speech       // what judge and sender were made of
	sender  *vrrp.Sender // nil: it cannot speak, unsent says why
	source  netip.Addr
	owned   bool   // asked of the worker
	spoke   moment // when an Active router was last to send an advert; none: it is not Active
	wanted  uint64 // generation of the last addresses asked for
	asked   uint64 // generation of the last announcement asked for
	done    uint64 // generation that the worker has reported
	doubt   bool   // something was missing while the worker was at it
	err     error  // of the kernel, about the addresses
	// pathError is what the kernel says about the routes and rules, or empty.
	pathError string
	unsent    error // of the last advert
	silent    bool
	sent      uint64
	received  uint64
	contested uint64
	contest   time.Duration // how long another one was heard to be Active beside this one
	contender time.Time     // when it was heard last
	restored  uint64
	drops     map[vrrp.Drop]uint64
	notices   map[vrrp.Notice]uint64
	noted     map[netip.Addr]uint64 // a hash of what was last reported about a source
	notedAt   time.Time
}

// active tells whether the router is Active.
func (r *router) active() bool { return r.machine != nil && r.machine.State() == vrrp.Active }

// hush has nothing announced for a group that is not Active, though its addresses are here still: after a
// stall they may be somebody else's by now, and after a yield they are.
func (k *keeper) hush(g *group) {
	for id, r := range g.routers {
		if r.owned && !r.active() {
			k.worker.hush(id)
		}
	}
}

// parting is a router that is gone but for its repeated priority 0.
type parting struct {
	id      identity
	router  *router
	machine *vrrp.Machine
}

// claim is a client that waits until the addresses are announced.
type claim struct {
	waits map[identity]uint64
	done  chan error // capacity 1
}

// port is a socket with the goroutine that waits at it.
type port struct {
	conn      vrrp.Conn
	signalled atomic.Bool   // the goroutine waits for drained
	drained   chan struct{} // capacity 1
	gone      chan struct{}
}

// ClaimLasts is how long a claim lasts at most. The log has followed it long before, or another owner that it names
// serves where this one is not heard, which is to win when it is heard again.
const ClaimLasts = 15 * time.Second

// claim takes a group over. The error comes when the addresses are announced, or will not be.
func (k *keeper) claim(now time.Time, name string, priority uint8) <-chan error {
	c := &claim{waits: map[identity]uint64{}, done: make(chan error, 1)}
	g := k.groups[name]
	switch {
	case g == nil:
		c.done <- fmt.Errorf("claim: no group %q", name)
		return c.done
	case priority == 0 || priority == 255:
		c.done <- fmt.Errorf("claim group %q: priority %d is not 1 to 254", name, priority)
		return c.done
	case g.machine.State() == vrrp.Initialize:
		c.done <- fmt.Errorf("claim group %q: it cannot work here: %s", name, g.reason(g.machine.Reason()))
		return c.done
	}
	g.claimed, g.claimEnds = true, now.Add(ClaimLasts)
	k.carry(now, g, g.machine.Step(now, "", vrrp.Claim{Priority: priority}))
	for id, r := range g.routers {
		if r.machine != nil {
			c.waits[id] = r.asked
		}
	}
	g.claims = append(g.claims, c)
	return c.done
}

// unclaim ends a claim: back to the priority of the order.
func (k *keeper) unclaim(now time.Time, g *group) {
	if g.claimed {
		g.claimed, k.changed = false, true
		k.carry(now, g, g.machine.Step(now, "", g.spec.setPriority(g.spec.Priority)))
	}
}

// settle answers the claims whose addresses are announced.
func (g *group) settle() {
	g.claims = slices.DeleteFunc(g.claims, func(c *claim) bool {
		for id, gen := range c.waits {
			if r := g.routers[id]; r != nil && r.done < gen {
				return false
			}
		}
		c.done <- nil
		return true
	})
}

// answer ends all claims that wait.
func (g *group) answer(err error) {
	for _, c := range g.claims {
		c.done <- err
	}
	g.claims = nil
}

// reported takes what the worker did.
func (k *keeper) reported(now time.Time, reports []report) {
	for _, rep := range reports {
		if rep.screen != nil {
			k.screened(now, *rep.screen)
			continue
		}
		g := k.at[rep.id]
		if g == nil {
			continue
		}
		r := g.routers[rep.id]
		k.changed = true
		r.err, r.pathError = rep.err, rep.paths
		if rep.err == nil {
			r.done = rep.gen
		}
		if r.doubt && r.done >= r.wanted {
			r.doubt = false
			poke(k.survey.poke)
		}
		if what := rep.again(); len(what) > 0 {
			r.restored += uint64(len(what))
			k.event(now, g, fmt.Sprintf("%s: restored %s, which somebody else removed", r.spec.Name, strings.Join(what, ", ")))
		}
		if len(rep.restored) > 0 {
			k.announce(rep.id, r)
		}
		if rep.lapsed {
			k.lapse(now, g, r)
		}
		g.settle()
	}
}

// again names what was restored.
func (r report) again() []string {
	var out []string
	for _, a := range r.restored {
		out = append(out, a.String())
	}
	for _, p := range r.lost.Routes {
		out = append(out, "route "+p.String())
	}
	for _, p := range r.lost.Rules {
		out = append(out, "rule "+p.String())
	}
	return out
}

// lapse is the end of addresses that nobody renewed in time: an Active router that lost them this way
// was frozen, and starts again.
func (k *keeper) lapse(now time.Time, g *group, r *router) {
	if !r.owned {
		return
	}
	k.event(now, g, fmt.Sprintf("%s: the addresses lapsed while the keeper was frozen", r.spec.Name))
	k.carry(now, g, g.machine.Step(now, "", vrrp.Stalled{Resume: g.spec.listening()}))
	k.carry(now, g, g.machine.Step(now, "", vrrp.Abandon{}))
}
