package agent

import (
	"context"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/director/ipvs"
	"github.com/quorate/quorate/fsm"
)

// Each standby looks now and then at how many of the owners' connections it has, though nothing is to move: what a crash would
// lose is to be known before. To read a table of millions takes its time, on the owner too: so the pause grows with what a look takes.
const (
	coverEvery  = 10 * time.Second
	coverPause  = 100              // times what a look took
	coverMost   = 10 * time.Minute // of a pause
	coverWithin = 3 * time.Second  // for a connection to have come, as the sync daemons bring it
)

// The kernel's sync daemons tell of a connection by its packets: of the third, and then of each fiftieth. So one that is idle may
// never have been told of, and what was told a standby forgets a while after, keepalives or not. That the daemons work is seen by the
// connections that have begun since the last look, and by none else, if that is less long ago than what is told is remembered.
const remembered = 15 * time.Minute

// What is found counts once so many connections were looked at, or so many are missing.
const (
	enoughLooked = 2 * fewMissing
	fewMissing   = 10
)

// coverage is how many of the connections of an owner that have begun lately a standby has.
type coverage struct {
	Have  int `json:"have"`
	Total int `json:"total"`
}

// counts reports whether it is of enough connections to say something.
func (c coverage) counts() bool { return c.Total >= enoughLooked || c.Total-c.Have >= fewMissing }

// lacks reports whether so much is missing that the sync daemons cannot work: more than half, and still a quarter where that was so before.
func (c coverage) lacks(before bool) bool {
	missing := c.Total - c.Have
	if before {
		return 4*missing >= c.Total
	}
	return 2*missing > c.Total && missing >= fewMissing
}

// lacking is of which owners this director lacks connections, as it was found last.
type lacking struct {
	mu      sync.Mutex
	byOwner map[string]coverage
}

// found takes what was found at some of the owners, forgets who owns nothing any more, and reports whether that is news.
func (l *lacking) found(owners []string, news map[string]coverage) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	next := map[string]coverage{}
	for _, owner := range owners {
		was, before := l.byOwner[owner]
		c, looked := news[owner]
		switch {
		case looked && c.lacks(before):
			next[owner] = c
		case !looked && before:
			next[owner] = was
		}
	}
	changed := !maps.Equal(l.byOwner, next)
	l.byOwner = next
	return changed
}

func (l *lacking) of() map[string]coverage {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.byOwner)
}

// looker looks at how many of the owners' connections are here. It belongs to one goroutine.
type looker struct {
	can    func() bool // there is anything to be covered
	owners func() []ownerOfSome
	some   func(ctx context.Context, owner string) ([]ipvs.Conn, error)
	covers func([]ipvs.Conn) (have, total int, err error)
	log    hclog.Logger

	looks map[string]look
}

// ownerOfSome is a director that owns groups, and which addresses are those of others.
type ownerOfSome struct {
	name   string
	groups []string
	others func(netip.Addr) bool
}

// look is what an owner's connections were when they were looked at last, and what was found since that does not count yet.
type look struct {
	at     time.Time
	groups []string
	had    map[ipvs.ConnKey]bool
	last   uint64 // all that are in the order of samples up to this one were had
	found  coverage
}

// cover looks at how many of the owners' connections are here, for as long as the session lasts.
func (s *session) cover(ctx context.Context) error {
	if s.cfg.Role == fsm.RoleWitness {
		return nil
	}
	l := &looker{
		can:    func() bool { return s.node.State().Config.Services.Len() > 0 && s.director.Synchronises() },
		owners: func() []ownerOfSome { return ownersOf(s.node.State(), s.reports.live(time.Now()), s.others()) },
		some:   s.someConnections, covers: s.director.Covers, log: s.log,
	}
	l.run(ctx, func(owners []string, news map[string]coverage) {
		if s.lacking.found(owners, news) {
			poke(s.tellNow)
		}
	})
	return nil
}

