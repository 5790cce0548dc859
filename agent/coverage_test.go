package agent

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/director/ipvs"
	"github.com/quorate/quorate/fsm"
)

func TestAStandbyWithoutTheConnectionsIsNamed(t *testing.T) {
	active := groupReport{State: "active"}
	st := api.Status{Quorum: true, Directors: []api.DirectorStatus{{Name: "d1", State: "alive", Ready: true}, {Name: "d3", State: "alive", Ready: true}}}
	for _, tt := range []struct {
		name  string
		lacks map[string]coverage
		owner groupReport
		want  []string
	}{
		{"it has them", nil, active, nil},
		{"it has none", map[string]coverage{"d1": {0, 60}}, active, []string{"d3 has 0 of 60 connections of d1's that were looked at: a crash of d1 loses the others; look at UDP 8848 between them (the kernel's sync daemon; it does not bring idle connections)"}},
		{"they are another's by now", map[string]coverage{"d1": {0, 60}}, groupReport{State: "backup"}, nil},
	} {
		live := map[string]received{
			"d1": {report: report{Ready: true, Groups: map[string]groupReport{"g": tt.owner}}},
			"d3": {report: report{Ready: true, Lacks: tt.lacks}},
		}
		if got := warnings(st, live, noon); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestWhatIsMissingIsNewsWhenItIsMuch(t *testing.T) {
	var l lacking
	owns, nobody := []string{"d1"}, []string(nil)
	of := func(have, total int) map[string]coverage { return map[string]coverage{"d1": {have, total}} }
	none := map[string]coverage{}
	for _, step := range []struct {
		name   string
		owners []string
		looked map[string]coverage
		news   bool
		want   map[string]coverage
	}{
		{"all are there", owns, of(60, 60), false, none},
		{"half are", owns, of(30, 60), false, none},
		{"none of few", owns, of(0, 9), false, none},
		{"none of many", owns, of(0, 60), true, of(0, 60)},
		{"the same again", owns, of(0, 60), false, of(0, 60)},
		{"not known", owns, nil, false, of(0, 60)},
		{"of more", owns, of(0, 120), true, of(0, 120)},
		{"more than half are there now", owns, of(62, 120), true, of(62, 120)},
		{"less than half again", owns, of(58, 120), true, of(58, 120)},
		{"all but a quarter", owns, of(90, 120), true, of(90, 120)},
		{"they have come", owns, of(91, 120), true, none},
		{"less, but more than half", owns, of(62, 120), false, none},
		{"none again", owns, of(0, 60), true, of(0, 60)},
		{"it owns nothing any more", nobody, nil, true, none},
	} {
		if news := l.found(step.owners, step.looked); news != step.news {
			t.Errorf("%s: news %v", step.name, news)
		}
		if diff := cmp.Diff(step.want, l.of()); diff != "" {
			t.Errorf("%s: %s", step.name, diff)
		}
	}
}

// inTable are connections to an address, from so many ports.
func inTable(from, to uint16, addr string) []ipvs.Conn {
	var out []ipvs.Conn
	for port := from; port < to; port++ {
		out = append(out, ipvs.Conn{
			Protocol: ipvs.TCP, State: 1, Client: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.9"), port),
			Virtual: netip.AddrPortFrom(netip.MustParseAddr(addr), 80), Real: netip.MustParseAddrPort("10.0.0.1:80"), Expires: 900,
		})
	}
	return out
}

// toldOf is what a looker told of, and when.
type toldOf struct {
	after  time.Duration
	owners []string
	news   map[string]coverage
}

// fakeOwners are the owners of a looker, as they are at each of its looks, on a standby whose kernel has what the daemons bring.
type fakeOwners struct {
	tables  func(look int) ([]ipvs.Conn, error)
	groups  func(look int) []string
	brought func(ipvs.Conn) bool
	takes   time.Duration // to read a table
	off     bool
	asked   int
}

func (f *fakeOwners) looks(t *testing.T, most time.Duration) (all []toldOf) {
	ctx, cancel := context.WithTimeout(t.Context(), most)
	defer cancel()
	began := time.Now()
	l := &looker{
		log: hclog.NewNullLogger(),
		can: func() bool { return !f.off },
		owners: func() []ownerOfSome {
			groups := []string{"g"}
			if f.groups != nil {
				groups = f.groups(f.asked)
			}
			return []ownerOfSome{{"d1", groups, func(a netip.Addr) bool { return a == netip.MustParseAddr("192.0.2.2") }}}
		},
		some: func(ctx context.Context, _ string) ([]ipvs.Conn, error) {
			f.asked++
			if !sleep(ctx, f.takes) {
				return nil, ctx.Err()
			}
			conns, err := f.tables(f.asked)
			return some(slices.Clone(conns), sampled), err
		},
		covers: func(conns []ipvs.Conn) (have, total int, err error) {
			for _, c := range conns {
				if f.brought(c) {
					have++
				}
			}
			return have, len(conns), nil
		},
	}
	l.run(ctx, func(owners []string, news map[string]coverage) {
		all = append(all, toldOf{time.Since(began), owners, news})
	})
	return all
}

// last is the newest of what was found, if anything was.
func last(all []toldOf) coverage {
	var c coverage
	for _, one := range all {
		if found, ok := one.news["d1"]; ok {
			c = found
		}
	}
	return c
}

func TestOnlyConnectionsThatHaveBegunSinceTellWhetherTheDaemonsWork(t *testing.T) {
	none, every := func(ipvs.Conn) bool { return false }, func(ipvs.Conn) bool { return true }
	const at, other = "192.0.2.1", "192.0.2.2"
	idle := inTable(1000, 1060, at)
	begun := func(n uint16) func(int) ([]ipvs.Conn, error) { // so many at each look, and they stay
		return func(look int) ([]ipvs.Conn, error) {
			return slices.Concat(idle, inTable(2000, 2000+n*uint16(look), at)), nil
		}
	}
	both := func(look int) []string { return []string{"g", "h"}[:1+min(1, look/3)] }
	for name, tt := range map[string]struct {
		owners fakeOwners
		want   coverage
	}{
		"idle ones were never told of":      {fakeOwners{tables: func(int) ([]ipvs.Conn, error) { return idle, nil }, brought: none}, coverage{}},
		"none of many":                      {fakeOwners{tables: begun(30), brought: none}, coverage{0, 30}},
		"all of many":                       {fakeOwners{tables: begun(30), brought: every}, coverage{30, 30}},
		"few at a time":                     {fakeOwners{tables: begun(4), brought: none}, coverage{0, 12}},
		"an address of a group of another":  {fakeOwners{tables: func(look int) ([]ipvs.Conn, error) { return inTable(1, uint16(1+30*look), other), nil }, brought: none}, coverage{}},
		"what came with a group that moved": {fakeOwners{tables: func(look int) ([]ipvs.Conn, error) { return idle[:60*min(1, look/4)], nil }, groups: both, brought: none}, coverage{}},
		"old ones of a table that is read in part": {fakeOwners{tables: func(look int) ([]ipvs.Conn, error) {
			return inTable(uint16(400*look), 20_000, at), nil // the oldest end, so that others that are old take their place
		}, brought: none}, coverage{}},
		"ones that begin in a table that is read in part": {fakeOwners{tables: func(look int) ([]ipvs.Conn, error) {
			return inTable(1, uint16(20_000+2000*look), at), nil
		}, brought: func(c ipvs.Conn) bool { return c.Client.Port() < 22_000 }}, coverage{0, -1}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got := last(tt.owners.looks(t, 2*time.Minute))
				if tt.want.Total < 0 && got.Have == 0 && got.Total >= fewMissing {
					return // how many of them are in the part is the hash's to say
				}
				if got != tt.want {
					t.Errorf("found %+v, want %+v", got, tt.want)
				}
			})
		})
	}
}

