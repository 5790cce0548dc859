package agent

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/cluster/pki"
	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/director/keeper"
	"github.com/quorate/quorate/director/ownership"
	"github.com/quorate/quorate/director/placement"
	"github.com/quorate/quorate/director/vrrp"
	"github.com/quorate/quorate/fsm"
)

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func TestReportsCountWhileTheyAreFresh(t *testing.T) {
	var rs reports
	rs.put(report{Name: "d1", Ready: true}, noon)
	rs.put(report{Name: "d2"}, noon.Add(2*time.Second))
	rs.put(report{Name: "d2"}, noon.Add(3*time.Second))
	live := rs.live(noon.Add(3600 * time.Millisecond))
	if len(live) != 1 || live["d2"].unreadySince != noon.Add(2*time.Second) {
		t.Errorf("live %+v", live)
	}
	rs.put(report{Name: "d2", Ready: true}, noon.Add(4*time.Second))
	if r := rs.live(noon.Add(4 * time.Second))["d2"]; !r.unreadySince.IsZero() {
		t.Errorf("ready again, unready since %v", r.unreadySince)
	}
}

func TestAnOwnerIsHeardOnEveryRouterThatHearsAnybody(t *testing.T) {
	state := &fsm.State{Members: map[string]fsm.Member{
		"d1": {Name: "d1", Sources: []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("198.51.100.1")}},
		"d2": {Name: "d2", Sources: []netip.Addr{netip.MustParseAddr("198.51.100.2")}},
	}}
	heard := func(source string, member bool) keeper.RouterStatus {
		return keeper.RouterStatus{Heard: &keeper.Heard{Source: netip.MustParseAddr(source), Member: member}}
	}
	silent := heard("198.51.100.1", true)
	silent.Silent = true
	for _, tt := range []struct {
		name, state, want string
		routers           []keeper.RouterStatus
	}{
		{"on both", "backup", "d1", []keeper.RouterStatus{heard("192.0.2.1", true), heard("198.51.100.1", true)}},
		{"on one", "backup", "d1", []keeper.RouterStatus{heard("192.0.2.1", true), {}}},
		{"on one, and not now on the other", "backup", "d1", []keeper.RouterStatus{heard("192.0.2.1", true), silent}},
		{"another on the other", "backup", "", []keeper.RouterStatus{heard("192.0.2.1", true), heard("198.51.100.2", true)}},
		{"a stranger", "backup", "", []keeper.RouterStatus{heard("192.0.2.9", false)}},
		{"by the owner", "active", "", []keeper.RouterStatus{heard("192.0.2.1", true)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := hears(state, keeper.GroupStatus{State: tt.state, Routers: tt.routers}); got != tt.want {
				t.Errorf("hears %q, want %q", got, tt.want)
			}
		})
	}
}

