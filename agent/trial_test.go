package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/user"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/cluster"
	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/fsm"
)

// tried is a state with a change on trial that touched service web, of four servers, and took service old away.
func tried(below int, health ...fsm.Health) *fsm.State {
	web := fsm.Service{Name: "web"}
	verdicts := map[fsm.ServerKey]fsm.Verdict{}
	s := &fsm.State{Level: fsm.LevelHistory, Revision: 8, Config: fsm.Config{}}
	for i, h := range health {
		a := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 80)
		web.Servers = append(web.Servers, fsm.Server{Address: a})
		if h != fsm.Unknown {
			verdicts[fsm.ServerKey{Service: "web", Server: a}] = fsm.Verdict{Health: h}
		}
	}
	other := fsm.Service{Name: "other", Servers: []fsm.Server{{Address: netip.MustParseAddrPort("192.0.2.99:80")}}}
	verdicts[fsm.ServerKey{Service: "other", Server: other.Servers[0].Address}] = fsm.Verdict{Health: fsm.Down}
	s.Verdicts = fsm.VerdictsOf(verdicts)
	s.Config.Services = fsm.MapOf(map[string]fsm.Service{"web": web, "other": other})
	s.History = []fsm.Past{{Revision: 8, Note: fsm.Note{Author: "root@d1"}, Back: fsm.Delta{Services: map[string]*fsm.Service{"web": nil, "old": {}}}}}
	s.Trial = &fsm.Trial{Revision: 8, Until: noon, Below: below}
	return s
}

func TestAChangeOnTrialIsTakenBackWhenItsTimeOrItsServersSaySo(t *testing.T) {
	const up, down, unknown = fsm.Up, fsm.Down, fsm.Unknown
	for _, tt := range []struct {
		name   string
		below  int
		health []fsm.Health
		at     time.Duration // to its end
		want   string
	}{
		{"in time and well", 50, []fsm.Health{up, up, up, down}, -time.Second, ""},
		{"its time is up", 50, []fsm.Health{up, up, up, up}, 0, "it was not confirmed in time"},
		{"at the bound", 50, []fsm.Health{up, up, down, down}, -time.Second, ""},
		{"below the bound", 50, []fsm.Health{up, down, down, down}, -time.Second, "3 of 4 servers that it touched are down, so that fewer than 50% are up"},
		{"nobody said that it matters", 0, []fsm.Health{down, down, down, down}, -time.Second, ""},
		{"of servers that are new nothing is known", 100, []fsm.Health{up, unknown, unknown}, -time.Second, ""},
		{"the first that is known is dead", 50, []fsm.Health{down, unknown, unknown, unknown}, -time.Second, ""},
		{"the rest cannot save it", 50, []fsm.Health{down, down, down, unknown}, -time.Second, "3 of 4 servers that it touched are down, so that fewer than 50% are up"},
		{"nothing is known at all", 100, []fsm.Health{unknown, unknown}, -time.Second, ""},
		{"all of them must be up", 100, []fsm.Health{up, up, up, down}, -time.Second, "1 of 4 servers that it touched are down, so that fewer than 100% are up"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := tried(tt.below, tt.health...)
			if got := whyRevert(s, noon.Add(tt.at)); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
			if s.Trial = nil; whyRevert(s, noon.Add(time.Hour)) != "" {
				t.Error("what was confirmed is taken back")
			}
		})
	}
}