func TestALookCostsAHundredthOfTheTimeAtMost(t *testing.T) {
	none := func(ipvs.Conn) bool { return false }
	for name, tt := range map[string]struct {
		table  []ipvs.Conn
		err    error
		takes  time.Duration
		off    bool
		most   time.Duration
		asked  int
		owners int // that were told of each time
	}{
		"an empty table":        {nil, nil, 0, false, 65 * time.Second, 6, 1},
		"a slow one":            {nil, nil, time.Second, false, 330 * time.Second, 4, 1},
		"a slow error":          {nil, errors.New("broken"), time.Second, false, 330 * time.Second, 4, 1},
		"an owner that is hung": {nil, nil, time.Hour, false, 10*time.Second + callLimit + coverMost + time.Second, 2, 1},
		"no sync":               {nil, nil, 0, true, 65 * time.Second, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := fakeOwners{tables: func(int) ([]ipvs.Conn, error) { return tt.table, tt.err }, brought: none, takes: tt.takes, off: tt.off}
				all := f.looks(t, tt.most)
				if f.asked != tt.asked || len(all) == 0 || len(all[0].owners) != tt.owners {
					t.Errorf("asked %d times, want %d; told %v", f.asked, tt.asked, all)
				}
			})
		})
	}
}

func TestAnOwnersConnectionsAreNotThoseOfTheGroupsOfOthers(t *testing.T) {
	router := func(name, addr string) fsm.Router {
		return fsm.Router{Name: name, Addresses: []netip.Prefix{netip.MustParsePrefix(addr + "/32")}}
	}
	state := &fsm.State{Config: fsm.Config{Routers: map[string]fsm.Router{"g": router("g", "192.0.2.1"), "h": router("h", "192.0.2.2")}}}
	live := map[string]received{
		"d1": {report: report{Groups: map[string]groupReport{"g": {State: "active"}, "h": {State: "backup"}}}},
		"d2": {report: report{Groups: map[string]groupReport{"g": {State: "backup"}, "h": {State: "backup"}}}},
	}
	owners := ownersOf(state, live, []string{"d1", "d2"})
	if len(owners) != 1 || owners[0].name != "d1" || !slices.Equal(owners[0].groups, []string{"g"}) {
		t.Fatalf("owners are %+v", owners)
	}
	for addr, want := range map[string]bool{"192.0.2.1": false, "192.0.2.2": true, "192.0.2.3": false} {
		if got := owners[0].others(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s is of others: %v", addr, got)
		}
	}
}

func TestALeaderKnowsWhoLacksTheOwnersConnections(t *testing.T) {
	director := fsm.Member{Role: fsm.RoleDirector}
	state := &fsm.State{
		Members: map[string]fsm.Member{"d1": director, "d2": director, "d3": director},
		Groups:  map[string]fsm.Ownership{"g": {Owner: "d1", Epoch: 2}},
	}
	live := map[string]received{
		"d2": {report: report{Name: "d2", Lacks: map[string]coverage{"d3": {0, 60}}}}, // of another than the owner
		"d3": {report: report{Name: "d3", Lacks: map[string]coverage{"d1": {0, 60}}}},
	}
	for _, v := range views(state, live, (&reports{}).stopped, "g", noon) {
		if v.Lacks != (v.Name == "d3") {
			t.Errorf("%s lacks connections: %v", v.Name, v.Lacks)
		}
	}
}
