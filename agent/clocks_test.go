package agent

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/cluster"
	"github.com/quorate/quorate/fsm"
)

func TestAClockIsToldOfOnceAndOnceMoreWhenItIsRight(t *testing.T) {
	var o offClocks
	d5, mute := offClock{"d5", false}, offClock{"d5", true}
	off := map[offClock]string{d5: "the clock of d5 is off"}
	for i, tt := range []struct {
		off  map[offClock]string
		want map[string]string
	}{
		{nil, map[string]string{}},
		{off, map[string]string{"d5": "the clock of d5 is off"}},
		{off, map[string]string{}},
		{map[offClock]string{mute: "d5 does not answer"}, map[string]string{"d5": "d5 does not answer"}},
		{map[offClock]string{mute: "d5 does not answer"}, map[string]string{}},
		{nil, map[string]string{}},
		{off, map[string]string{"d5": "the clock of d5 is off"}},
		{nil, map[string]string{"d5": "nothing is wrong with the clock of d5 any more, as far as is known here"}},
		{nil, map[string]string{}},
	} {
		if diff := cmp.Diff(tt.want, o.look(tt.off)); diff != "" {
			t.Errorf("%d (-want +got): %s", i, diff)
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
	s.sayClocks(&st)
	if off := st.Directors[0].ClockAhead; off < -3602 || off > -3598 || st.Directors[1].ClockAhead != 0 {
		t.Errorf("%+v", st.Directors)
	}
	s.events = &eventLog{}
	s.tellClocks()
	events := s.events.since(t.Context(), 0, false)
	if !slices.ContainsFunc(events, func(e api.Event) bool { return e.Name == "d1" && strings.Contains(e.Text, "behind that of d2") }) {
		t.Errorf("%+v", events)
	}
}

func TestWhoIsThereAndCannotBeAskedWasNotStopped(t *testing.T) {
	st := api.Status{Quorum: true, Directors: []api.DirectorStatus{{Name: "d5", State: "unreachable", Unproved: "x509: ...; is a clock wrong?"}}}
	if got := warnings(st, nil, noon); !slices.Equal(got, []string{"d5 does not answer: x509: ...; is a clock wrong?"}) {
		t.Errorf("%q", got)
	}
}