// run looks until ctx ends, and tells of each time who owns something, and what was found there.
func (l *looker) run(ctx context.Context, tell func(owners []string, news map[string]coverage)) {
	for pause := coverEvery; sleep(ctx, pause); {
		pause = coverEvery
		if !l.can() {
			l.looks = nil
			tell(nil, nil)
			continue
		}
		var names []string
		news, took := map[string]coverage{}, time.Duration(0)
		for _, owner := range l.owners() {
			names = append(names, owner.name)
			c, worked, err := l.coverageOf(ctx, owner)
			if err != nil { // who does not answer is named by others
				l.log.Debug("coverage not known", "owner", owner.name, "err", err)
			}
			if c.counts() {
				news[owner.name] = c
			}
			took += worked
		}
		maps.DeleteFunc(l.looks, func(name string, _ look) bool { return !slices.Contains(names, name) })
		tell(names, news)
		pause = min(max(coverEvery, coverPause*took), coverMost)
	}
}

// coverageOf tells how many of the connections of an owner that have begun since the last looks are here, once they have had the
// time to come, and how long the work took: those that others begin and end all the time would else seem to be missing.
func (l *looker) coverageOf(ctx context.Context, owner ownerOfSome) (c coverage, worked time.Duration, err error) {
	began := time.Now()
	asking, cancel := context.WithTimeout(ctx, callLimit)
	conns, err := l.some(asking, owner.name)
	cancel()
	worked = time.Since(began)
	if err != nil {
		return coverage{}, worked, err
	}
	before := l.looks[owner.name]
	now := look{at: began, groups: owner.groups, had: map[ipvs.ConnKey]bool{}, last: math.MaxUint64}
	if len(conns) >= sampled {
		now.last = 0
	}
	for _, c := range conns {
		now.had[c.Key()] = true
		if len(conns) >= sampled {
			now.last = max(now.last, inSample(c))
		}
	}
	if l.looks == nil {
		l.looks = map[string]look{}
	}
	defer func() { l.looks[owner.name] = now }()
	// with a group that moves come connections that did not begin
	if began.Sub(before.at) >= remembered || !slices.Equal(before.groups, owner.groups) {
		return coverage{}, worked, nil
	}
	conns = slices.DeleteFunc(conns, func(c ipvs.Conn) bool {
		return !c.Established() || owner.others(c.Virtual.Addr()) || before.had[c.Key()] || inSample(c) > before.last
	})
	now.found = before.found
	if len(conns) > 0 {
		if !sleep(ctx, coverWithin) {
			return coverage{}, worked, nil
		}
		began = time.Now()
		have, total, err := l.covers(conns)
		worked += time.Since(began)
		if err != nil {
			return coverage{}, worked, err
		}
		now.found = coverage{before.found.Have + have, before.found.Total + total}
	}
	c = now.found
	if c.counts() {
		now.found = coverage{}
	}
	return c, worked, nil
}

// ownersOf are those of some directors that own groups now, as they say.
func ownersOf(state *fsm.State, live map[string]received, of []string) []ownerOfSome {
	var out []ownerOfSome
	for _, name := range of {
		var own []string
		others := map[netip.Addr]bool{}
		for _, g := range state.Config.Groups() {
			if live[name].active(g.Name) {
				own = append(own, g.Name)
			} else {
				noteAddresses(others, g)
			}
		}
		if len(own) > 0 {
			slices.Sort(own)
			out = append(out, ownerOfSome{name, own, func(a netip.Addr) bool { return others[a] }})
		}
	}
	return out
}

// uncovered says of which owners a standby lacks connections, while they own something.
func uncovered(name string, live map[string]received) []string {
	var out []string
	lacks := live[name].Lacks
	for _, owner := range slices.Sorted(maps.Keys(lacks)) {
		owns := func(g groupReport) bool { return g.State == "active" }
		if !slices.ContainsFunc(slices.Collect(maps.Values(live[owner].Groups)), owns) {
			continue
		}
		out = append(out, fmt.Sprintf("%s has %d of %d connections of %s's that were looked at: a crash of %s loses the others; look at UDP 8848 between them (the kernel's sync daemon; it does not bring idle connections)",
			name, lacks[owner].Have, lacks[owner].Total, owner, owner))
	}
	return out
}