func TestAnOwnerIsHeardWithAClaimOnAnyRouterThatHearsItNow(t *testing.T) {
	heard := func(priority uint8, silent bool) keeper.RouterStatus {
		return keeper.RouterStatus{Heard: &keeper.Heard{Priority: priority}, Silent: silent}
	}
	for _, tt := range []struct {
		name, state string
		routers     []keeper.RouterStatus
		want        bool
	}{
		{"on one", "backup", []keeper.RouterStatus{{}, heard(ownership.ClaimLow, false)}, true},
		{"not now", "backup", []keeper.RouterStatus{heard(ownership.ClaimLow, true)}, false},
		{"without one", "backup", []keeper.RouterStatus{heard(ownership.OwnerHigh, false)}, false},
		{"by the owner", "active", []keeper.RouterStatus{heard(ownership.ClaimLow, false)}, false},
	} {
		if got := claims(keeper.GroupStatus{State: tt.state, Routers: tt.routers}); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func TestAPlacementThatNamesAStrangerIsDoubted(t *testing.T) {
	cfg := fsm.Config{Routers: map[string]fsm.Router{"r": {Name: "r", Placement: fsm.Placement{
		Policy: fsm.Pinned, Directors: []string{"d1", "d9"}, Scores: map[string]int{"d9": 3, "w": 1},
	}}}}
	members := map[string]fsm.Member{"d1": {Role: fsm.RoleDirector}, "w": {Role: fsm.RoleWitness}}
	got := strangers(cfg, members)
	if len(got) != 2 || got.Err() != nil || !strings.Contains(got[0].Text, `"d9"`) || !strings.Contains(got[1].Text, `"w"`) {
		t.Errorf("%v", got)
	}
}

func TestViewsKnowTheDeadTheDrainingAndTheLeaving(t *testing.T) {
	state := &fsm.State{Members: map[string]fsm.Member{
		"d1": {Name: "d1", Role: fsm.RoleDirector}, "d2": {Name: "d2", Role: fsm.RoleDirector, Draining: true},
		"d3": {Name: "d3", Role: fsm.RoleDirector}, "d4": {Name: "d4", Role: fsm.RoleDirector}, "w": {Name: "w", Role: fsm.RoleWitness},
	}}
	live := map[string]received{
		"d1": {report: report{Ready: true, Groups: map[string]groupReport{"g": {State: "active"}}}},
		"d2": {report: report{Ready: true, Claimants: true, Groups: map[string]groupReport{"g": {Hears: "d1", Claimant: "d1"}}}},
		"d3": {report: report{Leaving: true}, unreadySince: noon.Add(-3 * time.Second)},
	}
	want := []placement.View{
		{Name: "d1", Alive: true, Ready: true, Active: true},
		{Name: "d2", Alive: true, Ready: true, Draining: true, Hears: "d1", Claimant: "d1", Tells: true},
		{Name: "d3", Alive: true, Draining: true, Unready: 3 * time.Second},
		{Name: "d4", Gone: "was stopped"},
	}
	stopped := func(name string, _ time.Time) bool { return name == "d4" }
	if diff := cmp.Diff(want, views(state, live, stopped, "g", noon)); diff != "" {
		t.Error(diff)
	}
}

func TestASuccessorIsAliveReadyAndStays(t *testing.T) {
	state := &fsm.State{
		Members: map[string]fsm.Member{
			"d1": {Role: fsm.RoleDirector}, "d2": {Role: fsm.RoleDirector, Draining: true}, "w": {Role: fsm.RoleWitness},
			"d3": {Role: fsm.RoleDirector}, "d4": {Role: fsm.RoleDirector}, "d5": {Role: fsm.RoleDirector},
			"d6": {Role: fsm.RoleDirector}, "d7": {Role: fsm.RoleDirector}, "d8": {Role: fsm.RoleDirector}, "d9": {Role: fsm.RoleDirector},
		},
		Groups: map[string]fsm.Ownership{"g": {Owner: "d1", Order: []string{"d2", "w", "d3", "d4", "d5", "d6", "d7", "d8", "d9", "d1"}}},
	}
	says := func(g groupReport) received {
		return received{report: report{Ready: true, Groups: map[string]groupReport{"g": g}}}
	}
	ready := says(groupReport{State: "backup"})
	live := map[string]received{
		"d1": ready, "d2": ready, "w": ready,
		"d4": {report: report{Reasons: []string{"it is behind", "the keeper does not answer"}}},
		"d5": {report: report{Ready: true, Leaving: true}},
		"d6": says(groupReport{Waiting: true}),
		"d7": says(groupReport{State: "backup", Unfit: "eth1 is down"}),
		"d8": says(groupReport{State: "initialize"}),
		"d9": ready,
	}
	lately := func(name string) bool { return name == "d9" }
	if got := remaining(state, live, []string{"g"}, "d1", lately)[0]; got.to != "d9" || got.why != nil || got.soon {
		t.Errorf("successor %+v", got)
	}
	delete(live, "d9")
	got := remaining(state, live, []string{"g"}, "d1", lately)[0]
	want := []string{
		"d2 is drained", "w is a witness", "d3 is not heard of", "d4 is not ready: it is behind; the keeper does not answer", "d5 leaves",
		"d6 does not know yet whether it meets what the group requires", "d7 cannot own it: eth1 is down", "d8 has not started its router yet",
		"d9 is not heard of",
	}
	if diff := cmp.Diff(want, got.why); diff != "" || got.to != "" || !got.soon {
		t.Errorf("successor %+v, and why not (-want +got):\n%s", got, diff)
	}
	if got := said([]unmoved{{group: "a"}, {group: "g", why: got.why[:2]}}); got != "a, g (d2 is drained; w is a witness)" {
		t.Errorf("said %q", got)
	}
}

func TestEventsAreNumberedAndWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l eventLog
		l.add("d1", 7, "owner", "g", "one")
		es := l.since(t.Context(), 0, false)
		if len(es) != 1 || es[0].Index != 7 {
			t.Fatalf("events %+v", es)
		}
		first := es[0].Sequence
		go func() {
			time.Sleep(time.Second)
			l.add("d1", 8, "owner", "g", "two")
		}()
		start := time.Now()
		es = l.since(t.Context(), first, true)
		if len(es) != 1 || es[0].Text != "two" || es[0].Sequence != first+1 || time.Since(start) != time.Second {
			t.Errorf("events %+v after %v", es, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if es := l.since(ctx, first+1, true); len(es) != 0 {
			t.Errorf("events %+v", es)
		}
	})
}

// A script remembers the number of the last event that it has seen.
func TestWhoGoesOnAfterARestartMissesNoEvent(t *testing.T) {
	for name, away := range map[string]time.Duration{"at once": time.Millisecond, "after a day": 24 * time.Hour, "with a clock that was set back": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var former, l eventLog
				if away < 0 {
					former.next = uint64(time.Now().Add(-away).UnixMicro())
				}
				for range 3 {
					former.add("d1", 0, "k", "", "before")
				}
				time.Sleep(max(away, 0))
				if es := l.since(t.Context(), former.last(), false); len(es) != 0 {
					t.Errorf("events %+v", es)
				}
				for range 5 {
					l.add("d1", 0, "k", "", "after")
				}
				es := l.since(t.Context(), former.last(), false)
				if len(es) != 5 || es[0].Sequence == former.last() {
					t.Fatalf("events %+v", es)
				}
				if again := l.since(t.Context(), es[4].Sequence, false); len(again) != 0 {
					t.Errorf("twice: %+v", again)
				}
			})
		})
	}
}

