package director

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/director/keeper"
	"github.com/quorate/quorate/director/ownership"
	"github.com/quorate/quorate/fsm"
)

// selves are all that a director can know of itself.
func selves(name string) (out []Self) {
	for bits := range 4 {
		out = append(out, Self{Name: name, Quorum: bits&1 != 0, Ready: bits&2 != 0})
	}
	return out
}

func TestV76WithoutAQuorumTheKeeperIsToldTheSameButForPrioritiesAndPreempt(t *testing.T) {
	for _, name := range []string{"d1", "d2"} {
		with := Order(state(), Self{Name: name, Quorum: true, Ready: true})
		for _, self := range selves(name) {
			order := Order(state(), self)
			for i, g := range order.Groups {
				if g.Priority == 0 || g.Blocked != "" || g.Yield != "" {
					t.Errorf("%+v: %+v, which would give it up", self, g)
				}
				order.Groups[i].Priority, order.Groups[i].Preempt = with.Groups[i].Priority, with.Groups[i].Preempt
			}
			if diff := cmp.Diff(with, order, byText); diff != "" {
				t.Errorf("%+v (-ready in the quorum +this):\n%s", self, diff)
			}
		}
	}
}

func TestWhatAGroupSaysOfTheLossOfTheQuorumReachesTheKeeper(t *testing.T) {
	for _, tt := range []struct {
		what    fsm.QuorumLoss
		self    Self
		blocked string
		yield   string
	}{
		{fsm.GiveWay, Self{Name: "d1"}, "", "no quorum, and on_quorum_loss is yield"},
		{fsm.GiveWay, Self{Name: "d1", Quorum: true}, "", ""},
		{fsm.LetGo, Self{Name: "d1"}, "no quorum, and on_quorum_loss is drop", ""},
		{fsm.LetGo, Self{Name: "d2"}, "no quorum, and on_quorum_loss is drop", ""},
		{fsm.LetGo, Self{Name: "d1", Quorum: true}, "", ""},
		{fsm.LetGo, Self{Name: "d1", Quorum: true, Blocked: map[string]string{"gateway": "db fails"}}, "db fails", ""},
	} {
		s := state()
		g := s.Config.SyncGroups["gateway"]
		g.Placement.OnQuorumLoss = tt.what
		s.Config.SyncGroups["gateway"] = g
		if got := Order(s, tt.self).Groups[0]; got.Blocked != tt.blocked || got.Yield != tt.yield {
			t.Errorf("%s, %+v: blocked %q, yield %q", tt.what, tt.self, got.Blocked, got.Yield)
		}
	}
}

func TestV76TheOrderOfSuccessorsIsTheSameWithoutAQuorum(t *testing.T) {
	s := state()
	s.Members["d3"] = fsm.Member{Name: "d3", Role: fsm.RoleDirector}
	s.Groups["gateway"] = fsm.Ownership{Owner: "d2", Epoch: 8, Order: []string{"d3", "d1"}}
	var got []uint8
	for _, name := range []string{"d2", "d3", "d1"} {
		got = append(got, Order(s, Self{Name: name, Ready: true}).Groups[0].Priority)
	}
	if !slices.IsSortedFunc(got, func(a, b uint8) int { return int(b) - int(a) }) || got[0] == got[1] || got[1] == got[2] {
		t.Errorf("priorities %v, want them to fall: the last owner first", got)
	}
}

func TestV79WithoutAQuorumNoKeeperIsToldToPreempt(t *testing.T) {
	for _, name := range []string{"d1", "d2"} {
		for _, self := range selves(name) {
			if g := Order(state(), self).Groups[0]; g.Preempt && !self.Quorum {
				t.Errorf("%+v preempts with priority %d", self, g.Priority)
			}
		}
	}
	if !Order(state(), Self{Name: "d2", Quorum: true, Ready: true}).Groups[0].Preempt {
		t.Error("in the quorum and ready it does not either")
	}
}

