package agent

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/cluster"
	"github.com/quorate/quorate/fsm"
)

func TestAClockIsToldOfOnceAndOnceMoreWhenItIsRight(t *testing.T) {
	t.Parallel()
	ahead := func(d time.Duration) cluster.Clocks {
		return cluster.Clocks{Ahead: map[string]time.Duration{"d5": d}}
	}
	unproved := func(why string) cluster.Clocks { return cluster.Clocks{Unproved: map[string]string{"d5": why}} }
	expired := "x509: certificate has expired or is not yet valid: current time "
	own := cluster.Clocks{Ahead: map[string]time.Duration{"d5": time.Hour, "d6": time.Hour}}
	var o offClocks
	for i, tt := range []struct {
		clocks cluster.Clocks
		want   string // a part of the one news; empty: there is none
	}{
		{cluster.Clocks{}, ""},
		{ahead(time.Hour), "the clocks of d1 and d5 differ by 1h0m0s"},
		{ahead(time.Hour + time.Second), ""},
		{cluster.Clocks{}, ""}, // d5 is down: its clock is as wrong as before
		{ahead(time.Hour), ""},
		{unproved(expired + "10:00 is after 9:00"), "d5 does not answer: x509"},
		{unproved(expired + "10:01 is after 9:00"), ""},
		{cluster.Clocks{}, ""}, // it is refused
		{unproved(expired + "10:02 is after 9:00"), ""},
		{unproved("somebody else answers there"), "d5 does not answer: somebody else"},
		{unproved(expired + "10:03 is after 9:00"), ""},
		{ahead(0), "nothing is wrong with the clock of d5 any more"},
		{unproved("somebody else answers there"), "d5 does not answer: somebody else"},
		{ahead(0), ""}, // that was no clock
		{ahead(time.Hour), "the clocks of d1 and d5 differ by 1h0m0s"},
		{ahead(0), "nothing is wrong with the clock of d5 any more"},
		{own, "the clock of d1"},
		{cluster.Clocks{}, ""},
		{own, ""},
		{ahead(0), "nothing is wrong with the clock of d1 any more"},
		{ahead(0), ""},
	} {
		tt.clocks.Self = "d1"
		got := o.look(tt.clocks, []string{"d5"})
		if len(got) > 1 || (len(got) == 0) != (tt.want == "") || len(got) == 1 && !strings.Contains(got[0].text, tt.want) {
			t.Errorf("%d: %q, want %q", i, got, tt.want)
		}
	}
}

func TestAStatusNamesTheClockThatIsOff(t *testing.T) {
	t.Parallel()
	_, s, _ := ofTwo(t, func(c *cluster.Config) {
		c.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
		})
	})
	if err := s.ask(t.Context(), "d1", http.MethodPost, "/peer/report", nil, nil); err != nil {
		t.Fatal(err)
	}
	st := api.Status{Directors: []api.DirectorStatus{directorStatus(fsm.Member{Name: "d1"}, nil, 0), directorStatus(fsm.Member{Name: "d2"}, nil, 0)}}
	sayClocks(&st, s.node.Clocks())
	if off := st.Directors[0].ClockAhead; off < -3602 || off > -3598 || st.Directors[1].ClockAhead != 0 {
		t.Errorf("%+v", st.Directors)
	}
	s.events = &eventLog{}
	s.tellClocks()
	events := s.events.since(t.Context(), 0, false)
	if !slices.ContainsFunc(events, func(e api.Event) bool {
		return e.Name == "d1" && strings.Contains(e.Text, "the clocks of d2 and d1 differ by")
	}) {
		t.Errorf("%+v", events)
	}
}

func TestWhoIsThereAndCannotBeAskedWasNotStopped(t *testing.T) {
	st := api.Status{Quorum: true, Directors: []api.DirectorStatus{{Name: "d5", State: "unreachable", Unproved: "x509: ...; is a clock wrong?"}}}
	if got := warnings(st, nil, noon); !slices.Equal(got, []string{"d5 does not answer: x509: ...; is a clock wrong?"}) {
		t.Errorf("%q", got)
	}
}
