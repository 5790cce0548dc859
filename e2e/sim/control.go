package sim

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/quorate/quorate/director"
	orders "github.com/quorate/quorate/director/keeper"
	"github.com/quorate/quorate/director/ownership"
	"github.com/quorate/quorate/fsm"
)

// Timing of the agent, see the package agent.
const (
	tickEvery   = 100 * time.Millisecond // members are probed this often
	onTime      = 300 * time.Millisecond // a process that was late is taken for on time after this
	reportEvery = time.Second
	reportLife  = 3500 * time.Millisecond
	patience    = 3 * time.Second        // with a keeper that does not answer
	claimWait   = 500 * time.Millisecond // for the keeper to begin a claim
	fenceAfter  = 300 * time.Millisecond
	longStall   = time.Second // after which what waits to be read is old
	settleTime  = 2 * reportEvery
	returnAfter = 300 * time.Millisecond // who was silent for so long is told anew
	streamDead  = time.Second            // a stream that was cut for longer is opened again
	streamAgain = 500 * time.Millisecond // which takes so long at most
)

// control is a control process. What is in it is gone with the process, but for the node's part that is on
// disk.
type control struct {
	h *host
	w *world
	node
	fetching bool
	state    *fsm.State
	since    time.Duration // the start of the process
	ticked   time.Duration // the last tick
	fenced   time.Duration // when it was looked last whether the keeper is to be fenced, without news
	late     time.Duration // when it was late last
	thawed   time.Duration // when it was late last by a second or more
	looking  bool          // a look is under way
	looked   time.Duration // the last look

	heard   [most]time.Duration   // when a member was last heard at the cluster port
	cut     [most]time.Duration   // since when a member's stream is cut; 0: it is not
	back    [most]time.Duration   // when it is open again
	shut    [most]since           // whether a member's port is shut to this one
	streams [most]int             // the process that it goes to
	reached [most][]time.Duration // when its own address answered, by router; -1: never
	reports [most]*report         // the newest of each member
	busy    [most]time.Duration   // until when a report is on its way there
	again   [most]bool            // there was news meanwhile
	unready [most]time.Duration   // since when a member has not been ready; 0: it is
	came    [most]time.Duration   // when its report came
	told    time.Duration         // when the others were told last
	tell    bool                  // tell them at once
	quorum  time.Duration         // when there was one last
	ordered keyed                 // what the standing order was made of
	order   *orders.Order         // the standing order
	begun   bool                  // the keeper that is there has it
	status  []groupStatus         // what the keeper said last; nil: it is not there
	asked   time.Duration         // when the keeper was asked last
	said    time.Duration         // when it answered
	taken   time.Duration         // when it took what it said last
	minded  time.Duration         // when a leader looked last whether another should lead
	leaving bool                  // it is to own nothing, since it ends
	groups  []*owning             // in the order of the world's groups
	placer  *placer               // while it leads
	fencing bool
	scratch facts
}

// keyed is what an order is made of.
type keyed struct {
	state         *fsm.State
	quorum, ready bool
	apart         bool
	insists       string // the groups
}

func (h *host) newControl() *control {
	c := &control{h: h, w: h.w}
	c.node.leader = -1
	return c
}

// start starts the process, with what is on disk.
func (c *control) start() {
	w, old := c.w, c.node
	*c = control{h: c.h, w: w}
	c.h.controlling.start()
	c.h.controlling.thawed = nil
	c.node = node{applied: old.recorded, has: old.has, recorded: old.recorded, leader: -1, blind: true}
	if w.now == 0 {
		c.node.blind = false
	}
	c.node.timeout = w.chance.between(electionLow, electionHigh)
	c.state = w.agreed.states[c.applied]
	c.since, c.late, c.ticked, c.fenced, c.quorum = w.now, w.now, w.now, w.now, w.now-quorumGrace
	if w.now == 0 {
		c.quorum, c.late = 0, -onTime
	}
	for i := range c.heard {
		c.heard[i] = w.now
		c.reached[i] = make([]time.Duration, len(w.routers))
		for r := range c.reached[i] {
			c.reached[i][r] = -1
		}
	}
	for i, name := range w.groups {
		c.groups = append(c.groups, &owning{control: c, name: name, index: i, machine: w.newMachine()})
	}
	w.say(c.h.name, "control starts", "", "")
	c.h.controlling.after(w.chance.between(0, tickEvery), c.tick)
	if k := c.h.keeper; k != nil && c.h.keeping.alive {
		c.attach()
	}
}

