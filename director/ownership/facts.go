package ownership

import (
	"slices"
	"time"

	"github.com/quorate/quorate/fsm"
)

// Facts are what one director knows of one group at one time. Whoever drives a [Machine] gathers them anew
// for each step: nothing in them is remembered by the machine but what it says.
type Facts struct {
	Self    string
	Group   string
	Log     fsm.Ownership // what this director's log says
	Current bool          // the log was applied as far as this director knows it to go
	Quorum  bool          // a majority of the voters is in touch, or was within the grace
	Ready   bool          // fit to gain ownership
	Drains  bool          // asked to own nothing
	OnTime  bool          // the process ran when it should have: what was not heard was not said
	Voters  int           // members that vote, this one included
	OneSide bool          // where a segment is cut in two, one side only is to have an owner
	Groups  int           // that this director looks after; 0: nobody asks whether an owner that is heard answers
	Keeper  Keeper
	Members []Member // all others, witnesses too, by name
}

// Part is what a director's keeper is to a group.
type Part uint8

// The parts.
const (
	Absent  Part = iota // no keeper answers, or it does not run the group
	Faulty              // the routers cannot work, or one of them cannot: VRRP's Initialize
	Standby             // VRRP's Backup
	Owner               // VRRP's Active
)

// String returns the part as it is shown to people.
func (p Part) String() string { return [...]string{"absent", "fault", "standby", "owner"}[p] }

// Keeper is what the keeper of this host says of the group.
type Keeper struct {
	Part     Part
	Reason   string        // of the last change of that
	Since    time.Time     // when that was
	Claims   bool          // it owns the group by a claim, which has not ended
	Interval time.Duration // of the configuration, or of the adverts that are heard, if that is shorter
	Lifetime time.Duration // of addresses that nobody renews
	Renewal  time.Duration // how long before the last advert they were renewed last, at most
	Routers  []Router      // in the order of the configuration
}

// keeps reports whether a Backup has all addresses still, or lets them go in a moment: after a stall it goes on with them, if nobody
// else is heard.
func (k Keeper) keeps() bool {
	return k.Part == Standby && len(k.Routers) > 0 && !slices.ContainsFunc(k.Routers, func(r Router) bool { return !r.Present })
}

// Router is what the keeper says of one router of the group.
type Router struct {
	Name    string
	Silent  bool          // it is Backup and has missed an advert
	Heard   string        // the member that was heard last as Active, "" for none
	Other   bool          // who is heard as Active is no member
	Claims  bool          // it was heard with the priority of a claim
	Resigns bool          // it was heard with the priority of a resignation: it is Active no more
	Present bool          // all its addresses are there, Active or not
	Age     time.Duration // how long ago that was; no member was heard: of no meaning
}

// hears returns the member whose adverts arrive now, or "".
func (r Router) hears() string {
	if r.Silent {
		return ""
	}
	return r.Heard
}

// Member is another member as this director knows it. What it says is of its last report.
type Member struct {
	Name     string
	Witness  bool // it votes and attests, and owns nothing
	Joins    bool // it has no vote yet
	Alive    bool // it reported lately
	Ready    bool
	Draining bool
	Fit      bool // it meets the group's requirements, and its routers can work
	Part     Part
	Epoch    uint64 // of the order that its keeper has for the group; 0 if that is not known
	// Unheard is for how long nothing came from its agent over the cluster port.
	Unheard time.Duration
	// Unreached is for how long its own address has not answered on the segment of each router, in the order
	// of the configuration; negative where it has no address there that could be asked for, or was not
	// asked yet.
	Unreached []time.Duration
}

// member returns a member by name.
func (f Facts) member(name string) (Member, bool) {
	i := slices.IndexFunc(f.Members, func(m Member) bool { return m.Name == name })
	if i < 0 {
		return Member{}, false
	}
	return f.Members[i], true
}

// named returns a member by name, nothing is known of it if it is none.
func (f Facts) named(name string) Member {
	m, _ := f.member(name)
	return m
}

// deaf returns the first router on which a member is not heard as Active now, or "".
func (f Facts) deaf(member string) string {
	for _, r := range f.Keeper.Routers {
		if r.hears() != member {
			return r.Name
		}
	}
	return ""
}

