package agent

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/cluster"
	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/fsm"
)

// nodeConfig is of a node on loopback, outside the ports that the kernel gives to clients.
func nodeConfig(t *testing.T, name string, level int) cluster.Config {
	t.Helper()
	port := func() netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, byte(1 + rand.N(250)), byte(rand.N(250)), byte(1 + rand.N(250))}), uint16(10000+rand.N(20000)))
	}
	return cluster.Config{
		Name: name, DataDir: t.TempDir(), Bind: port(), Gossip: port(), Heartbeat: 200 * time.Millisecond,
		Version: "test", MinLevel: 1, MaxLevel: level,
	}
}

// inCluster is a session with nothing in it but a node, that runs until the function that is returned too is called.
func inCluster(t *testing.T, cfg cluster.Config) (*Agent, *session, func()) {
	t.Helper()
	node, err := cluster.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		_ = node.Run(ctx) // who is stopped says so
		close(done)
	}()
	stop := func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	s := &session{node: node, cfg: config.Agent{Name: cfg.Name}}
	return &Agent{session: s}, s, stop
}

func soon(t *testing.T, what string, is func() bool) {
	t.Helper()
	for range 600 {
		if is() {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatal(what + ": not in time")
}

// alone is a session of the only director of a cluster.
func alone(t *testing.T, cfg cluster.Config) (*Agent, *session) {
	t.Helper()
	if err := cluster.Init(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	cfg.MaxLevel = MaxLevel // the level is the cluster's, and the binary this one
	a, s, _ := inCluster(t, cfg)
	soon(t, "it leads", func() bool { return s.node.IsLeader() && s.node.Current() })
	return a, s
}

// ofTwo is a session of one of two directors, and what stops the other, which may be given a configuration of its own.
func ofTwo(t *testing.T, with ...func(*cluster.Config)) (*Agent, *session, func()) {
	t.Helper()
	_, s, stop := ofTwoWith(t, with...)
	return &Agent{session: s}, s, stop
}

// ofTwoWith is ofTwo with the session of the other, which leads, in the place of the agent.
func ofTwoWith(t *testing.T, with ...func(*cluster.Config)) (leads, s *session, stop func()) {
	t.Helper()
	first := nodeConfig(t, "d1", fsm.LevelHistory)
	for _, f := range with {
		f(&first)
	}
	if err := cluster.Init(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	_, leads, stop = inCluster(t, first)
	soon(t, "it leads", func() bool { return leads.node.IsLeader() && leads.node.Current() })
	token, err := leads.node.CreateToken(t.Context(), fsm.RoleDirector, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	second := nodeConfig(t, "d2", first.MaxLevel)
	if err := cluster.Join(t.Context(), second, first.Bind.String(), token, func(string) {}); err != nil {
		t.Fatal(err)
	}
	_, s, _ = inCluster(t, second)
	soon(t, "it votes", func() bool { return s.node.Voter() && s.node.Current() })
	return leads, s, stop
}

func withWeb(t *testing.T, s *session) {
	t.Helper()
	web := config.WithDefaults(fsm.Config{Services: fsm.MapOf(map[string]fsm.Service{
		"web": {Name: "web", Address: netip.MustParseAddrPort("192.0.2.1:80"), Protocol: fsm.TCP, Scheduler: "wlc", Forward: fsm.NAT},
	})}).Services.Of("web")
	d := fsm.Delta{Services: map[string]*fsm.Service{"web": &web}}
	if _, err := s.change(t.Context(), s.node.State(), fsm.ChangeConfig{Delta: d}, api.Terms{}); err != nil {
		t.Fatal(err)
	}
}

// TestWhoIsCutOffDoesNotSayThatThereIsNothingToDo asks a director of two that is left alone.
func TestWhoIsCutOffDoesNotSayThatThereIsNothingToDo(t *testing.T) {
	a, s, stop := ofTwo(t)
	withWeb(t, s)
	none := func(res api.ApplyResult, err error) error { return err }
	set := func(name string) api.EditRequest {
		return api.EditRequest{Edits: []config.Edit{{Verb: config.Modify, Kind: config.KindService, In: name, Keys: map[string]string{"scheduler": "wlc"}}}}
	}
	ask := map[string]func() error{
		"an edit of what is so": func() error {
			_, d, err := s.edited(t.Context(), set("web").Edits)
			if !d.Empty() {
				return fmt.Errorf("it changes %+v", d)
			}
			return err
		},
		"a change of nothing": func() error {
			return none(s.change(t.Context(), s.node.State(), fsm.ChangeConfig{Base: s.node.State().Revision}, api.Terms{}))
		},
		"a plan of what is": func() error {
			_, err := s.plan(t.Context(), s.node.State().Config, false)
			return err
		},
		"an edit of what is not there": func() error { return none(a.Edit(t.Context(), set("mail"))) },
		"a plan of such an edit": func() error {
			_, err := a.PlanEdit(t.Context(), set("mail"))
			return err
		},
		"a rollback to what is not there": func() error { return none(a.Rollback(t.Context(), api.RollbackRequest{Revision: 9})) },
		"a revision that is not there": func() error {
			_, err := a.ConfigAt(t.Context(), 9)
			return err
		},
		"a confirm of whatever waits": func() error { return none(a.Confirm(t.Context(), api.ConfirmRequest{})) },
	}
	for what, want := range map[string]string{
		"an edit of what is so": "<nil>", "a change of nothing": "<nil>",
		"an edit of what is not there": "no service mail", "a plan of such an edit": "no service mail",
		"a rollback to what is not there": "revision 9: not found", "a revision that is not there": "revision 9: not found",
		"a confirm of whatever waits": "no change waits to be confirmed",
	} {
		if err := ask[what](); !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%s: %v, want %s", what, err, want)
		}
	}
	stop()
	for what, do := range ask {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			if err := do(); !errors.Is(err, cluster.ErrNoLeader) {
				t.Errorf("%v, want that there is no leader", err)
			}
		})
	}
}

// TestWhoIsBehindDoesNotPlanFromAnOldState hears of a later log entry, and can ask no leader for it.
// What it has is shown all the same: without a quorum there may be nothing else to see.
func TestWhoIsBehindDoesNotPlanFromAnOldState(t *testing.T) {
	a, s, stop := ofTwo(t)
	withWeb(t, s)
	ask := map[string]func() error{
		"show": func() error {
			_, _, err := a.Config(t.Context())
			return err
		},
		"history": func() error {
			_, err := a.History(t.Context())
			return err
		},
	}
	hears := func(index uint64) {
		s.reports.byName = map[string]received{"d1": {report: report{Name: "d1", Index: index}, at: time.Now().Add(time.Hour)}}
	}
	hears(s.node.State().Index + 1)
	for what, do := range ask {
		if err := do(); err != nil {
			t.Errorf("%s of who has caught up: %v", what, err)
		}
	}
	stop()
	hears(s.node.State().Index)
	for what, do := range ask {
		if err := do(); err != nil {
			t.Errorf("%s of who is not behind: %v", what, err)
		}
	}
	hears(s.node.State().Index + 1)
	for what, do := range ask {
		if err := do(); err != nil {
			t.Errorf("%s, where there is nobody to catch up by: %v", what, err)
		}
	}
	if _, err := s.present(t.Context()); !errors.Is(err, cluster.ErrNoLeader) {
		t.Errorf("who is behind has a state of now: %v", err)
	}
	if _, err := s.plan(t.Context(), fsm.Config{}, false); !errors.Is(err, cluster.ErrNoLeader) {
		t.Errorf("plan of who is behind: %v", err)
	}
}