func TestOldEventsAreForgotten(t *testing.T) {
	var l eventLog
	l.add("d1", 0, "k", "", "t")
	first := l.last()
	for range 3*maxEvents - 1 {
		l.add("d1", 0, "k", "", "t")
	}
	es := l.since(t.Context(), 0, false)
	if len(es) < maxEvents || len(es) > 2*maxEvents || es[len(es)-1].Sequence != first+3*maxEvents-1 {
		t.Errorf("%d events, the last is %d", len(es), es[len(es)-1].Sequence)
	}
}

func TestWarningsNameWhatIsWrong(t *testing.T) {
	st := api.Status{
		AppliedIndex: 9, StateHash: "aa",
		Directors: []api.DirectorStatus{
			{Name: "d1", State: "alive", Ready: true, AppliedIndex: 9, StateHash: "aa"},
			{Name: "d2", State: "unreachable"},
			{Name: "d3", State: "alive", Ready: true, AppliedIndex: 9, StateHash: "bb"},
			{Name: "d4", State: "alive", Reasons: []string{"cold"}},
			{Name: "d5", State: "alive"},
		},
		Groups: []api.GroupStatus{{Name: "g"}},
	}
	got := strings.Join(warnings(st, map[string]received{
		"d3": {report: report{HashIndex: 9, Hash: "bb", Troubles: []string{"audit: no answer"}, Groups: map[string]groupReport{"g": {State: "initialize", Reason: "link down"}}}},
		"d5": {report: report{Halted: "log entry 3 cannot be applied"}},
	}, noon), "\n")
	for _, want := range []string{"d3: audit: no answer", "d3 cannot own g: link down", "no quorum", "d2 does not answer", "d3 has another state", "d4 is not ready: cold", "d5: log entry 3", "nobody owns g"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "d1") {
		t.Errorf("d1 is well:\n%s", got)
	}
}