// hearsSome reports whether a member is heard as Active on any router now: a claim reaches it there, and it gives
// up the whole group. One that resigned there was heard last, and has.
func (f Facts) hearsSome(member string) bool {
	return slices.ContainsFunc(f.Keeper.Routers, func(r Router) bool { return r.hears() == member && !r.Resigns })
}

// able reports whether a member could own the group now, by its last report.
func (m Member) able() bool {
	return m.Alive && m.Ready && m.Fit && !m.Draining && !m.Witness && m.Part == Standby
}

// answers reports whether a member's own address answers on the segment of a router, as far as it is asked.
func (m Member) answers(router int) bool {
	return m.looked(router) && m.Unreached[router] < GoneAfter
}

// looked reports whether it is known that a member has an address on the segment of a router, which is asked for.
func (m Member) looked(router int) bool { return router < len(m.Unreached) && m.Unreached[router] >= 0 }

// near reports whether a member is reached on the segment of each router that is silent here, as far as can be told.
func (f Facts) near(m Member) bool {
	return !f.unreachedWhere(m, func(i int) bool { return f.Keeper.Routers[i].Silent })
}

// connected reports whether a member is reached on the segment of each router on which others are.
func (f Facts) connected(m Member) bool {
	return !f.unreachedWhere(m, func(i int) bool {
		return slices.ContainsFunc(f.Members, func(o Member) bool { return o.answers(i) })
	})
}

// unreachedWhere reports whether a member is not reached on the segment of a router of which something is so.
func (f Facts) unreachedWhere(m Member, is func(router int) bool) bool {
	for i := range f.Keeper.Routers {
		if i < len(m.Unreached) && m.Unreached[i] >= GoneAfter && is(i) {
			return true
		}
	}
	return false
}

// isolated reports whether this director reaches nobody on some segment, on which another could serve: then it may be
// the one that is cut off. The owner that is thought to be dead does not count, nor does anybody else that is, whose last
// report may say that it could.
func (f Facts) isolated(owner string) bool {
	dead := f.missing()
	for i := range f.Keeper.Routers {
		able, reached := false, false
		for _, m := range f.Members {
			if m.Name == owner || slices.Contains(dead, m.Name) || !m.looked(i) {
				continue
			}
			able, reached = able || m.able(), reached || m.answers(i)
		}
		if able && !reached {
			return true
		}
	}
	return false
}

// owners are the members that own the group by their last report.
func (f Facts) owners() []string {
	var names []string
	for _, m := range f.Members {
		if m.Alive && m.Part == Owner {
			names = append(names, m.Name)
		}
	}
	return names
}

// served returns who owns the group as far as this director knows, the named one apart, or "": then nobody is to
// claim it from that one any more. Who is dead serves nobody, whatever its last report says.
func (f Facts) served(but string) string {
	dead := f.missing()
	for _, m := range f.Members {
		if m.Name != but && m.Alive && m.Part == Owner && !slices.Contains(dead, m.Name) {
			return m.Name
		}
	}
	for _, r := range f.Keeper.Routers {
		switch {
		case r.Silent || slices.Contains(dead, r.Heard):
		case r.Other:
			return "another router"
		case r.Heard != "" && r.Heard != but:
			return r.Heard
		}
	}
	return ""
}

// successor returns the first director in the log's order that could own the group now, the named one apart, or
// "": also if the group has another owner already. The owner that the log names comes first of all: where it is
// Standby, the log is behind, and it has lost the group to the one that is to be succeeded. Who is not on this
// director's side of a silent segment is passed over: it would not serve there.
func (f Facts) successor(but string) string { return f.first(but, f.near) }

// first is successor by another rule of who is passed over.
func (f Facts) first(but string, serves func(Member) bool) string {
	if f.served(but) != "" {
		return ""
	}
	dead := f.missing()
	return First(f.succession(), func(name string) bool {
		if name == but || slices.Contains(dead, name) {
			return false
		}
		if name == f.Self {
			return f.fit()
		}
		m, ok := f.member(name)
		return ok && m.able() && serves(m)
	})
}
