// Package groups carries out what the ownership machines of this director's groups decide: it gathers the
// facts that they are told, begins what they want begun, and takes the questions of other directors.
//
// It promises that a machine is stepped by one goroutine at a time and with facts of that time, that what is
// asked of the keeper is asked in the order of the decisions, and that each action with an outcome has one.
// It decides nothing, and it never waits for one group on behalf of another.
package groups

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/agent/keeperlink"
	"github.com/quorate/quorate/director/ownership"
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
	Silence func(member fsm.Member, g fsm.Group, now time.Time) (unheard time.Duration, unreached []time.Duration)
	// Suspects reports whether any member is silent, and about to count as gone.
	Suspects func(now time.Time) bool
	// Now gathers what the agent knows that is not of one group.
	Now func() Now
	// Ask sends a question to another member's agent, and decodes its answer.
	Ask func(ctx context.Context, to, path string, question, answer any) error
	// Gateway returns the next hop of the default route that leaves by an interface, of the family of an
	// address.
	Gateway func(iface string, source netip.Addr) (netip.Addr, bool)
	// Pull brings the connections of another director into this one's kernel.
	Pull func(ctx context.Context, from string) error
	// Propose puts a command to the log.
	Propose func(ctx context.Context, c fsm.Command) error
	// Tell has people told of something; fresh says that others should hear of it at once.
	Tell func(group string, t ownership.Tell)
	// Go runs f beside the caller, for as long as the session lives.
	Go func(f func())
}

// Now is what an agent knows at one time.
type Now struct {
	State                          *fsm.State
	Current, Quorum, Ready, Drains bool
	// Fit reports whether this director meets the requirements of a group.
	Fit func(fsm.Group) bool
	// Member is what another member reported last of itself and a group; the paths to it are not looked at.
	Member func(group, name string) ownership.Member
}

// Driver drives the machines of all groups.
type Driver struct {
	cfg  Config
	ctx  context.Context // of Run; set before anything is stepped
	wake chan struct{}   // capacity 1

	mu      sync.Mutex
	groups  map[string]*group
	last    uint64                          // ID of the last question
	replies map[uint64]chan ownership.Reply // of those that wait, each with capacity 1
}

// group is one group with its machine.
type group struct {
	machine *ownership.Machine
	keeper  queue
}

// New returns a driver that does nothing yet.
func New(cfg Config) *Driver {
	return &Driver{cfg: cfg, wake: make(chan struct{}, 1), groups: map[string]*group{}, replies: map[uint64]chan ownership.Reply{}}
}

// Poke has the groups looked at again: something has changed.
func (d *Driver) Poke() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// suspicion is how often the groups are looked at while a member is about to count as gone.
const suspicion = 50 * time.Millisecond

// Run looks at the groups whenever something has changed or is due, until ctx ends.
func (d *Driver) Run(ctx context.Context) error {
	d.mu.Lock()
	d.ctx = ctx
	d.mu.Unlock()
	timer := time.NewTimer(0)
	defer timer.Stop()
	tick := time.NewTicker(suspicion)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-d.wake:
		case <-timer.C:
		case <-tick.C:
			if !d.cfg.Suspects(time.Now()) {
				continue
			}
		}
		next := d.lookAll(time.Now())
		if next.IsZero() {
			timer.Reset(time.Hour)
		} else {
			timer.Reset(max(time.Until(next), 0))
		}
	}
}

// lookAll looks at every group, and returns when one of them is to be looked at again.
func (d *Driver) lookAll(now time.Time) time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	g := d.gather(now)
	var next time.Time
	seen := map[string]bool{}
	for _, spec := range g.State.Config.Groups() {
		seen[spec.Name] = true
		d.step(g, spec, ownership.Look{})
	}
	maps.DeleteFunc(d.groups, func(name string, _ *group) bool { return !seen[name] })
	for _, x := range d.groups {
		if at := x.machine.Deadline(); !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next
}

// happened steps one group by an event that has just happened. It reports whether there is such a group.
func (d *Driver) happened(name string, ev ownership.Event) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	g := d.gather(time.Now())
	groups := g.State.Config.Groups()
	i := slices.IndexFunc(groups, func(x fsm.Group) bool { return x.Name == name })
	if i < 0 {
		return false
	}
	d.step(g, groups[i], ev)
	d.Poke() // its deadline may be another
	return true
}

// step steps the machine of a group and begins what it wants. The mutex is held, so that no step is made
// with facts that are older than those of the last.
func (d *Driver) step(g *gathered, spec fsm.Group, ev ownership.Event) {
	if d.ctx == nil || d.ctx.Err() != nil {
		return
	}
	x := d.groups[spec.Name]
	if x == nil {
		x = &group{machine: ownership.NewMachine()}
		d.groups[spec.Name] = x
	}
	for _, a := range x.machine.Step(g.at, d.facts(g, spec), ev) {
		d.begin(spec, x, a)
	}
}

// Deaf says why the owner of a group is not heard here, or is empty.
func (d *Driver) Deaf(name string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if x := d.groups[name]; x != nil {
		return x.machine.Deaf()
	}
	return ""
}

// Claimed says why this director has claimed a group, as long as the log has not named it for that; else "".
func (d *Driver) Claimed(name string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if x := d.groups[name]; x != nil {
		return x.machine.Claimed()
	}
	return ""
}

// Gone reports whether a member is silent here on every path that a group knows of.
func (d *Driver) Gone(name, member string, now time.Time) bool {
	state := d.cfg.Now().State
	for _, spec := range state.Config.Groups() {
		if spec.Name == name {
			return d.cfg.OnTime(now) && ownership.Gone(d.cfg.Silence(state.Members[member], spec, now))
		}
	}
	return false
}

// Records returns the last decisions about a group, oldest first.
func (d *Driver) Records(name string) []ownership.Record {
	d.mu.Lock()
	defer d.mu.Unlock()
	if x := d.groups[name]; x != nil {
		return x.machine.Records()
	}
	return nil
}

// Answer takes a question of another member about a group, and returns what the machine replies.
func (d *Driver) Answer(ctx context.Context, from, name string, q ownership.Question) (ownership.Attestation, error) {
	d.mu.Lock()
	d.last++
	id, reply := d.last, make(chan ownership.Reply, 1)
	d.replies[id] = reply
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.replies, id)
	}()
	if !d.happened(name, ownership.Asked{ID: id, From: from, Question: q}) {
		return ownership.Attestation{}, fmt.Errorf("knows no group %s", name)
	}
	select {
	case r := <-reply:
		if r.Refuse != "" {
			return r.Word, fmt.Errorf("%s", r.Refuse)
		}
		return r.Word, nil
	case <-ctx.Done():
		return ownership.Attestation{}, ctx.Err()
	}
}
