package agent

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/quorate/quorate/director/ipvs"
	"github.com/quorate/quorate/fsm"
)

// Each standby looks now and then at how many of the owners' connections it has, though nothing is to move: what a crash would
// lose is to be known before. To read a table of millions takes its time, on the owner too: so the pause grows with what a look takes.
const (
	coverEvery  = 10 * time.Second
	coverPause  = 100             // times what a look took
	coverWithin = 3 * time.Second // for a connection to have come, as the sync daemons bring it
)

// coverage is how many of the established connections of an owner a standby has.
type coverage struct {
	Have  int `json:"have"`
	Total int `json:"total"`
}

// fewMissing may be missing whatever their share is: idle connections that the kernel's daemons have not told of yet.
const fewMissing = 10

// lacks reports whether so much is missing that the sync daemons cannot work: more than half.
func (c coverage) lacks() bool { return 2*c.Have < c.Total && c.Total-c.Have >= fewMissing }

// lacking is of which owners this director lacks connections, as it was found last.
type lacking struct {
	mu      sync.Mutex
	byOwner map[string]coverage
}

// found takes what was found at all owners, and reports whether that is news.
func (l *lacking) found(all map[string]coverage) bool {
	maps.DeleteFunc(all, func(_ string, c coverage) bool { return !c.lacks() })
	l.mu.Lock()
	defer l.mu.Unlock()
	news := !maps.Equal(l.byOwner, all)
	l.byOwner = all
	return news
}

func (l *lacking) of() map[string]coverage {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.byOwner)
}

// cover looks at how many of the owners' connections are here, for as long as the session lasts.
func (s *session) cover(ctx context.Context) error {
	for pause := coverEvery; s.cfg.Role != fsm.RoleWitness && sleep(ctx, pause); {
		if len(s.node.State().Config.Services) == 0 {
			continue
		}
		all, took := map[string]coverage{}, time.Duration(0)
		for _, owner := range s.owners(time.Now()) {
			began := time.Now()
			c, err := s.coverageOf(ctx, owner)
			if err != nil { // who does not answer is named by others
				s.log.Debug("coverage not known", "owner", owner, "err", err)
			}
			all[owner] = c
			took += time.Since(began) - coverWithin
		}
		if s.lacking.found(all) {
			poke(s.tellNow)
		}
		pause = max(coverEvery, coverPause*took)
	}
	return nil
}

// owners are the other directors that own groups now, as they say.
func (s *session) owners(now time.Time) []string {
	state, live := s.node.State(), s.reports.live(now)
	return slices.DeleteFunc(s.others(), func(name string) bool {
		return !slices.ContainsFunc(state.Config.Groups(), func(g fsm.Group) bool { return live[name].active(g.Name) })
	})
}

// coverageOf tells how many of an owner's established connections are here, once they have had the time to come: those that
// others begin and end all the time would else seem to be missing.
func (s *session) coverageOf(ctx context.Context, owner string) (coverage, error) {
	conns, err := s.someConnections(ctx, owner)
	if err != nil {
		return coverage{}, err
	}
	conns = slices.DeleteFunc(conns, func(c ipvs.Conn) bool { return !c.Established() })
	if len(conns) == 0 || !sleep(ctx, coverWithin) {
		return coverage{}, nil
	}
	have, total, err := s.director.Covers(conns)
	return coverage{have, total}, err
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
		out = append(out, fmt.Sprintf("%s has %d of %d of the connections of %s's groups: a crash of %s loses the others; look at UDP 8848 between them (sync daemon)",
			name, lacks[owner].Have, lacks[owner].Total, owner, owner))
	}
	return out
}
