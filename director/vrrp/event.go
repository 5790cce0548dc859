package vrrp

import (
	"net/netip"
	"time"
)

// State is the state of a virtual router or of a sync group.
type State uint8

// The states of RFC 9568, section 6.4.
const (
	Initialize State = iota
	Backup
	Active
)

// String returns the state as it is shown to people: initialize, backup or active.
func (s State) String() string {
	switch s {
	case Initialize:
		return "initialize"
	case Backup:
		return "backup"
	case Active:
		return "active"
	}
	return "impossible"
}

// Event is an input of a [Machine] or a [Group].
type Event interface{ event() }

// Start begins: Backup with a full Active_Down_Interval, or Active at once with priority 255.
type Start struct {
	// Resume is set where the addresses are already on the host: they are kept, and the router is
	// Active after Resume if nobody speaks for them before.
	Resume time.Duration
}

// Stop ends with priority 0, if Active.
type Stop struct{}

// Fault ends because the router cannot work, with priority 0 if it can still send. Of a group's routers
// all others can.
type Fault struct {
	Reason  string
	CanSend bool
}

// Fit says that a router that had a fault can work again.
type Fit struct{}

// Carrier says that the router's link has lost its carrier, or has it again. A loss that is shorter than
// an advertisement interval changes no state: a Backup takes nothing meanwhile, and an Active router says
// again that it is there. A longer one is a fault; a driver that stood still meanwhile waits a moment to be told that it has ended.
type Carrier struct{ Up bool }

// Received is a believed advert.
type Received struct {
	Source   netip.Addr
	Priority uint8
	Interval time.Duration
	// Member says that the source is a director of the same cluster. A member is taken from by
	// Claim, silence or priority 0, never because its priority is lower.
	Member bool
	// Unasked says that nobody could have asked this router to yield, since its control cannot be reached: a member
	// that wins is taken for one to which a Yield was promised.
	Unasked bool
}

// Expired says that a deadline has passed. Unattended says that nobody looks after the group: before a timer has it taken, the
// segments are asked.
type Expired struct{ Unattended bool }

// Answer is what became of the [Ask] of that Until. Taken says that another has addresses of the group. Signed is when that one was
// last seen to send anything of its own; an answer alone may be that of a switch which answers for the dead.
type Answer struct {
	Until  time.Time
	Taken  bool
	Signed time.Time
}

// SetPriority changes the priority. Preempt allows to take from foreign routers of lower priority.
type SetPriority struct {
	Priority     uint8
	Preempt      bool
	PreemptDelay time.Duration
}

// SetInterval changes the router's own advertisement interval.
type SetInterval struct{ Interval time.Duration }

// SetSource changes the address that adverts leave from, which decides between equal priorities.
type SetSource struct{ Source netip.Addr }

// Claim takes the addresses now, whoever has them: three adverts of the given priority within 20 ms.
type Claim struct{ Priority uint8 }

// Yield marks an Active router for Wait: if a member's advert of no lower priority arrives in that
// time, the addresses stay for Linger after the router has become Backup (make before break). If
// none does, nothing has changed.
type Yield struct{ Wait time.Duration }

// Concede has an Active router become Backup as if it had heard a better member: a claim that it was told
// of by another way than the wire. The addresses stay for Linger, as after a Yield. It ends a resumption, too.
type Concede struct{}

// Renew has an Active router say at once that it is there and where its addresses are: its list has
// changed, or there is evidence that another router was Active too.
type Renew struct{}

// Resign gives up with priority 0 and stays Backup, for a full Active_Down_Interval at least.
type Resign struct {
	Reason string // empty: that it has resigned
	Linger bool   // a member claims at once: the addresses stay for Linger, as after a Yield
}

// Stalled says that the driver was late by more than Active_Down_Interval: what the machine knows
// is old. It starts again, keeping its addresses for Resume as Start does.
type Stalled struct{ Resume time.Duration }

// Abandon ends a resumption, since the addresses are not on the host any more.
type Abandon struct{}

// Hold keeps a Backup from taking over by its timer before Until. A claim is not held.
type Hold struct{ Until time.Time }

// promote and demote are how a group carries a change of one router to the others.
type (
	promote struct{}
	demote  struct{ linger, last bool }
)

func (Start) event()       {}
func (Stop) event()        {}
func (Fault) event()       {}
func (Fit) event()         {}
func (Carrier) event()     {}
func (Received) event()    {}
func (Expired) event()     {}
func (Answer) event()      {}
func (SetPriority) event() {}
func (SetInterval) event() {}
func (SetSource) event()   {}
func (Claim) event()       {}
func (Yield) event()       {}
func (Concede) event()     {}
func (Renew) event()       {}
func (Resign) event()      {}
func (Stalled) event()     {}
func (Abandon) event()     {}
func (Hold) event()        {}
func (promote) event()     {}
func (demote) event()      {}

// Action is an output of a [Machine] or a [Group]. The driver carries actions out in order.
type Action interface{ action() }

// Advertise sends one advert of the given priority, at once.
type Advertise struct{ Priority uint8 }

// Own adds the router's addresses to the host.
type Own struct{}

// Release removes the router's addresses from the host.
type Release struct{}

// Shorten gives the addresses the shortest lifetime that there is, and renews them no more: they are to go after
// Linger, and go by themselves should the driver stand still by then.
type Shorten struct{}

// Announce tells the segment where the router's addresses are, with repetitions.
type Announce struct{}

// Silent says that a Backup has missed an advert: of the router that it follows, or of anybody since it is
// Backup.
type Silent struct{}

// Ask asks the segments of a group for that long whether another has its addresses. The [Answer] says so; after Until it is
// as if nobody had.
type Ask struct {
	For   time.Duration
	Until time.Time
}

// Became says that a group has changed state, and why. Router is the one that the change began with,
// empty if all changed by themselves.
type Became struct {
	From, To State
	Router   string
	Reason   string
}

func (Advertise) action() {}
func (Own) action()       {}
func (Release) action()   {}
func (Shorten) action()   {}
func (Announce) action()  {}
func (Silent) action()    {}
func (Ask) action()       {}
func (Became) action()    {}
