package keeper

import (
	"cmp"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"time"

	"github.com/quorate/quorate/director/vrrp"
)

// Status is what a keeper heard and did.
type Status struct {
	// Time is when the status was taken.
	Time   time.Time     `json:"time"`
	Groups []GroupStatus `json:"groups"`
	// Transitions are the last 100 changes of state, oldest first.
	Transitions []Transition `json:"transitions"`
	// Drops counts, per interface, the adverts that were dropped before a router was found for them.
	Drops map[string]map[vrrp.Drop]uint64 `json:"drops,omitempty"`
	// Stopping says that the keeper was told to stop, and waits for its client to hand over.
	Stopping bool `json:"stopping,omitempty"`
	// Record says what is wrong with the record on disk, or is empty. Without it the keeper works, but
	// one that is started after it knows nothing.
	Record string `json:"record,omitempty"`
}

// Group returns the status of a group, and false if the keeper has none of that name.
func (s Status) Group(name string) (GroupStatus, bool) {
	for _, g := range s.Groups {
		if g.Name == name {
			return g, true
		}
	}
	return GroupStatus{}, false
}

// Alike reports whether two statuses differ in nothing but in when they were taken, and in what counts up while all goes on as it
// was. That something is dropped or noticed which was not before is another status; that it happens again is none.
func (s Status) Alike(o Status) bool { return reflect.DeepEqual(s.lasting(), o.lasting()) }

// lasting is a status without that.
func (s Status) lasting() Status {
	s.Time, s.Groups = time.Time{}, slices.Clone(s.Groups)
	ifaces := map[string]map[vrrp.Drop]uint64{}
	for name, drops := range s.Drops {
		ifaces[name] = kinds(drops)
	}
	s.Drops = ifaces
	for i := range s.Groups {
		g := &s.Groups[i]
		g.Routers = slices.Clone(g.Routers)
		for j := range g.Routers {
			r := &g.Routers[j]
			r.Sent, r.Received, r.Drops, r.Notices = 0, 0, kinds(r.Drops), kinds(r.Notices)
			if r.Heard != nil {
				heard := *r.Heard
				heard.Age = 0
				r.Heard = &heard
			}
		}
	}
	return s
}

// kinds are counts of which only says what was counted.
func kinds[K comparable](counts map[K]uint64) map[K]uint64 {
	out := map[K]uint64{}
	for kind := range counts {
		out[kind] = 1
	}
	return out
}

// GroupStatus is the status of one group.
type GroupStatus struct {
	Name string `json:"name"`
	// State is initialize, backup or active.
	State string `json:"state"`
	Epoch uint64 `json:"epoch"`
	// Priority is what is advertised: of the order, or of a claim that no order has ended yet.
	Priority uint8     `json:"priority"`
	Claimed  bool      `json:"claimed,omitempty"`
	Since    time.Time `json:"since"`
	// Reason is the cause of the last transition.
	Reason string `json:"reason"`
	// Changes counts the changes to each state since the start of the process; Status.Transitions has the
	// causes of the last ones.
	Changes map[string]uint64 `json:"changes,omitempty"`
	Routers []RouterStatus    `json:"routers"`
}

// RouterStatus is the status of one router.
type RouterStatus struct {
	Name string `json:"name"`
	// VRID and Interface are those of the order.
	VRID      uint8  `json:"vrid"`
	Interface string `json:"interface"`
	// Source is the address that adverts leave from, and Subnets are those that the interface has.
	Source  netip.Addr     `json:"source"`
	Subnets []netip.Prefix `json:"subnets,omitempty"`
	// Fault says why the router cannot work, or is empty.
	Fault string `json:"fault,omitempty"`
	// Present says that all addresses were added here and that the kernel has said nothing else since.
	Present bool `json:"present"`
	// Heard is the Active router that was heard last; nil if none was since the router is Backup.
	Heard *Heard `json:"heard,omitempty"`
	// Silent says that the router that was heard last has missed an advert.
	Silent bool `json:"silent,omitempty"`

	Sent     uint64 `json:"sent"`
	Received uint64 `json:"received"`
	// Contested counts the adverts of other Active routers that were heard while this one was Active.
	Contested uint64 `json:"contested,omitempty"`
	// Contest is for how long another router was heard to be Active while this one was.
	Contest  time.Duration          `json:"contest,omitempty"`
	Restored uint64                 `json:"restored,omitempty"` // addresses, routes, rules and refusals that somebody else removed
	Drops    map[vrrp.Drop]uint64   `json:"drops,omitempty"`
	Notices  map[vrrp.Notice]uint64 `json:"notices,omitempty"`
	// Error is the last error of the kernel about the router's addresses, adverts, routes or rules, empty
	// when it is over.
	Error string `json:"error,omitempty"`
}

// Heard is an Active router on the segment.
type Heard struct {
	Source   netip.Addr `json:"source"`
	Priority uint8      `json:"priority"`
	Member   bool       `json:"member"`
	// Interval is what was learned from it.
	Interval time.Duration `json:"interval"`
	// Age is how long before Status.Time it was heard.
	Age time.Duration `json:"age"`
}

// Transition is a change of a group's state, or another event of note.
type Transition struct {
	// Seq counts up by one, from 1 at the start of the process.
	Seq    uint64    `json:"seq"`
	At     time.Time `json:"at"`
	Group  string    `json:"group"`
	From   string    `json:"from"`
	To     string    `json:"to"` // equal to From for an event that is no change of state
	Reason string    `json:"reason"`
}

// keptTransitions is how many transitions a status has.
const keptTransitions = 100

// status copies what is known, for others to read.
func (k *keeper) status(now time.Time) Status {
	s := Status{Time: now, Stopping: !k.until.IsZero(), Record: k.record.trouble(), Transitions: slices.Clone(k.transitions), Drops: map[string]map[vrrp.Drop]uint64{}}
	for iface, d := range k.drops {
		s.Drops[iface] = maps.Clone(d)
	}
	for _, spec := range k.order.Groups {
		g := k.groups[spec.Name]
		gs := GroupStatus{
			Name: spec.Name, State: g.machine.State().String(), Epoch: spec.Epoch, Priority: g.machine.Priority(),
			Claimed: g.claimed, Since: g.since, Reason: g.reason(g.machine.Reason()), Changes: maps.Clone(g.changes),
		}
		for _, r := range spec.Routers {
			rs := g.routers[r.identity()].status(now, g.machine.Fault(r.identity().String()))
			if r.Refuse {
				rs.Error = cmp.Or(rs.Error, k.refusal)
			}
			gs.Routers = append(gs.Routers, rs)
		}
		s.Groups = append(s.Groups, gs)
	}
	return s
}

func (r *router) status(now time.Time, fault string) RouterStatus {
	s := RouterStatus{
		Name: r.spec.Name, VRID: r.spec.VRID, Interface: r.spec.Interface, Source: r.source, Subnets: r.judge.Subnets, Fault: fault, Present: r.owned && r.done >= r.wanted && r.err == nil, Silent: r.silent,
		Sent: r.sent, Received: r.received, Contested: r.contested, Contest: r.contest, Restored: r.restored, Drops: maps.Clone(r.drops), Notices: maps.Clone(r.notices),
		Error: cmp.Or(errorText(r.err), errorText(r.unsent), r.pathError),
	}
	if r.machine == nil {
		s.Fault = "not looked at yet"
		return s
	}
	if p := r.machine.Peer(); p.Source.IsValid() {
		s.Heard = &Heard{Source: p.Source, Priority: p.Priority, Member: p.Member, Interval: r.machine.Learned(), Age: now.Sub(p.Heard)}
	}
	return s
}
