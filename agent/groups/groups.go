// Package groups carries out what the ownership machines of this director's groups decide: it gathers the
// facts that they are told, begins what they want begun, and takes the questions of other directors.
//
// It promises that a machine is stepped by one goroutine, Run's, and with facts of that time, that what is asked
// of the keeper about a group is asked in the order of the decisions, and that each action with an outcome has
// one as long as there is the group. It decides nothing, and it never waits for one group on behalf of another.
package groups

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/agent/keeperlink"
	"github.com/quorate/quorate/director/keeper"
	"github.com/quorate/quorate/director/ownership"
	"github.com/quorate/quorate/director/suspend"
	"github.com/quorate/quorate/fsm"
)

// Config is what a driver needs.
type Config struct {
	Self   string
	Keeper *keeperlink.Link
	Log    hclog.Logger
	// OnTime reports whether this process ran when it should have: what was not heard was not said.
	OnTime func(now time.Time) bool
	// Silence is for how long nothing came from a member's agent over the cluster port, and for how long its
	// own address has not answered on the segment of each router of a group, in the order of the
	// configuration: negative where it has none, or was not asked yet.
	Silence func(member fsm.Member, g fsm.Group, own keeper.GroupStatus, now time.Time) (unheard time.Duration, unreached []time.Duration)
	// Suspects returns when to look at the groups again because a member is silent and about to count as gone; 0: none is.
	Suspects func(now time.Time) time.Duration
	// Now gathers what the agent knows that is not of one group.
	Now func() Now
	// Ask sends a question to another member's agent, and decodes its answer.
	Ask func(ctx context.Context, to, path string, question, answer any) error
	// Gateway returns the next hop of the default route that leaves by an interface, of the family of an
	// address.
	Gateway func(iface string, source netip.Addr) (netip.Addr, bool)
	// Pull brings the connections of another director into this one's kernel: whole, which waits a moment until a share
	// of them is here and tells how many are, or those that are new since the last time.
	Pull func(ctx context.Context, from string, whole bool, share float64) (Coverage, error)
	// Propose puts a command to the log.
	Propose func(ctx context.Context, c fsm.Command) error
	// Tell has people told of something.
	Tell func(group string, t ownership.Tell)
	// Go runs f beside the caller, for as long as the session lives.
	Go func(f func())
	// Uptime is a clock that goes on while the host is suspended; nil for the host's.
	Uptime func() time.Duration
}

// Now is what an agent knows at one time.
type Now struct {
	State                          *fsm.State
	Voters                         []string // members that vote; nil: it is not known, and all count
	Current, Quorum, Ready, Drains bool
	// Fit reports whether this director meets the requirements of a group.
	Fit func(fsm.Group) bool
	// Member is what another member reported last of itself and a group; the paths to it are not looked at.
	Member func(group, name string) ownership.Member
}

// Driver drives the machines of all groups.
type Driver struct {
	cfg   Config
	wake  chan struct{} // capacity 1
	doubt chan struct{} // capacity 1: a member may be silent
	ended chan struct{} // closed when Run returns
	pulls pulls
	asks  asks

	ctx context.Context // of Run

	mu     sync.Mutex
	news   bool              // facts have changed since the groups were looked at
	events []happening       // that no machine was told of yet
	groups map[string]*group // only Run writes to it, and steps the machines
}

// group is one group with its machine.
type group struct {
	name    string
	machine *ownership.Machine
	keeper  queue
	asked   uint64                          // ID of the last question; of Run alone
	replies map[uint64]chan ownership.Reply // of those that are not answered yet; of Run alone
	part    ownership.Part                  // what the keeper was to it at the last look; of Run alone
	former  []string                        // who owned it when this director did not; of Run alone
}

// happening is an event of a group: the outcome of an action of Of, or a question of another member.
type happening struct {
	group string
	event ownership.Event
	of    *group
	reply chan ownership.Reply // capacity 1
}