func TestTermsThatCannotBeAreRefusedBeforeAnythingIsApplied(t *testing.T) {
	s := &session{}
	d := fsm.Delta{Services: map[string]*fsm.Service{"web": nil}}
	for _, tt := range []struct {
		terms api.Terms
		want  string
	}{
		{api.Terms{}, ""},
		{api.Terms{Confirm: time.Minute, RevertBelow: 50}, ""},
		{api.Terms{Message: strings.Repeat("x", 501)}, "say it shorter"},
		{api.Terms{RevertBelow: 50}, "add --confirm"},
		{api.Terms{Confirm: time.Millisecond}, "1s to 24h"},
		{api.Terms{Confirm: time.Minute, RevertBelow: 101}, "1% to 100%"},
		{api.Terms{Confirm: time.Minute, RevertBelow: 90}, "1 of the 4 servers that this touches are down already"},
	} {
		err := s.acceptable(tried(0, fsm.Up, fsm.Up, fsm.Up, fsm.Down), d, tt.terms)
		if got := fmt.Sprint(err); tt.want == "" && err != nil || !strings.Contains(got, tt.want) {
			t.Errorf("%+v: %v, want %q", tt.terms, err, tt.want)
		}
	}
}

func TestOnlyWhatAnEditTouchesIsLookedAt(t *testing.T) {
	c := tried(0, fsm.Up).Config
	web := c.Services.Of("web")
	web.Scheduler = "rr"
	d := fsm.Delta{Services: map[string]*fsm.Service{"web": &web}}
	if look := inQuestion(c, d); look.Services.Len() != 1 || look.Services.Of("web").Scheduler != "rr" {
		t.Errorf("%+v", look.Services)
	}
	moved := web
	moved.Mark = 7 // which another service may have
	for _, d := range []fsm.Delta{{Services: map[string]*fsm.Service{"web": &moved}}, {Routers: map[string]*fsm.Router{"r": {}}}} {
		if look := inQuestion(c, d); look.Services.Len() != 2 {
			t.Errorf("%+v", look.Services)
		}
	}
	all := config.Problems{{Path: `services["web"].servers[0]`}, {Path: `services["other"]`}, {Path: `routers["web"]`}, {}}
	if some := about(d, all); len(some) != 1 || some[0] != all[0] {
		t.Errorf("%v", some)
	}
}

func TestAnEditSaysItsMistakesInALine(t *testing.T) {
	p := config.Problem{Path: `services["web"]`, Text: "a is not b", Hint: "c"}
	err := inALine(config.Problems{p, {Warning: true, Text: "d"}, {Text: "e"}})
	if err == nil || err.Error() != "a is not b (c); e" {
		t.Errorf("%v", err)
	}
	if err := inALine(config.Problems{{Warning: true, Text: "d"}}); err != nil {
		t.Errorf("a warning alone: %v", err)
	}
}

func TestTheAuthorIsWhoTheKernelSays(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	s := &session{cfg: config.Agent{Name: "d1"}}
	ctx := withCaller(t.Context(), server)
	if got, want := s.author(ctx, ""), me.Username+"@d1"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	root, eve := context.WithValue(t.Context(), callerKey{}, peer{uid: 0}), context.WithValue(t.Context(), callerKey{}, peer{uid: 4_000_000_000})
	if got := s.author(root, "alice"); got != "alice@d1" {
		t.Errorf("root for alice: %s", got)
	}
	for claimed, want := range map[string]string{
		"alice\nrevision 9 by bob": "alice revision 9 by bob@d1", "\x1b[2Jalice": "[2Jalice@d1", "\n\x1b": "root@d1",
		strings.Repeat("a", 3000): strings.Repeat("a", maxAuthor-len("…")) + "…@d1",
	} {
		if got := s.author(root, claimed); got != want {
			t.Errorf("root for %.20q: %q, want %q", claimed, got, want)
		}
	}
	if got := s.author(eve, "root"); got != "uid 4000000000@d1" {
		t.Errorf("another who says root: %s", got)
	}
	if got := s.author(t.Context(), "root"); got != "somebody@d1" {
		t.Errorf("nobody that the kernel knows: %s", got)
	}
}

