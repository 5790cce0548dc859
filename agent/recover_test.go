package agent

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/cluster"
	"github.com/quorate/quorate/director/keeper"
	"github.com/quorate/quorate/fsm"
)

// Of two that recover the same cluster side by side one is left behind, mostly before it leads.
func TestARecoveryThatAnotherLeavesBehindSaysSo(t *testing.T) {
	t.Parallel()
	a, s, _ := ofTwo(t)
	if err := s.node.Remove(t.Context(), "d2", true); err != nil {
		t.Fatal(err)
	}
	soon(t, "it knows that it is removed", func() bool { return s.node.Removed() != nil })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := a.waitLed(ctx, func(string) {}); !errors.Is(err, cluster.ErrRemoved) {
		t.Errorf("it waits for a leader: %v", err)
	}
	if err := a.Init(ctx, func(string) {}); !errors.Is(err, cluster.ErrRemoved) {
		t.Errorf("init: %v", err)
	}
}

func TestWhoseAdvertsArriveIsHeardAsAnOwner(t *testing.T) {
	t.Parallel()
	at := netip.MustParseAddr
	state := &fsm.State{Members: map[string]fsm.Member{"d1": {Name: "d1", Sources: []netip.Addr{at("192.0.2.1")}}, "d2": {Name: "d2", Sources: []netip.Addr{at("192.0.2.2")}}}}
	group := func(name, state, source string, silent bool) keeper.GroupStatus {
		return keeper.GroupStatus{Name: name, State: state, Routers: []keeper.RouterStatus{{Heard: &keeper.Heard{Source: at(source)}, Silent: silent}, {}}}
	}
	groups := []keeper.GroupStatus{
		group("web", "backup", "192.0.2.1", false), group("quiet", "backup", "192.0.2.2", true), group("own", "active", "192.0.2.2", false), group("foreign", "backup", "192.0.2.9", false),
	}
	if diff := cmp.Diff(map[string]string{"d1": "web"}, heardOwners(state, groups)); diff != "" {
		t.Error(diff)
	}
}

func TestAPlanSaysAllThatIsKnownOfWhoIsLost(t *testing.T) {
	t.Parallel()
	got := lostMember(cluster.SurveyMember{Name: "d1", Address: "192.0.2.1:7400", Answers: true, Index: 9, Why: "why", Owns: "web"})
	want := api.LostMember{Name: "d1", Address: "192.0.2.1:7400", Answers: true, AppliedIndex: 9, Why: "why", Owns: "web"}
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