// New returns a driver that does nothing yet.
func New(cfg Config) *Driver {
	if cfg.Uptime == nil {
		cfg.Uptime = suspend.Uptime
	}
	return &Driver{
		cfg: cfg, wake: make(chan struct{}, 1), doubt: make(chan struct{}, 1), ended: make(chan struct{}), news: true, groups: map[string]*group{},
		pulls: pulls{next: map[string]*pulling{}, last: map[string]*pulling{}, chased: map[string]*chasing{}},
		asks:  asks{next: map[whom]*batch{}, last: map[whom]time.Time{}},
	}
}

// Fenced tells the machine of a group that the addresses of a keeper that stands still were removed.
func (d *Driver) Fenced(name string) {
	d.tell(func() {
		if x := d.groups[name]; x != nil {
			d.events = append(d.events, happening{group: name, event: ownership.Fenced{}, of: x})
		}
	})
}

// Poke has the groups looked at again: something has changed.
func (d *Driver) Poke() { d.tell(func() { d.news = true }) }

// tell notes something for Run.
func (d *Driver) tell(note func()) {
	d.mu.Lock()
	note()
	d.mu.Unlock()
	poke(d.wake)
}

func (d *Driver) happened(h happening) { d.tell(func() { d.events = append(d.events, h) }) }

// done tells the machine of a group how an action came out.
func (d *Driver) done(x *group, out ownership.Done) {
	d.happened(happening{group: x.name, event: out, of: x})
}

// Beat is to be called as often as members are told that this one is there. It has the groups looked at again and again
// while a member is about to count as gone.
func (d *Driver) Beat() { poke(d.doubt) }

// poke says "look again" on a channel of capacity 1.
func poke(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Run looks at the groups whenever something has changed, has happened or is due, until ctx ends.
func (d *Driver) Run(ctx context.Context) error {
	defer close(d.ended)
	d.ctx = ctx
	timer := time.NewTimer(0)
	defer timer.Stop()
	var again <-chan time.Time // to look because a member is silent; nil: none is
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-d.wake:
		case <-timer.C:
		case <-d.doubt:
			again = d.suspect()
			continue
		case <-again:
			again = d.suspect()
			continue
		}
		if ctx.Err() != nil {
			return nil
		}
		if next := d.turn(); next.IsZero() {
			timer.Reset(time.Hour)
		} else {
			timer.Reset(max(time.Until(next), 0))
		}
	}
}

// suspect has a turn look at all groups if a member is silent, and returns what tells when to do so again.
func (d *Driver) suspect() <-chan time.Time {
	wait := d.cfg.Suspects(time.Now())
	if wait <= 0 {
		return nil
	}
	d.Poke()
	return time.After(wait)
}

// turn tells the machines what has happened, with facts that are gathered once, and has those look that are
// due, or all if facts have changed. It returns when one of them is due next.
func (d *Driver) turn() (next time.Time) {
	d.mu.Lock()
	events, news := d.events, d.news
	d.events, d.news = nil, false
	d.mu.Unlock()
	g := d.gather(time.Now())
	d.adopt(g)
	for _, h := range events {
		d.happen(g, h)
	}
	for name, spec := range g.specs {
		x := d.groups[name]
		if at := x.machine.Deadline(); news || !at.IsZero() && !at.After(g.at) {
			d.step(g, spec, x, ownership.Look{})
		}
		if at := x.machine.Deadline(); !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next
}

// adopt makes a machine for each group that is new, and forgets those that are gone. One that comes back is
// another: what the old one waited for is not for it.
func (d *Driver) adopt(g *gathered) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name := range g.specs {
		if d.groups[name] == nil {
			d.groups[name] = &group{name: name, machine: ownership.NewMachine(), replies: map[uint64]chan ownership.Reply{}}
		}
	}
	maps.DeleteFunc(d.groups, func(name string, x *group) bool {
		_, there := g.specs[name]
		if !there {
			for _, reply := range x.replies {
				reply <- unknown(name)
			}
		}
		return !there
	})
}

func unknown(group string) ownership.Reply {
	return ownership.Reply{Refuse: "knows no group " + group}
}

