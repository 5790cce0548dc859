package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/agent/keeperlink"
	"github.com/quorate/quorate/agent/liveness"
	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/director/address"
	"github.com/quorate/quorate/director/keeper"
)

func TestAGroupIsContestedWhenAnotherDirectorOwnsWhatTheKeeperOwns(t *testing.T) {
	for _, tt := range []struct {
		name   string
		own    string // the state of the group here
		other  string // and by the other's report
		age    time.Duration
		silent bool // nothing comes from it now
		keeps  bool // whether it has the addresses all the same
		want   []string
		after  []string // when the keeper has been waited for
	}{
		{"both own it", "active", "active", 0, false, false, []string{"web"}, []string{"web"}},
		{"the other is Backup", "active", "backup", 0, false, false, nil, nil},
		{"the other's keeper was started anew", "active", "backup", 0, false, true, nil, []string{"web"}},
		{"this one is Backup", "backup", "active", 0, false, false, nil, nil},
		{"the report is old", "active", "active", reportLife, false, false, nil, nil},
		{"the other is silent", "active", "active", 0, true, true, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var rs reports
			rs.put(report{Name: "d1", Groups: map[string]groupReport{"web": {State: "active"}}}, noon)
			rs.put(report{Name: "d2", Groups: map[string]groupReport{"web": {State: tt.other, Keeps: tt.keeps}, "mail": {State: "active"}}}, noon.Add(-tt.age))
			var owned []string
			if tt.own == "active" {
				owned = []string{"web"}
			}
			asks := 0
			names := func(says func(report, string) bool) (out []string) {
				for _, g := range contested("d1", []keeper.Group{{Name: "web"}, {Name: "mail"}}, func() []string { asks++; return owned }, rs.live(noon), func(string) bool { return tt.silent }, says) {
					out = append(out, g.Name)
				}
				return out
			}
			if diff := cmp.Diff(tt.want, names(report.active)); diff != "" {
				t.Errorf("contested (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.after, names(report.serves)); diff != "" {
				t.Errorf("contested after the wait (-want +got):\n%s", diff)
			}
			if says := tt.age < reportLife && !tt.silent; (asks > 0) != says || asks > 2 { // of mail, at least
				t.Errorf("what is owned is asked %d times in two looks, and another says something: %v", asks, says)
			}
		})
	}
}

// keeperThatSays serves the socket of a keeper, whose status has the group web in a state.
func keeperThatSays(t *testing.T, state *atomic.Value) (socket string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "k")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		for in := json.NewDecoder(conn); ; {
			var request struct{ ID uint64 }
			if in.Decode(&request) != nil {
				return
			}
			fmt.Fprintf(conn, `{"id":%d,"status":{"groups":[{"name":"web","state":%q}]}}`+"\n", request.ID, state.Load())
		}
	}()
	return socket
}

// It says that it has none when it asks its kernel to remove them: one that is frozen before that is done is fenced, too. To the
// others this director has none.
func TestAGroupThatTheKeeperHasJustGivenUpIsContestedAsWell(t *testing.T) {
	var state atomic.Value
	state.Store("active")
	now := time.Now()
	s := &session{cfg: config.Agent{Name: "d1", Liveness: config.DefaultLiveness}, keeper: keeperlink.New(keeperThatSays(t, &state), nil, hclog.NewNullLogger())}
	s.alive.tracker = liveness.NewTracker(now, config.DefaultLiveness, func() time.Duration { return 0 })
	s.reports.put(report{Name: "d2", Groups: map[string]groupReport{"web": {State: "active"}, "mail": {State: "active"}}}, now)
	routers := []keeper.Router{{Interval: time.Minute}}
	s.keeper.Want(keeper.Order{Groups: []keeper.Group{{Name: "web", Routers: routers}, {Name: "mail", Routers: routers}}})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.keeper.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	for !s.keeper.Attached() {
		time.Sleep(time.Millisecond)
	}
	for _, now := range []string{"active", "initialize"} {
		state.Store(now)
		if !s.keeper.Answers(t.Context(), time.Minute) || s.keeper.Active("web") != (now == "active") {
			t.Fatalf("the keeper does not say that it is %s: %+v", now, s.keeper.Status())
		}
		if got := s.contested(report.active); len(got) != 1 || got[0].Name != "web" {
			t.Errorf("it is %s; contested are %v", now, got)
		}
		if got := s.kept(); (len(got) == 1) != (now == "active") {
			t.Errorf("it is %s; the others are told that it keeps %v", now, got)
		}
	}
}