func TestOnlyTheRollbackOfATrialEndsIt(t *testing.T) {
	s := &fsm.State{Revision: 8, Trial: &fsm.Trial{Revision: 8}, History: []fsm.Past{{Revision: 8}}}
	if err := endsTrial(s, 7); err != nil {
		t.Errorf("to the revision before: %v", err)
	}
	for _, revision := range []uint64{0, 6, 8} {
		if err := endsTrial(s, revision); !errors.Is(err, fsm.ErrOnTrial) || !strings.Contains(err.Error(), "quorate rollback 7") {
			t.Errorf("to revision %d: %v", revision, err)
		}
	}
	s.Trial = nil
	if err := endsTrial(s, 0); err != nil {
		t.Errorf("without a trial: %v", err)
	}
}

// TestWhatIsThereOnTrialAloneIsRefusedAgain wants what a change that waits to be confirmed has made already.
func TestWhatIsThereOnTrialAloneIsRefusedAgain(t *testing.T) {
	_, s := alone(t, nodeConfig(t, "d1", fsm.LevelHistory))
	r := fsm.Router{Name: "r", VRID: 7}
	tried := fsm.ChangeConfig{Delta: fsm.Delta{Routers: map[string]*fsm.Router{"r": &r}}}
	if _, err := s.change(t.Context(), s.node.State(), tried, api.Terms{Confirm: time.Hour}); err != nil {
		t.Fatal(err)
	}
	same := fsm.ChangeConfig{Base: 1}
	_, err := s.change(t.Context(), s.node.State(), same, api.Terms{})
	if !errors.Is(err, fsm.ErrOnTrial) || !strings.Contains(err.Error(), "quorate confirm") {
		t.Errorf("%v", err)
	}
	if err := s.propose(t.Context(), fsm.ConfirmConfig{Revision: 1}); err != nil {
		t.Fatal(err)
	}
	if res, err := s.change(t.Context(), s.node.State(), same, api.Terms{}); err != nil || res.Revision != 1 {
		t.Errorf("after it was confirmed: %+v, %v", res, err)
	}
}

// onTrialFor puts a router with a VRID on trial, as a new revision, which it returns.
func onTrialFor(t *testing.T, s *session, vrid uint8, wait time.Duration) uint64 {
	t.Helper()
	r := fsm.Router{Name: "r", VRID: vrid}
	d := fsm.Delta{Routers: map[string]*fsm.Router{"r": &r}}
	state := s.node.State()
	res, err := s.change(t.Context(), state, fsm.ChangeConfig{Base: state.Revision, Delta: d}, api.Terms{Confirm: wait})
	if err != nil {
		t.Fatal(err)
	}
	return res.Revision
}

