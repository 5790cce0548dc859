package agent

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/quorate/quorate/checks"
	"github.com/quorate/quorate/fsm"
)

// TestAReportThatSaysTheSameIsNotCompared holds that what a director sees is looked through when its report is another, and
// not each second.
func TestAReportThatSaysTheSameIsNotCompared(t *testing.T) {
	now := time.Now()
	var seen [][]string
	rs := reports{seen: func(services []string) { seen = append(seen, services) }}
	sees := func(begun int64, number uint32, h fsm.Health) {
		key := fsm.ServerKey{Service: "web", Server: netip.MustParseAddrPort("198.51.100.11:80")}
		now = now.Add(reportEvery)
		rs.put(report{Name: "d1", Begun: begun, Number: number, Observations: map[fsm.ServerKey]checks.Observation{key: {Health: h}}}, now)
	}
	for _, step := range []struct {
		why    string
		begun  int64
		number uint32
		health fsm.Health
		told   bool
	}{
		{"the first", 1, 7, fsm.Up, true},
		{"the same", 1, 7, fsm.Up, false},
		{"another", 1, 8, fsm.Down, true},
		{"the same again", 1, 8, fsm.Down, false},
		{"the same number of another session", 2, 8, fsm.Up, true},
		{"one without a number", 2, 0, fsm.Down, false}, // it was overtaken
		{"one of an agent that gives none", 3, 0, fsm.Down, true},
		{"another of that", 3, 0, fsm.Up, true},
	} {
		seen = nil
		sees(step.begun, step.number, step.health)
		if told := len(seen) == 1 && slices.Equal(seen[0], []string{"web"}); told != step.told || len(seen) > 1 {
			t.Errorf("%s: told of %v", step.why, seen)
		}
	}
}
