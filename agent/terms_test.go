package agent

import (
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/fsm"
)

// TestATrialEndsByTheLeadersClockAndByItsBound has a change tried where the leader's clock is ten minutes ahead.
func TestATrialEndsByTheLeadersClockAndByItsBound(t *testing.T) {
	const ahead = 10 * time.Minute
	cfg := nodeConfig(t, "d1", fsm.LevelHistory)
	cfg.Now = func() time.Time { return time.Now().Add(ahead) }
	_, s := alone(t, cfg)
	before := time.Now()
	d := fsm.Delta{Services: map[string]*fsm.Service{"web": {Name: "web"}}}
	res, err := s.change(t.Context(), s.node.State(), fsm.ChangeConfig{Delta: d}, api.Terms{Confirm: time.Minute, RevertBelow: 50})
	if err != nil {
		t.Fatal(err)
	}
	trial := s.node.State().Trial
	if trial == nil || trial.Revision != 1 || trial.Below != 50 || !trial.Until.Equal(res.Until) {
		t.Fatalf("on trial %+v, answered %+v", trial, res)
	}
	if first, last := before.Add(ahead+time.Minute), time.Now().Add(ahead+time.Minute); trial.Until.Before(first) || trial.Until.After(last) {
		t.Errorf("until %v, want %v to %v", trial.Until, first, last)
	}
}

func TestAMessageIsKeptWithoutWhatATerminalObeys(t *testing.T) {
	_, s := alone(t, nodeConfig(t, "d1", fsm.LevelHistory))
	d := fsm.Delta{Services: map[string]*fsm.Service{"web": {Name: "web"}}}
	if _, err := s.change(t.Context(), s.node.State(), fsm.ChangeConfig{Delta: d}, api.Terms{Message: "for\x1b[2J the\n sale\x07"}); err != nil {
		t.Fatal(err)
	}
	if got := s.node.State().History[0].Message; got != "for [2J the sale" {
		t.Errorf("%q", got)
	}
}

func TestAConfirmMayComeTwice(t *testing.T) {
	a, s := alone(t, nodeConfig(t, "d1", fsm.LevelHistory))
	d := fsm.Delta{Services: map[string]*fsm.Service{"web": {Name: "web"}}}
	if _, err := s.change(t.Context(), s.node.State(), fsm.ChangeConfig{Delta: d}, api.Terms{Confirm: time.Hour}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if res, err := a.Confirm(t.Context(), api.ConfirmRequest{Revision: 1}); err != nil || res.Revision != 1 || s.node.State().Trial != nil {
			t.Fatalf("%+v, %v", res, err)
		}
	}
	if _, err := a.Confirm(t.Context(), api.ConfirmRequest{}); err == nil || !strings.Contains(err.Error(), "no change waits to be confirmed: the cluster is at revision 1 (revision 1 was confirmed by somebody@d1)") {
		t.Errorf("whatever waits: %v", err)
	}
}
