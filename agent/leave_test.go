package agent

import (
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/agent/keeperlink"
	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/cluster"
	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/director/keeper"
	"github.com/quorate/quorate/director/keeper/keepertest"
	"github.com/quorate/quorate/fsm"
)

// withKeeper is an agent in no cluster with a keeper, which has an order of a cluster before.
func withKeeper(t *testing.T) *Agent {
	t.Helper()
	socket := keepertest.Run(t)
	link := keeperlink.New(socket, nil, hclog.NewNullLogger())
	link.Want(keeper.Order{Groups: []keeper.Group{{Name: "gateway", Priority: 200, Routers: []keeper.Router{{
		Name: "wan", VRID: 51, Interface: "wan", Interval: time.Second, Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.100/24")},
	}}}}})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- link.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	soon(t, "the keeper has its order", func() bool { return len(link.Status().Groups) == 1 })
	return &Agent{cfg: Config{File: config.Agent{DataDir: t.TempDir()}}, keeper: link}
}

func TestWhoIsInNoClusterHasNothingToLeave(t *testing.T) {
	t.Parallel()
	var said []string
	say := func(step string) { said = append(said, step) }
	a := withKeeper(t)
	a.setJoining(api.Joining{Address: "192.0.2.1:7400"})
	if err := a.Leave(t.Context(), api.LeaveRequest{}, say); err == nil || !strings.Contains(err.Error(), "it joins one by 192.0.2.1:7400") || len(said) != 0 {
		t.Errorf("while it tries to join: %q, %v", said, err)
	}
	a.joining = nil
	if err := a.Leave(t.Context(), api.LeaveRequest{}, say); err != nil || len(said) != 1 || said[0] != "this agent is in no cluster: nothing to leave" {
		t.Errorf("%q, %v", said, err)
	}
	soon(t, "the keeper has given up what a leave that was cut off left it", func() bool { return a.keeper.Attached() && len(a.keeper.Status().Groups) == 0 })
	a.between = errors.New("a recovery is under way")
	if err := a.Leave(t.Context(), api.LeaveRequest{}, say); !errors.Is(err, a.between) || len(said) != 1 {
		t.Errorf("between two: %q, %v", said, err)
	}
}

func TestWithoutAClusterALeaveNeedsNoKeeper(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := &Agent{cfg: Config{File: config.Agent{DataDir: dir}}, keeper: keeperlink.New(filepath.Join(dir, "k"), nil, hclog.NewNullLogger())}
	var said []string
	err := a.Leave(t.Context(), api.LeaveRequest{}, func(step string) { said = append(said, step) })
	if err != nil || len(said) != 2 || !strings.HasPrefix(said[0], "no keeper answers") || said[1] != "this agent is in no cluster: nothing to leave" {
		t.Errorf("%q, %v", said, err)
	}
}

// A director that follows may be behind: d3 may be a member again, though its own state says that it was removed.
func TestOnlyWhoLeadsSaysThatAMemberWasRemovedAlready(t *testing.T) {
	t.Parallel()
	_, s, _ := ofTwo(t, func(cfg *cluster.Config) { cfg.MaxLevel = MaxLevel })
	soon(t, "a member was removed", func() bool {
		now := time.Now()
		gone := fsm.Member{Name: "d3", ID: "id3", Role: fsm.RoleDirector, Address: netip.MustParseAddrPort("192.0.2.3:7400"), Gossip: netip.MustParseAddrPort("192.0.2.3:7401"), MinLevel: 1, MaxLevel: MaxLevel, Version: "test"}
		return errors.Join(
			s.node.Propose(t.Context(), fsm.AddToken{ID: "t3", Token: fsm.Token{Hash: "aa", Role: fsm.RoleDirector, Expires: now.Add(time.Hour)}}),
			s.node.Propose(t.Context(), fsm.AdmitMember{TokenID: "t3", SecretHash: "aa", Now: now, Member: gone}),
			s.node.Propose(t.Context(), fsm.RemoveMember{Name: "d3"}),
		) == nil
	})
	s.reports.put(report{Name: "d3", Ready: true}, time.Now().Add(time.Minute)) // the last that it said
	if err := s.remove(t.Context(), "d3", false); !errors.Is(err, fsm.ErrAlready) {
		t.Errorf("the leader says %v", err)
	}
	cut, cancel := context.WithCancel(t.Context())
	cancel() // who leads is not asked
	if err := s.remove(cut, "d3", false); err == nil || errors.Is(err, fsm.ErrAlready) {
		t.Errorf("without the leader it says %v", err)
	}
}

// A director that has not applied that d3 is a member again knows it as none, and hears that it is alive.
func TestWhoIsBehindRemovesNobodyWhoIsAlive(t *testing.T) {
	t.Parallel()
	first := nodeConfig(t, "d1", fsm.LevelHistory)
	if err := cluster.Init(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	first.MaxLevel = MaxLevel
	_, leads, _ := inCluster(t, first)
	soon(t, "d1 leads", func() bool { return leads.node.IsLeader() && leads.node.Current() })
	token, err := leads.node.CreateToken(t.Context(), fsm.RoleDirector, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	second := nodeConfig(t, "d2", fsm.LevelHistory)
	if err := cluster.Join(t.Context(), second, first.Bind.String(), token, func(string) {}); err != nil {
		t.Fatal(err)
	}
	_, s, _ := inCluster(t, second)
	soon(t, "d2 votes", func() bool { return s.node.Voter() && s.node.Current() })
	for _, m := range leads.node.State().Members {
		m.MaxLevel = MaxLevel
		if err := leads.node.Propose(t.Context(), fsm.SetMember{Member: m}); err != nil {
			t.Fatal(err)
		}
	}
	if err := leads.node.Propose(t.Context(), fsm.RaiseLevel{Level: MaxLevel, Author: "test"}); err != nil {
		t.Fatal(err)
	}
	soon(t, "d2 applies nothing more", func() bool { return s.node.Halted() != nil })
	now := time.Now()
	again := fsm.Member{Name: "d3", ID: "id3", Role: fsm.RoleDirector, Address: netip.MustParseAddrPort("192.0.2.3:7400"), Gossip: netip.MustParseAddrPort("192.0.2.3:7401"), MinLevel: 1, MaxLevel: MaxLevel, Version: "test"}
	if err := errors.Join(
		leads.node.Propose(t.Context(), fsm.AddToken{ID: "t3", Token: fsm.Token{Hash: "aa", Role: fsm.RoleDirector, Expires: now.Add(time.Hour)}}),
		leads.node.Propose(t.Context(), fsm.AdmitMember{TokenID: "t3", SecretHash: "aa", Now: now, Member: again}),
	); err != nil {
		t.Fatal(err)
	}
	s.reports.put(report{Name: "d3", Ready: true}, now.Add(time.Minute))
	soon(t, "d2 is in the quorum", s.node.Quorum)
	err = s.remove(t.Context(), "d3", false)
	if _, member := leads.node.State().Members["d3"]; err == nil || !member {
		t.Errorf("%v; d3 is a member still: %v", err, member)
	}
}
