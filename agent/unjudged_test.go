package agent

import (
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/checks"
	"github.com/quorate/quorate/fsm"
)

func TestALeaderJudgesAgainWhatHasChangedAndAllOnceASecond(t *testing.T) {
	var u unjudged
	all := map[string]fsm.Service{"web": {}, "mail": {}, "dns": {}}
	now := time.Unix(1000, 0)
	for _, tt := range []struct {
		name  string
		after time.Duration
		news  func()
		want  []string
	}{
		{"at first all", 0, func() {}, []string{"dns", "mail", "web"}},
		{"nothing has changed", 0, func() {}, nil},
		{"one has, and one that is gone", reportEvery / 2, func() { u.add([]string{"web", "gone", "web"}) }, []string{"web"}},
		{"that was looked at", 0, func() {}, nil},
		{"a second has passed", reportEvery / 2, func() { u.add([]string{"web"}) }, []string{"dns", "mail", "web"}},
		{"the next tick, a little early", reportEvery - reportEvery/20, func() {}, []string{"dns", "mail", "web"}},
		{"it is not known which", 0, func() { u.all() }, []string{"dns", "mail", "web"}},
	} {
		tt.news()
		now = now.Add(tt.after)
		if diff := cmp.Diff(tt.want, slices.Sorted(maps.Keys(u.of(now)(all)))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestWhoDoesNotLeadNotesNothing(t *testing.T) {
	leads := true
	u := unjudged{leads: func() bool { return leads }}
	now := time.Unix(1000, 0)
	u.of(now) // all
	u.add([]string{"web"})
	leads = false
	u.add([]string{"mail"})
	if len(u.names) > 0 {
		t.Errorf("a follower notes %v", u.names)
	}
	leads = true
	u.add([]string{"dns"})
	all := map[string]fsm.Service{"web": {}, "mail": {}, "dns": {}}
	if got := slices.Sorted(maps.Keys(u.of(now)(all))); !slices.Equal(got, []string{"dns"}) {
		t.Errorf("a leader looks at %v", got)
	}
	if got := u.of(now.Add(settle))(all); len(got) != len(all) {
		t.Errorf("who begins to lead looks at %v", got)
	}
}

func TestAReportSaysOfWhichServicesItSeesSomethingElse(t *testing.T) {
	key := func(service string) fsm.ServerKey {
		return fsm.ServerKey{Service: service, Server: netip.MustParseAddrPort("10.0.0.1:80")}
	}
	o := checks.Observation{Health: fsm.Up, Since: time.Unix(1, 0), Checks: "c"}
	later, dead, other := o, o, o
	later.Since, dead.Health, other.Checks = time.Unix(2, 0), fsm.Down, "d"
	var told [][]string
	rs := reports{seen: func(services []string) { told = append(told, services) }}
	for i, seen := range []map[fsm.ServerKey]checks.Observation{
		{key("web"): o, key("mail"): o}, {key("web"): later, key("mail"): o}, {key("web"): dead, key("mail"): o}, {key("web"): dead, key("mail"): other}, {key("mail"): other},
	} {
		rs.put(report{Name: "d1", Number: uint32(i + 1), Observations: seen}, time.Unix(int64(i), 0))
	}
	for _, services := range told {
		slices.Sort(services)
	}
	if diff := cmp.Diff([][]string{{"mail", "web"}, nil, {"web"}, {"mail"}, {"web"}}, told); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