// TestWhoIsBehindConfirmsWhatWaits starts a director again that was away when the change that it knows of was confirmed, and
// another was applied.
func TestWhoIsBehindConfirmsWhatWaits(t *testing.T) {
	t.Parallel()
	_, first, _ := ofTwo(t)
	third := nodeConfig(t, "d3", fsm.LevelHistory)
	token, err := first.node.CreateToken(t.Context(), fsm.RoleDirector, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	leader := first.node.State().Members["d1"].Address
	if err := cluster.Join(t.Context(), third, leader.String(), token, func(string) {}); err != nil {
		t.Fatal(err)
	}
	_, s, stop := inCluster(t, third)
	soon(t, "it votes", func() bool { return s.node.Voter() && s.node.Current() })
	old := onTrialFor(t, first, 7, time.Hour)
	soon(t, "it knows of the change", func() bool { return s.node.State().Trial != nil })
	stop()
	if err := first.propose(t.Context(), fsm.ConfirmConfig{Revision: old, Author: "eve@d1"}); err != nil {
		t.Fatal(err)
	}
	waits := onTrialFor(t, first, 8, time.Hour)

	a, s, _ := inCluster(t, third)
	if trial := s.node.State().Trial; trial == nil || trial.Revision != old {
		t.Fatalf("it is not behind: %+v", trial)
	}
	if res, err := a.Confirm(t.Context(), api.ConfirmRequest{}); err != nil || res.Revision != waits {
		t.Errorf("confirmed revision %d, %v, want %d", res.Revision, err, waits)
	}
	if trial := s.node.State().Trial; trial != nil {
		t.Errorf("revision %d still waits", trial.Revision)
	}
	for _, again := range []uint64{old, waits} {
		if res, err := a.Confirm(t.Context(), api.ConfirmRequest{Revision: again}); err != nil || res.Revision != again {
			t.Errorf("again: confirmed revision %d, %v, want %d", res.Revision, err, again)
		}
	}
}

// TestWhoConfirmsTooLateHearsWhatBecameOfTheChange asks a director whose own clock says that there is time enough.
func TestWhoConfirmsTooLateHearsWhatBecameOfTheChange(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64 // of the leader's clock
	leads, s, _ := ofTwoWith(t, func(cfg *cluster.Config) {
		cfg.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	a := &Agent{session: s}
	first := onTrialFor(t, s, 7, time.Hour)
	ahead.Store(int64(time.Hour - time.Minute))
	if _, err := a.Confirm(t.Context(), api.ConfirmRequest{}); err != nil {
		t.Fatalf("in time: %v", err)
	}
	for i, r := range []api.ConfirmRequest{{}, {Revision: 1}} {
		late := onTrialFor(t, s, 8, time.Hour)
		ahead.Add(int64(time.Hour))
		if r.Revision > 0 {
			r.Revision = late
		}
		if i == 0 {
			if _, err := a.Confirm(t.Context(), r); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("revision %d was to be confirmed by ", late)) {
				t.Errorf("too late, before the leader looks: %v", err)
			}
		}
		looked := time.AfterFunc(overLimit/50, func() { leads.endTrial(t.Context(), time.Now().Add(time.Duration(ahead.Load()))) })
		defer looked.Stop()
		want := fmt.Sprintf("revision %d does not wait to be confirmed: %v: it was taken back by revision %d by d1: takes back revision %d: it was not confirmed in time", late, fsm.ErrStale, late+1, late)
		if _, err := a.Confirm(t.Context(), r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("too late: %v, want %q", err, want)
		}
	}
	if _, err := a.Confirm(t.Context(), api.ConfirmRequest{Revision: first}); err != nil {
		t.Errorf("what was confirmed in time, again: %v", err)
	}
}

func TestWhoDoesNotKnowWhetherAChangeTakesEffectHearsWhatShowsIt(t *testing.T) {
	if err := unsure(fmt.Errorf("%w: the leader is lost", cluster.ErrUncertain)); !errors.Is(err, cluster.ErrUncertain) || !strings.HasSuffix(err.Error(), "; `quorate history` shows it") {
		t.Errorf("%v", err)
	}
	if err := unsure(fsm.ErrStale); !errors.Is(err, fsm.ErrStale) || err.Error() != fsm.ErrStale.Error() {
		t.Errorf("%v", err)
	}
}

// TestWhatIsTakenBackIsTold takes back a router with another key, and one that changed in nothing else.
func TestWhatIsTakenBackIsTold(t *testing.T) {
	_, s := alone(t, nodeConfig(t, "d1", fsm.LevelHistory))
	for i, key := range []string{"s3cret-a", "s3cret-b"} {
		r := fsm.Router{Name: "r", VRID: uint8(7 + i), Auth: &fsm.Auth{Kind: fsm.AuthPassword, Key: key}}
		q := fsm.Router{Name: "q", Auth: &fsm.Auth{Kind: fsm.AuthPassword, Key: key}}
		d := fsm.Delta{Routers: map[string]*fsm.Router{"r": &r, "q": &q}}
		if _, err := s.change(t.Context(), s.node.State(), fsm.ChangeConfig{Base: uint64(i), Delta: d}, api.Terms{Confirm: time.Duration(i) * time.Hour}); err != nil {
			t.Fatal(err)
		}
	}
	const want = "change auth q/password (key (one) -> (other)), change router r (vrid 8 -> 7), change auth r/password (key (one) -> (other))"
	if got := summaryBack(s.node.State()); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