func TestAKeeperThatDoesNotAnswerIsOneReason(t *testing.T) {
	for _, tt := range []struct {
		attached, stopping bool
		serious, want      []string
	}{
		{true, false, []string{"ipvs: no module"}, []string{"ipvs: no module"}},
		{true, true, nil, []string{"the keeper is stopping"}},
		{false, false, []string{"ipvs: no module", "keeper: the keeper does not answer"}, []string{"the keeper does not answer", "ipvs: no module"}},
		{false, false, []string{"keeper: permission denied"}, []string{"the keeper does not answer", "keeper: permission denied"}},
	} {
		if diff := cmp.Diff(tt.want, keeperTroubles(tt.attached, tt.stopping, tt.serious)); diff != "" {
			t.Errorf("%+v: %s", tt, diff)
		}
	}
}

// A director that is not answered knows not enough to say that nobody serves.
func TestWhoIsCutOffRaisesNoAlarmAboutOwners(t *testing.T) {
	for _, tt := range []struct {
		name      string
		hears     bool
		reaches   bool
		answering int
		want      []string
	}{
		{"a majority answers", true, true, 2, []string{"nobody owns g"}},
		{"it hears the leader, and does not reach it", true, false, 2, []string{"d1 is cut off: the leader is heard, but not reached: nothing can be changed from here", "it is not known here who owns g: too few answer, and nobody is heard"}},
		{"it hears the leader, and no majority answers", true, true, 1, []string{"d1 is cut off: the leader is heard, but no majority of the voters answers it", "it is not known here who owns g: too few answer, and nobody is heard"}},
		{"it hears no leader", false, true, 1, []string{"no quorum: the kernel goes on with what it has, nothing can be changed", "it is not known here who owns g: too few answer, and nobody is heard"}},
	} {
		st := api.Status{Name: "d1", Quorum: tt.hears && tt.reaches, Voters: 3, Answering: tt.answering, Groups: []api.GroupStatus{{Name: "g"}, {Name: "known", Owner: "d2"}}}
		st.CutOff = cutOff(st, tt.hears)
		if diff := cmp.Diff(tt.want, warnings(st, nil, noon)); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

func TestACertificateThatShouldHaveBeenRenewedIsNamed(t *testing.T) {
	year := func(issued time.Time) pki.Certificate {
		return pki.Certificate{Issued: issued, Expires: issued.AddDate(0, 0, 360), CAEnds: noon.AddDate(5, 0, 0)}
	}
	days := func(n int) time.Time { return noon.AddDate(0, 0, -n) }
	failing, last, soon := year(days(250)), year(days(300)), year(days(10))
	failing.Trouble = "clocks differ by 1h0m0s"
	last.CAEnds = last.Expires
	soon.CAEnds = noon.AddDate(0, 11, 0)
	hours, ended := soon, soon
	hours.CAEnds, ended.CAEnds = noon.Add(90*time.Second), noon
	date := func(c pki.Certificate) string { return c.Expires.Format(time.DateOnly) }
	for _, tt := range []struct {
		name string
		c    pki.Certificate
		want string
	}{
		{"a new one", year(days(1)), ""},
		{"one that is due", year(days(239)), ""},
		{"one that is overdue", year(days(241)), "certificate of d1 ends on " + date(year(days(241))) + " and was not renewed"},
		{"one whose renewal fails", failing, "certificate of d1 ends on " + date(failing) + " and was not renewed: clocks differ by 1h0m0s"},
		{"one that has ended", year(days(361)), "certificate of d1 ended on " + date(year(days(361))) + " and was not renewed"},
		{"the last before the CA's end", last, "the cluster's CA ends on " + date(last) + ", and with it all certificates: `quorate key rotate ca` puts another in its place"},
		{"the CA's last year", soon, "the cluster's CA ends on " + soon.CAEnds.Format(time.DateOnly) + ", and with it all certificates: `quorate key rotate ca` puts another in its place"},
		{"the CA's last minutes", hours, "the cluster's CA ends at " + hours.CAEnds.Format(time.RFC3339) + ", and with it all certificates: `quorate key rotate ca` puts another in its place"},
		{"a CA that has ended", ended, "the cluster's CA ended on " + noon.Format(time.RFC3339) + ", and with it all certificates: `quorate key rotate ca` puts another in its place"},
		{"of an older version, which does not tell", pki.Certificate{}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			live := map[string]received{"d1": {report: report{Ready: true, Certificate: tt.c}}}
			d := directorStatus(fsm.Member{Name: "d1"}, live, 0)
			st := api.Status{Name: "d1", Quorum: true, FeatureLevel: fsm.LevelKeys, Directors: []api.DirectorStatus{d}}
			got := warnings(st, live, noon)
			if strings.Join(got, "\n") != tt.want {
				t.Errorf("warnings %q, want %q", got, tt.want)
			}
			if !d.CertificateExpires.Equal(tt.c.Expires) || !d.CertificateIssued.Equal(tt.c.Issued) {
				t.Errorf("status %+v", d)
			}
		})
	}
}

func TestWhatARotationOfAnOldCANeedsIsSaid(t *testing.T) {
	c := pki.Certificate{Issued: noon, Expires: noon.AddDate(0, 11, 0), CAEnds: noon.AddDate(0, 11, 0)}
	for level, want := range map[int]bool{fsm.LevelKeys - 1: true, fsm.LevelKeys: false} {
		if got := oldCA(c, level, noon); strings.Contains(got, "quorate upgrade finish") != want {
			t.Errorf("at level %d: %q", level, got)
		}
	}
}

func TestTransitionsOfTheKeeperAreToldOnceAndAtTheirTime(t *testing.T) {
	s := &session{cfg: config.Agent{Name: "d1"}, events: &eventLog{}}
	at := func(d time.Duration, seq uint64, to string) keeper.Transition {
		return keeper.Transition{Seq: seq, At: noon.Add(d), Group: "g", From: "backup", To: to, Reason: "silence"}
	}
	first := []keeper.Transition{at(0, 1, "active"), at(time.Second, 2, "backup")}
	s.tellTransitions(first)
	s.tellTransitions(first)
	again := &session{cfg: s.cfg, events: s.events} // as after a recovery
	again.tellTransitions(first)
	again.tellTransitions([]keeper.Transition{at(2*time.Second, 1, "active")}) // of a keeper that was started again
	var got []string
	for _, e := range s.events.since(t.Context(), 0, false) {
		got = append(got, e.Time.Format("05 ")+e.Text)
	}
	want := []string{"00 g on d1 is active, was backup: silence", "01 g on d1: silence", "02 g on d1 is active, was backup: silence"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestV84TheStatusHasWhatTheKeeperCounted(t *testing.T) {
	in := keeper.GroupStatus{Name: "g", State: "backup", Routers: []keeper.RouterStatus{
		{
			Name: "outside", VRID: 51, Interface: "eth0", Source: netip.MustParseAddr("192.0.2.1"), Fault: "link wan down", Error: "no such device",
			Heard: &keeper.Heard{Source: netip.MustParseAddr("192.0.2.2"), Priority: 224, Member: true, Interval: time.Second, Age: 500 * time.Millisecond},
			Sent:  1, Received: 2, Contested: 3, Contest: 1500 * time.Millisecond, Restored: 4,
			Drops: map[vrrp.Drop]uint64{vrrp.DropTTL: 5}, Notices: map[vrrp.Notice]uint64{vrrp.NoticeInterval: 6},
		},
		{Name: "inside"},
	}}
	want := []api.RouterStatus{
		{
			Name: "outside", VRID: 51, Interface: "eth0", Source: "192.0.2.1", Fault: "link wan down", Error: "no such device",
			Heard: "192.0.2.2", HeardPriority: 224, HeardMember: true, HeardInterval: 1, HeardAge: 0.5,
			Sent: 1, Received: 2, Contested: 3, Contest: 1.5, Restored: 4, Drops: map[string]uint64{"ttl": 5}, Notices: map[string]uint64{"interval differs": 6},
		},
		{Name: "inside", Drops: map[string]uint64{}, Notices: map[string]uint64{}},
	}
	if diff := cmp.Diff(want, routerStatus(in)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