// The list that a keeper has is the state's at one index, whoever computes it, whatever else is so there.
func TestV11V80AListOfAddressesChangesOnAllDirectorsByOneEntry(t *testing.T) {
	before := *state()
	cfg := before.Config
	cfg.Routers = map[string]fsm.Router{}
	for name, r := range before.Config.Routers {
		r.Addresses = append([]netip.Prefix{prefix("203.0.113.9/32")}, r.Addresses...) // in front: the order is the list's, not the addresses'
		cfg.Routers[name] = r
	}
	after, _, err := fsm.Apply(before, 8, fsm.PutConfig{Config: cfg})
	if err != nil {
		t.Fatal(err)
	}
	for index, tt := range map[string]struct {
		state fsm.State
		want  []netip.Prefix
	}{
		"before": {before, prefixes("192.0.2.100/24")},
		"after":  {after, prefixes("203.0.113.9/32", "192.0.2.100/24")},
	} {
		for _, self := range append(selves("d1"), selves("d2")...) {
			order := Order(&tt.state, self)
			i := slices.IndexFunc(order.Groups[0].Routers, func(r keeper.Router) bool { return r.Name == "outside" })
			if got := order.Groups[0].Routers[i].Addresses; !slices.Equal(got, tt.want) {
				t.Errorf("%s the entry %s advertises %v, want %v", index, self.Name, got, tt.want)
			}
		}
	}
}

func TestTheKeeperIsToldThatAnotherMayNotHaveReachedThisDirector(t *testing.T) {
	for _, apart := range []bool{false, true} {
		if got := Order(state(), Self{Name: "d1", Apart: apart}).Apart; got != apart {
			t.Errorf("apart: told %t, want %t", got, apart)
		}
	}
}

// A keepalived beside the directors takes over from a priority below its own, and from no other.
func TestTheLastOwnerThatDrainsGivesWayToAForeignRouter(t *testing.T) {
	for name, tt := range map[string]struct {
		edit func(s *fsm.State, r *fsm.Router)
		want uint8
	}{
		"all drain":                       {func(*fsm.State, *fsm.Router) {}, ownership.DrainHigh},
		"another does not drain":          {func(s *fsm.State, _ *fsm.Router) { drains(s, "d2", false) }, ownership.OwnerPriority},
		"no foreign router is known":      {func(_ *fsm.State, r *fsm.Router) { r.Peers = nil }, ownership.OwnerPriority},
		"a witness does not, and owns no": {func(s *fsm.State, _ *fsm.Router) { s.Members["w1"] = fsm.Member{Name: "w1", Role: fsm.RoleWitness} }, ownership.DrainHigh},
	} {
		t.Run(name, func(t *testing.T) {
			s := allDrained()
			for i, r := range s.Config.Groups()[0].Routers {
				if i == 0 {
					tt.edit(s, &r)
				}
				s.Config.Routers[r.Name] = r
			}
			got := Order(s, Self{Name: "d1", Quorum: true, Ready: true}).Groups[0]
			if got.Priority != tt.want || got.Preempt {
				t.Errorf("priority %d, want %d, and it preempts: %v", got.Priority, tt.want, got.Preempt)
			}
		})
	}
}

// The log names d1 until a cut, and the side with the quorum names d2 then. No foreign router is alive: of two that own the group
// when the cut heals, the higher priority stays.
func TestWhereAllDrainTheSideWithTheQuorumStaysWhenACutHeals(t *testing.T) {
	before, after := allDrained(), allDrained()
	after.Groups["gateway"] = fsm.Ownership{Owner: "d2", Epoch: 8, Order: []string{"d1"}}
	of := func(s *fsm.State, name string, quorum bool) uint8 {
		return Order(s, Self{Name: name, Quorum: quorum, Ready: true}).Groups[0].Priority
	}
	named, old := of(after, "d2", true), of(before, "d1", false)
	if back := of(after, "d1", true); named <= old || named <= back {
		t.Errorf("whom the quorum has named has priority %d, the owner of before %d, and %d when it is back in the quorum", named, old, back)
	}
	for _, quorum := range []bool{false, true} {
		if owner, other := of(before, "d1", quorum), of(before, "d2", quorum); owner <= other {
			t.Errorf("quorum %v: the named owner has priority %d, one that was elected by mistake %d", quorum, owner, other)
		}
	}
}

// allDrained is a state in which all directors drain, and each router has a foreign one.
func allDrained() *fsm.State {
	s := state()
	drains(s, "d1", true)
	drains(s, "d2", true)
	for _, r := range s.Config.Groups()[0].Routers {
		r.Peers = []fsm.Peer{{Address: netip.MustParseAddr("192.168.1.9")}}
		s.Config.Routers[r.Name] = r
	}
	return s
}

func drains(s *fsm.State, name string, is bool) {
	m := s.Members[name]
	m.Draining = is
	s.Members[name] = m
}