// end notes what a process that ends leaves on disk.
func (c *control) end() {
	c.node.recorded = c.node.applied
	c.node.leads = false
	c.h.controlling.kill()
}

// attach connects to a keeper, which is told its standing order and asked for its status.
func (c *control) attach() {
	c.begun = false
	c.h.controlling.after(5*time.Millisecond, func() {
		if !c.h.keeping.alive {
			return
		}
		c.begun = true
		if c.order != nil {
			c.give(*c.order)
		}
		c.ask()
	})
}

// ask asks the keeper for its status.
func (c *control) ask() {
	if !c.begun {
		return
	}
	k := c.h.keeper
	c.asked = c.w.now
	k.call(func(time.Time) { k.changed = true })
}

// tick is the agent's clockwork.
func (c *control) tick() {
	w := c.w
	if w.now-c.ticked > 2*tickEvery {
		c.late = w.now
		if w.now-c.ticked >= tickEvery+longStall {
			c.thawed = w.now
		}
		for i := range c.heard { // what was not heard meanwhile was not listened for
			c.heard[i] = w.now
			for r, at := range c.reached[i] {
				if at >= 0 {
					c.reached[i][r] = w.now
				}
			}
		}
	}
	c.ticked = w.now
	c.probe()
	if w.now-c.fenced >= fenceAfter {
		c.fenced = w.now
		c.fence()
	}
	if c.inQuorum() {
		c.quorum = w.now
	}
	if c.begun && w.now-c.asked >= reportEvery {
		if c.status != nil && w.now-c.said > patience {
			c.status = nil
			w.say(c.h.name, "keeper hangs", "", "")
		}
		c.ask()
	}
	if c.suspects() {
		c.follows()
		c.h.controlling.after(tickEvery/2, c.follows)
	}
	if w.now-c.looked >= reportEvery {
		c.follows()
		if c.leads {
			c.place()
		}
	}
	if c.leads && w.now-c.minded >= reportEvery {
		c.minded = w.now
		c.abdicate()
	}
	if w.now-c.told >= reportEvery {
		c.tellOthers()
	}
	c.h.controlling.after(tickEvery, c.tick)
}

// probe hears the members at the cluster port, and reaches them on the segments. What happens between two
// ticks is not seen. A stream that was cut for long has ended, and is opened again a while after that.
func (c *control) probe() {
	w := c.w
	for _, h := range w.hosts {
		if h == c.h {
			continue
		}
		i := h.index
		c.shut[i].set(w.shut[c.h.index][i] > 0, w.now)
		switch {
		case !w.touches(c.h.index, i):
			if c.cut[i] == 0 {
				c.cut[i] = w.now
			}
		case c.cut[i] != 0 && w.now-c.cut[i] > streamDead:
			c.cut[i], c.back[i] = 0, w.now+w.chance.between(0, streamAgain)
		case w.now >= c.back[i]:
			// It is told anew, whatever became of what was on its way: over a stream to another process than before, too.
			if w.now-c.heard[i] >= returnAfter || c.streams[i] != h.controlling.life {
				c.streams[i] = h.controlling.life
				c.busy[i], c.tell = 0, true
				c.changed()
			}
			c.cut[i], c.heard[i] = 0, w.now
		}
		for _, r := range w.routers {
			switch {
			case c.h.plugs[r.on].severed > 0 || !w.attached(c.h) || !w.attached(h):
				c.reached[i][r.index] = -1
			case w.answers(r.on, c.h.index, i):
				if at := c.reached[i][r.index]; at >= 0 && w.now-at >= returnAfter {
					c.look()
				}
				c.reached[i][r.index] = w.now
			case c.reached[i][r.index] < 0:
				c.reached[i][r.index] = w.now
			}
		}
	}
}