// happen tells a machine of an event.
func (d *Driver) happen(g *gathered, h happening) {
	x, spec := d.groups[h.group], g.specs[h.group]
	q, asked := h.event.(ownership.Asked)
	switch {
	case asked && x == nil:
		h.reply <- unknown(h.group)
		return
	case asked:
		x.asked++
		q.ID, x.replies[x.asked] = x.asked, h.reply
		h.event = q
	case x == nil || x != h.of:
		return
	}
	d.step(g, spec, x, h.event)
}

// step steps the machine of a group and begins what it wants.
func (d *Driver) step(g *gathered, spec fsm.Group, x *group, ev ownership.Event) {
	f := d.facts(g, spec)
	d.mu.Lock()
	actions := x.machine.Step(g.at, f, ev)
	d.mu.Unlock()
	d.lookOwned(x, f)
	for _, a := range actions {
		d.begin(g, spec, x, a)
	}
}

// said is what the machine of a group says of it, or nothing where there is none.
func said[T any](d *Driver, name string, say func(*ownership.Machine) T) (none T) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if x := d.groups[name]; x != nil {
		return say(x.machine)
	}
	return none
}

// Deaf says why the owner of a group is not heard here, or is empty.
func (d *Driver) Deaf(name string) string { return said(d, name, (*ownership.Machine).Deaf) }

// Doubled says that two directors answer for an address of a group, or is empty.
func (d *Driver) Doubled(name string) string { return said(d, name, (*ownership.Machine).Doubled) }

// Apart reports whether another owns a group, too, on a side of the segment that nothing joins to this director's.
func (d *Driver) Apart(name string) bool { return said(d, name, (*ownership.Machine).Apart) }

// Found names who owns a group though it is not heard here, or is empty.
func (d *Driver) Found(name string) string { return said(d, name, (*ownership.Machine).Found) }

// Claimed says why this director has claimed a group, as long as the log has not named it for that; else "".
func (d *Driver) Claimed(name string) string { return said(d, name, (*ownership.Machine).Claimed) }

// Again says why this director has taken a group again in the epoch in which the log names it; else "".
func (d *Driver) Again(name string, log fsm.Ownership) string {
	return said(d, name, func(m *ownership.Machine) string { return m.Again(log) })
}

// Insists are the groups that the log names this director for, while the one that it named before may not know that.
func (d *Driver) Insists(state *fsm.State) map[string]bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := map[string]bool{}
	for name, x := range d.groups {
		if x.machine.Insists(d.cfg.Self, state.Groups[name]) {
			out[name] = true
		}
	}
	return out
}

// Gone reports whether a member is silent here on every path that a group knows of.
func (d *Driver) Gone(name, member string, now time.Time) bool {
	state := d.cfg.Now().State
	for _, spec := range state.Config.Groups() {
		if spec.Name == name {
			own, _ := d.cfg.Keeper.Status().Group(name)
			return d.cfg.OnTime(now) && ownership.Gone(d.cfg.Silence(state.Members[member], spec, own, now))
		}
	}
	return false
}

// Unproven names a router of a group whose address nobody answers for, though its owner is heard here; or "".
func (d *Driver) Unproven(name string) string { return said(d, name, (*ownership.Machine).Unproven) }

// Taker is who took a group from this director by a claim, and has not been heard on all its routers since; or "".
func (d *Driver) Taker(name string) string { return said(d, name, (*ownership.Machine).Taker) }

// Records returns the last decisions about a group, oldest first.
func (d *Driver) Records(name string) []ownership.Record {
	return said(d, name, (*ownership.Machine).Records)
}

// Answer takes a question of another member about a group, and returns what the machine replies. It waits no
// longer than ctx or Run last.
func (d *Driver) Answer(ctx context.Context, from, name string, q ownership.Question) (ownership.Attestation, error) {
	reply := make(chan ownership.Reply, 1)
	d.happened(happening{group: name, event: ownership.Asked{From: from, Question: q}, reply: reply})
	select {
	case r := <-reply:
		if r.Refuse != "" {
			return r.Word, errors.New(r.Refuse)
		}
		return r.Word, nil
	case <-ctx.Done():
		return ownership.Attestation{}, ctx.Err()
	case <-d.ended:
		return ownership.Attestation{}, errEnded
	}
}

var errEnded = errors.New("its agent is ending")
