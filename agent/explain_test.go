package agent

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/director/ownership"
	"github.com/quorate/quorate/fsm"
)

// Who is not answered has no reports that count, and may ask all the same.
func TestAnExplanationNamesWhoSaysThatItOwnsTheGroup(t *testing.T) {
	log := fsm.Ownership{Owner: "d1", Reason: "first"}
	backup, active := api.Attestation{Name: "d1", Part: "backup"}, api.Attestation{Name: "d2", Part: "active"}
	named := api.Attestation{Name: "d1", Part: "active"}
	for _, tt := range []struct {
		words         []word
		owner, reason string
	}{
		{[]word{{Attestation: backup}}, "", "nobody"},
		{[]word{{Attestation: backup}, {Attestation: active}}, "d2", "the log names d1 (as it was when it did: first), but d2 says that it does"},
		{[]word{{Attestation: named}}, "d1", "first"},
	} {
		if owner, reason := ownerByWord(log, tt.words, "nobody"); owner != tt.owner || reason != tt.reason {
			t.Errorf("%v: %q, %q; want %q, %q", tt.words, owner, reason, tt.owner, tt.reason)
		}
	}
}

// A clock that is ahead by an hour says nothing of what came last.
func TestTheLastDecisionsAreThoseOfTheLeastAge(t *testing.T) {
	said := func(name string, clock time.Duration, ages ...int) word {
		w := word{Now: noon.Add(clock), came: noon}
		for _, age := range ages {
			w.Decisions = append(w.Decisions, api.Decision{Time: w.Now.Add(-time.Duration(age) * time.Second), Director: name, Text: fmt.Sprint(name, age)})
		}
		return w
	}
	old := said("old", 0, 4)
	old.Now = time.Time{} // of a version that does not say
	var got []string
	for _, d := range lastDecisions([]word{said("d1", time.Hour, 30, 20, 19, 18, 17, 16, 15, 14), said("d2", 0, 12, 5, 1), said("d3", -time.Hour, 13, 3), old}) {
		got = append(got, d.Text)
	}
	if diff := cmp.Diff([]string{"d116", "d115", "d114", "d313", "d212", "d25", "old4", "d33", "d21"}, got[1:]); diff != "" {
		t.Error(diff)
	}
	if got := lastDecisions(nil); got == nil {
		t.Error("no decisions are null in JSON")
	}
}

func TestARouterInAGroupIsNoGroup(t *testing.T) {
	state := &fsm.State{Config: fsm.Config{
		Routers:    map[string]fsm.Router{"outside": {Name: "outside"}, "inside": {Name: "inside"}},
		SyncGroups: map[string]fsm.SyncGroup{"gateway": {Name: "gateway", Routers: []string{"outside", "inside"}}},
	}}
	_, err := findGroup(state, "outside")
	if want := `no group "outside": it is a router in group "gateway", whose routers move together`; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if _, err := findGroup(state, "gateway"); err != nil {
		t.Error(err)
	}
}

func TestWhatIsEnabledIsMovedToByItsPlacementAlone(t *testing.T) {
	cfg := fsm.Config{Routers: map[string]fsm.Router{"a": {Name: "a"}, "b": {Name: "b", Placement: fsm.Placement{Policy: fsm.Sticky}}}}
	if got, want := enabled(fsm.Member{Name: "d3", Role: fsm.RoleDirector}, cfg), "d3 may own addresses again; nothing moves to it unless another drains"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	cfg.Routers["c"] = fsm.Router{Name: "c", Placement: fsm.Placement{Policy: fsm.Pinned, Directors: []string{"d3"}}}
	if got := enabled(fsm.Member{Name: "d3", Role: fsm.RoleDirector}, cfg); !strings.HasSuffix(got, "see `quorate explain group` of c") || strings.Contains(got, "nothing moves") {
		t.Error(got)
	}
	if got, want := enabled(fsm.Member{Name: "w1", Role: fsm.RoleWitness}, cfg), "w1 drains no more; it is a witness, which owns nothing"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestAWitnessNeitherDrainsNorEndsWhatItDidNotBegin(t *testing.T) {
	for _, tt := range []struct {
		role      fsm.Role
		was, will bool
		want      string
	}{
		{fsm.RoleDirector, false, true, "<nil>"},
		{fsm.RoleDirector, false, false, "<nil>"},
		{fsm.RoleWitness, false, true, "w1 is a witness, which owns nothing: there is nothing to drain"},
		{fsm.RoleWitness, false, false, "w1 is a witness, which owns nothing: it does not drain"},
		{fsm.RoleWitness, true, true, "w1 is a witness, which owns nothing: there is nothing to drain"},
		{fsm.RoleWitness, true, false, "<nil>"}, // it drained as a director
	} {
		err := noDrain(fsm.Member{Name: "w1", Role: tt.role, Draining: tt.was}, api.DrainRequest{Director: "w1", Draining: tt.will})
		if got := fmt.Sprint(err); got != tt.want {
			t.Errorf("%+v: %s", tt, got)
		}
	}
}

// It is what status says of the quorum at the same moment.
func TestAnExplanationSaysThatADirectorIsCutOffWhereItsStatusDoes(t *testing.T) {
	for _, tt := range []struct {
		name           string
		hears, reaches bool
		answering      int
		want           string
	}{
		{"a majority answers", true, true, 2, ""},
		{"the leader is not reached", true, false, 2, "d1 is cut off: the leader is heard, but not reached: g cannot be moved from here"},
		{"no majority answers", true, true, 1, "d1 is cut off: the leader is heard, but no majority of the voters answers it: g cannot be moved from here"},
		{"nobody leads", false, true, 1, "no quorum: VRRP alone decides who owns g, and it cannot be moved"},
	} {
		st := api.Status{Name: "d1", Quorum: tt.hears && tt.reaches, Voters: 3, Answering: tt.answering}
		st.CutOff = cutOff(st, tt.hears)
		if got := unmovable(st, "g"); got != tt.want || (got != "") != (st.CutOff || !st.Quorum) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// A recovery ends the session, and with it what it remembers, while the agent goes on.
func TestWhatWasDecidedBeforeARecoveryIsRemembered(t *testing.T) {
	decided := func(n int) ownership.Record {
		return ownership.Record{At: noon.Add(time.Duration(n) * time.Second), Kind: "place", Text: fmt.Sprint(n)}
	}
	texts := func(rs []ownership.Record) (out []string) {
		for _, r := range rs {
			out = append(out, r.Text)
		}
		return out
	}
	var p placed
	p.add("g", decided(20))
	p.add("new", decided(21))
	before := map[string]ownership.Records{"old": {decided(3)}}
	for n := range 12 {
		before["g"] = append(before["g"], decided(n))
	}
	p.follow(before)
	p.add("g", decided(22))
	for group, want := range map[string][]string{"g": {"4", "5", "6", "7", "8", "9", "10", "11", "20", "22"}, "old": {"3"}, "new": {"21"}} {
		if diff := cmp.Diff(want, texts(p.of(group))); diff != "" {
			t.Errorf("%s: %s", group, diff)
		}
	}
	var first placed
	first.follow(before)
	if got := first.of("old"); len(got) != 1 {
		t.Errorf("nothing was decided since: %v", got)
	}
}