// Its addresses stay while it has no keeper, and the next one goes on with them: it still serves what it owned before.
func TestAnOwnerWhoseKeeperIsGoneServesAsLongAsItsKernelHasTheAddresses(t *testing.T) {
	for _, tt := range []struct {
		state string // of the group, as the keeper says; none where there is no keeper
		kept  []string
		want  bool
	}{
		{"", []string{"web"}, true},
		{"", nil, false},
		{"backup", []string{"web"}, true},
		{"backup", nil, false},
		{"active", []string{"web"}, true},
		{"initialize", []string{"web"}, true}, // they could not be removed, and the kernel answers for them
		{"initialize", nil, false},
	} {
		r := report{Name: "d2", Groups: map[string]groupReport{}}
		if tt.state != "" {
			r.Groups["web"] = groupReport{State: tt.state}
		}
		r = r.keeping(tt.kept)
		if got, owns := r.serves("web"), r.active("web"); got != tt.want || owns != (tt.state == "active") || owns && r.Groups["web"].Keeps {
			t.Errorf("state %q, with the addresses of %v: %+v", tt.state, tt.kept, r.Groups["web"])
		}
	}
}

// One group is contested, and another has just moved here: who owned that is about to let its addresses go, and has them.
func TestAGroupThatWasNotContestedBeforeTheWaitIsNotFenced(t *testing.T) {
	var rs reports
	rs.put(report{Name: "d2", Groups: map[string]groupReport{"web": {State: "active"}, "mail": {State: "backup", Keeps: true}}}, noon)
	look := func(says func(report, string) bool) []keeper.Group {
		return contested("d1", []keeper.Group{{Name: "web"}, {Name: "mail"}}, func() []string { return []string{"web", "mail"} }, rs.live(noon), func(string) bool { return false }, says)
	}
	first, second := look(report.active), look(report.serves)
	if len(first) != 1 || len(second) != 2 {
		t.Fatalf("contested are %v, and after the wait %v", first, second)
	}
	if got := still(first, second); len(got) != 1 || got[0].Name != "web" {
		t.Errorf("fenced are %v", got)
	}
}

func TestAKeeperKeepsTheGroupsOfWhichTheKernelHasAddressesWithALifetime(t *testing.T) {
	wan, lan := netip.MustParsePrefix("192.0.2.1/24"), netip.MustParsePrefix("198.51.100.1/24")
	groups := []keeper.Group{
		{Name: "web", Routers: []keeper.Router{{Interface: "eth0", Addresses: []netip.Prefix{wan}}}},
		{Name: "pair", Routers: []keeper.Router{{Interface: "eth1", Addresses: []netip.Prefix{wan}}, {Interface: "eth1", Excluded: []netip.Prefix{lan}}}},
	}
	for _, tt := range []struct {
		name    string
		present map[address.Address]time.Duration
		want    []string
	}{
		{"no address", nil, nil},
		{"of one", map[address.Address]time.Duration{{Interface: "eth0", Prefix: wan}: time.Second}, []string{"web"}},
		{"one of many", map[address.Address]time.Duration{{Interface: "eth1", Prefix: lan}: 1}, []string{"pair"}},
		{"on another interface", map[address.Address]time.Duration{{Interface: "eth2", Prefix: wan}: time.Second}, nil},
		{"somebody else's, for ever", map[address.Address]time.Duration{{Interface: "eth0", Prefix: wan}: 0}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, kept(groups, tt.present)); diff != "" {
				t.Errorf("kept (-want +got):\n%s", diff)
			}
		})
	}
}

// systemctl puts a program of that name first on the path.
func systemctl(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "systemctl"), []byte("#!/bin/sh\ncd "+dir+"\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

func TestAJobForTheKeeperMayComeAMomentAfterTheStopOfControl(t *testing.T) {
	for _, tt := range []struct {
		name, script string
		want         bool
	}{
		{"at once", "echo 17", true},
		{"by the third look", "echo >>asked; [ $(wc -l <asked) -lt 3 ] && echo || echo 17", true},
		{"never", "echo", false},
		{"never, as an older systemctl says it", "echo 0", false},
		{"systemctl fails", "echo 17; exit 1", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			systemctl(t, tt.script)
			if got := unitStops(keeperUnit); got != tt.want {
				t.Errorf("unitStops = %v, want %v", got, tt.want)
			}
		})
	}
}
