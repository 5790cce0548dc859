package agent

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/checks"
	"github.com/quorate/quorate/fsm"
)

func TestALeaderJudgesAgainWhatHasChangedAndAllWhenOthersObserve(t *testing.T) {
	var u unjudged
	all := fsm.MapOf(map[string]fsm.Service{"web": {}, "mail": {}, "dns": {}})
	every := []string{"dns", "mail", "web"}
	two, one := []string{"d1", "d2"}, []string{"d1"}
	now := time.Unix(1000, 0)
	for _, tt := range []struct {
		name      string
		after     time.Duration
		news      func()
		observers []string
		want      []string
	}{
		{"at first all", 0, func() {}, two, every},
		{"nothing has changed", 0, func() {}, two, nil},
		{"one has, and one that is gone", reportEvery / 2, func() { u.add([]string{"web", "gone", "web"}) }, two, []string{"web"}},
		{"that was looked at", 0, func() {}, two, nil},
		{"a second has passed", reportEvery, func() { u.add([]string{"web"}) }, two, []string{"web"}},
		{"an observer went silent", reportEvery, func() {}, one, every},
		{"and is so", reportEvery, func() {}, one, nil},
		{"it is back", 0, func() {}, two, every},
		{"it is not known which", 0, func() { u.all() }, two, every},
		{"just before all are due", allEvery - 1, func() {}, two, nil},
		{"all are due", 1, func() {}, two, every},
	} {
		tt.news()
		now = now.Add(tt.after)
		if diff := cmp.Diff(tt.want, u.of(now)(all, tt.observers).Names()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestWhoDoesNotLeadNotesNothing(t *testing.T) {
	leads := true
	u := unjudged{leads: func() bool { return leads }}
	now := time.Unix(1000, 0)
	u.of(now)(fsm.Map[fsm.Service]{}, nil) // all
	u.add([]string{"web"})
	leads = false
	u.add([]string{"mail"})
	if len(u.names) > 0 {
		t.Errorf("a follower notes %v", u.names)
	}
	leads = true
	u.add([]string{"dns"})
	all := fsm.MapOf(map[string]fsm.Service{"web": {}, "mail": {}, "dns": {}})
	if got := u.of(now)(all, nil).Names(); !slices.Equal(got, []string{"dns"}) {
		t.Errorf("a leader looks at %v", got)
	}
}

// TestWhoBeginsToLeadLooksAtAll has it end before it decides: what it would look at first is what counts.
func TestWhoBeginsToLeadLooksAtAll(t *testing.T) {
	var s session
	all := fsm.MapOf(map[string]fsm.Service{"web": {}, "mail": {}})
	now := time.Unix(1000, 0)
	s.unjudged.of(now)(all, nil)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	s.agree(ctx, nil)
	if got := s.unjudged.of(now)(all, nil); got.Len() != all.Len() {
		t.Errorf("it looks at %v", got.Names())
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