// attached reports whether a host has ports on the segments at all.
func (w *world) attached(h *host) bool { return !h.witness || w.witnessOn }

// changed is called when something has changed here that the others should hear of.
func (c *control) changed() {
	c.tell = true
	c.look()
}

// look looks soon at what is to be done.
func (c *control) look() {
	if c.looking {
		return
	}
	c.looking = true
	c.h.controlling.after(200*time.Microsecond, func() {
		c.looking = false
		c.follows()
		if c.tell {
			c.tellOthers()
		}
		if c.leads {
			c.place()
		}
	})
}

// follows does what the state asks for, and has the machines look.
func (c *control) follows() {
	c.looked = c.w.now
	c.giveOrders()
	for _, g := range c.groups {
		g.step(ownership.Look{})
	}
}

// hasQuorum is the agent's own rule: an election is no loss.
func (c *control) hasQuorum() bool { return c.w.now-c.quorum < quorumGrace }

// isOnTime reports whether the process ran when it should have: what was not heard was not said.
func (c *control) isOnTime() bool {
	return c.w.now-c.ticked <= 2*tickEvery && c.w.now-c.late >= onTime
}

// isReady reports whether the director is fit to gain ownership.
func (c *control) isReady() bool {
	return c.isCurrent() && c.status != nil && c.h.keeper.until == 0 && !c.h.witness
}

// apart is the agent's own rule: a director that has not been heard for that long may claim without asking, and so may one that
// has not heard this one, since it stood still.
func (c *control) apart() bool {
	if c.thawed != 0 && c.w.now-c.thawed < ownership.Mute {
		return true
	}
	return slices.ContainsFunc(c.w.hosts, func(h *host) bool {
		return h != c.h && !h.witness && c.w.now-c.heard[h.index] >= ownership.Mute
	})
}

// giveOrders tells the keeper what to do when that has changed.
func (c *control) giveOrders() {
	if c.state.ClusterID == "" {
		return
	}
	insists := map[string]bool{}
	for _, g := range c.groups {
		insists[g.name] = g.machine.Insists(c.h.name, c.state.Groups[g.name])
	}
	key := keyed{c.state, c.hasQuorum(), c.isReady(), c.apart(), fmt.Sprint(insists)}
	if key == c.ordered && c.order != nil {
		return
	}
	c.ordered = key
	role := fsm.RoleDirector
	if c.h.witness {
		role = fsm.RoleWitness
	}
	o := director.Order(c.state, director.Self{Name: c.h.name, Role: role, Quorum: key.quorum, Ready: key.ready, Apart: key.apart, Insists: insists})
	if c.w.without(TieSpacing) {
		for i := range o.Groups {
			if p := o.Groups[i].Priority; p >= ownership.StandbyLow && p <= ownership.StandbyHigh {
				o.Groups[i].Priority = ownership.StandbyHigh
			}
		}
	}
	if c.order != nil && reflect.DeepEqual(o, *c.order) {
		return
	}
	c.order = &o
	if c.begun {
		c.give(o)
	}
}

func (c *control) give(o orders.Order) {
	k, life := c.h.keeper, c.h.controlling.life
	k.call(func(now time.Time) {
		if k.life != life {
			k.life, k.came = life, k.w.now
		}
		k.set(now, o, nil)
	})
}

// lostKeeper is told that the connection to the keeper has ended.
func (c *control) lostKeeper() {
	c.h.controlling.after(time.Millisecond, func() {
		if !c.h.keeping.alive {
			c.status, c.begun = nil, false
			for _, g := range c.groups {
				if g.gone != nil {
					g.gone()
				}
			}
			c.changed()
		}
	})
}

// reportOf returns a member's report while it counts.
func (c *control) reportOf(i int) *report {
	if c.reports[i] == nil || c.w.now-c.came[i] >= reportLife || c.shut[i].is && c.w.now-c.shut[i].at >= unreachedAfter {
		return nil
	}
	return c.reports[i]
}
