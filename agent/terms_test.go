package agent

import (
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
