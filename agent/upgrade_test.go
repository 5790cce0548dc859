package agent

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/agent/levels"
	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/fsm"
)

// upgraded is the only director of a cluster of the first level, whose binary supports the second.
func upgraded(t *testing.T) (*Agent, *session) {
	t.Helper()
	a, s := alone(t, nodeConfig(t, "d1", 1))
	m := s.node.State().Members["d1"]
	m.MaxLevel = MaxLevel
	if err := s.propose(t.Context(), fsm.SetMember{Member: m}); err != nil {
		t.Fatal(err)
	}
	return a, s
}

func TestTheLeaderRaisesTheLevelADayAfterAllSupportIt(t *testing.T) {
	_, s := upgraded(t)
	s.cfg.RaiseLevel = 24 * time.Hour
	begin := time.Now()
	s.raiseLevel(t.Context(), begin)
	if r := s.nextRaise(begin.Add(time.Hour)); r.Level != MaxLevel || r.Never || r.In != 23*time.Hour {
		t.Errorf("after an hour it says %+v", r)
	}
	if s.raiseLevel(t.Context(), begin.Add(24*time.Hour-1)); s.node.State().Level != 1 {
		t.Fatal("it was raised before its time")
	}
	if s.raiseLevel(t.Context(), begin.Add(24*time.Hour)); s.node.State().Level != MaxLevel {
		t.Errorf("it is at %d a day later", s.node.State().Level)
	}
	if r := s.nextRaise(begin.Add(48 * time.Hour)); r.Level != 0 {
		t.Errorf("then it says %+v", r)
	}
}

func TestTheLeaderDoesNotRaiseTheLevelWhereAnAgentFileSaysNever(t *testing.T) {
	_, s := upgraded(t)
	now := time.Now()
	later := now.Add(1000 * time.Hour)
	s.cfg.RaiseLevel = time.Hour
	s.raiseLevel(t.Context(), now)
	s.reports.put(report{Name: "d2", MaxLevel: MaxLevel, RaiseLevel: levels.Never}, later)
	if s.raiseLevel(t.Context(), later); s.node.State().Level != 1 {
		t.Error("it was raised")
	}
	if r := s.nextRaise(later); !r.Never || r.Level != MaxLevel {
		t.Errorf("it says %+v", r)
	}
}

// TestTheLevelIsNotRaisedWhileAMemberIsAway has one that may be on its way back to an older version.
func TestTheLevelIsNotRaisedWhileAMemberIsAway(t *testing.T) {
	_, s := upgraded(t)
	s.cfg.RaiseLevel = time.Hour
	now := time.Now()
	s.raiseLevel(t.Context(), now)
	later := now.Add(2 * time.Hour)
	if err := s.propose(t.Context(), fsm.SetDraining{Name: "d1", Draining: true}); err != nil {
		t.Fatal(err)
	}
	if s.raiseLevel(t.Context(), later); s.node.State().Level != 1 {
		t.Error("it was raised while one was drained")
	}
	awaits := func(want string) {
		t.Helper()
		if r := s.nextRaise(later); strings.Join(r.Awaits, "; ") != want {
			t.Errorf("it says that it waits for %q, want %s", r.Awaits, want)
		}
	}
	awaits("d1 drains")
	if err := s.propose(t.Context(), fsm.SetDraining{Name: "d1"}); err != nil {
		t.Fatal(err)
	}
	s.cfg.Name = "d0" // so that d1 is another, who says nothing
	if s.raiseLevel(t.Context(), later); s.node.State().Level != 1 {
		t.Error("it was raised while one was silent")
	}
	awaits("d1 does not answer")
	s.reports.put(report{Name: "d1", MaxLevel: MaxLevel, Stopped: true}, later)
	if s.raiseLevel(t.Context(), later); s.node.State().Level != 1 {
		t.Error("it was raised while one was stopped")
	}
	s.reports.put(report{Name: "d1", Begun: 1, MaxLevel: MaxLevel}, later)
	awaits("")
	if s.raiseLevel(t.Context(), later); s.node.State().Level != MaxLevel {
		t.Error("it was not raised when all were there")
	}
}

// TestAMemberThatWentBackIsSeenAtOnce has the log know the newer version still.
func TestAMemberThatWentBackIsSeenAtOnce(t *testing.T) {
	a, s := upgraded(t)
	s.cfg.RaiseLevel = time.Hour
	now := time.Now()
	s.raiseLevel(t.Context(), now.Add(-time.Hour))
	s.reports.put(report{Name: "d1", Version: "1.0", MinLevel: 1, MaxLevel: 1}, now.Add(time.Hour))
	s.raiseLevel(t.Context(), now)
	_, err := a.FinishUpgrade(t.Context(), api.UpgradeRequest{})
	if !errors.Is(err, fsm.ErrLevel) || !strings.Contains(err.Error(), "d1 (version 1.0) supports 1; install a newer version there first") {
		t.Errorf("finish: %v", err)
	}
	if s.node.State().Level != 1 {
		t.Error("it was raised")
	}
}

func TestFinishRaisesTheLevelAtOnce(t *testing.T) {
	a, s := upgraded(t)
	for _, was := range []int{1, MaxLevel} {
		res, err := a.FinishUpgrade(t.Context(), api.UpgradeRequest{})
		if err != nil || res.Was != was || res.Level != MaxLevel || s.node.State().Level != MaxLevel {
			t.Errorf("%+v, %v: the cluster is at %d", res, err, s.node.State().Level)
		}
	}
}

// TestAnOlderDirectorDoesNotSayThatTheUpgradeIsDone is asked by mistake, in the middle of an upgrade.
func TestAnOlderDirectorDoesNotSayThatTheUpgradeIsDone(t *testing.T) {
	a, s := upgraded(t)
	if _, err := a.FinishUpgrade(t.Context(), api.UpgradeRequest{}); err != nil {
		t.Fatal(err)
	}
	m := s.node.State().Members["d1"]
	m.MaxLevel, m.Version = MaxLevel+1, "9.0"
	if err := s.propose(t.Context(), fsm.SetMember{Member: m}); err != nil {
		t.Fatal(err)
	}
	_, err := a.FinishUpgrade(t.Context(), api.UpgradeRequest{})
	if want := fmt.Sprintf("d1 (version 9.0) supports %d; run `quorate upgrade finish` there", MaxLevel+1); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
}
