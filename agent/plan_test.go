package agent

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"slices"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/agent/keeperlink"
	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/cluster"
	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/director"
	"github.com/quorate/quorate/director/host"
	"github.com/quorate/quorate/director/ipvs"
	"github.com/quorate/quorate/fsm"
)

// plans gives a session a director with nothing in its table.
func plans(s *session) {
	s.log = hclog.NewNullLogger()
	s.director = director.New(director.Config{
		Name: s.cfg.Name, State: s.node.State, Log: s.log, Tables: ipvs.New(ipvs.Config{Log: s.log}),
		Host:   host.New(host.Config{ReadOnly: true, Root: os.DevNull}), // a kernel without IPVS
		Quorum: func() bool { return true },
		Pool:   func(*fsm.State, fsm.Service, bool) []director.Real { return nil },
	})
}

// dns is a service that is in no test's configuration.
func dns() fsm.Service {
	return config.WithDefaults(fsm.Config{Services: fsm.MapOf(map[string]fsm.Service{
		"dns": {Name: "dns", Address: netip.MustParseAddrPort("192.0.2.1:53"), Protocol: fsm.TCP, Scheduler: "wlc", Forward: fsm.NAT},
	})}).Services.Of("dns")
}

// TestADirectorOfAnOlderVersionIsNotKnownInAPlan: it is asked nothing that it would take for something else.
func TestADirectorOfAnOlderVersionIsNotKnownInAPlan(t *testing.T) {
	t.Parallel()
	mistaken := make(chan string, 1)
	_, s, _ := ofTwo(t, func(cfg *cluster.Config) {
		old := http.NewServeMux()
		old.HandleFunc("POST "+wholePlanPath, func(w http.ResponseWriter, r *http.Request) {
			select {
			case mistaken <- r.URL.Path:
			default:
			}
			answer(w, kernelPlan{Operations: []string{"delete all"}})
		})
		cfg.Handler = old
	})
	plans(s)
	added := dns()
	plan := api.Plan{Kernel: map[string][]string{}}
	if err := s.planEverywhere(t.Context(), fsm.Delta{Services: map[string]*fsm.Service{"dns": &added}}, &plan); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(plan.Unknown, []string{"d1"}) || len(plan.Kernel) != 1 || !slices.Equal(plan.Kernel["d2"], []string{"add tcp/192.0.2.1:53 (wlc)"}) {
		t.Errorf("not known: %q, planned: %q", plan.Unknown, plan.Kernel)
	}
	select {
	case path := <-mistaken:
		t.Errorf("the older one was asked at %s", path)
	default:
	}
}

// TestADirectorOfAnOlderVersionIsToldWhatAChangeWouldCost: it sends all of the configuration, and all that is new is a service.
func TestADirectorOfAnOlderVersionIsToldWhatAChangeWouldCost(t *testing.T) {
	t.Parallel()
	_, s := alone(t, nodeConfig(t, "d1", fsm.LevelHistory))
	plans(s)
	withWeb(t, s)
	added := dns()
	change := fsm.Delta{Services: map[string]*fsm.Service{"dns": &added}}
	for path, body := range map[string]any{wholePlanPath: change.Apply(s.node.State().Config), planPath: change} {
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		s.peerHandler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, bytes.NewReader(text)))
		var got kernelPlan
		if err := json.NewDecoder(w.Body).Decode(&got); err != nil {
			t.Fatalf("%s: %d: %v", path, w.Code, err)
		}
		if want := []string{"add tcp/192.0.2.1:53 (wlc)"}; !slices.Equal(got.Operations, want) {
			t.Errorf("%s: %q, want %q", path, got.Operations, want)
		}
	}
}

func TestConnectionsAreCountedByWhoHasTheirAddress(t *testing.T) {
	router := func(address string) fsm.Router {
		return fsm.Router{Addresses: []netip.Prefix{netip.MustParsePrefix(address)}}
	}
	cfg := fsm.Config{Routers: map[string]fsm.Router{"a": router("192.0.2.1/24"), "b": router("192.0.2.2/24")}}
	place := placesOf(cfg, []string{"a"})
	for address, want := range map[string]director.Place{"192.0.2.1": director.Here, "192.0.2.2": director.Elsewhere, "192.0.2.3": director.Anywhere} {
		if got := place(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %v, want %v", address, got, want)
		}
	}
}

// TestARiskIsCountedWhereItIsAndByItsReason has the owners of two groups, who both have connections of one service by mark and know of
// the same ones to an address that is nobody's, and a director of an older version, which gives no reason.
func TestARiskIsCountedWhereItIsAndByItsReason(t *testing.T) {
	own := func(n int) director.Risks {
		return director.Risks{Own: map[string]int{"a": n, "none": 0}, Shared: map[string]int{"a": 2, "b": n}}
	}
	ofOwn := []api.Risk{{Connections: 14, Why: "a"}, {Connections: 9, Why: "b"}}
	two := []kernelPlan{newKernelPlan(nil, own(3)), newKernelPlan(nil, own(9)), newKernelPlan(nil, director.Risks{})}
	unsure := kernelPlan{Risks: director.Risks{Own: map[string]int{}}, AtLeast: true}
	for _, tt := range []struct {
		name    string
		plans   []kernelPlan
		unknown []string
		want    []api.Risk
		atLeast bool
	}{
		{"two", two, nil, ofOwn, false},
		{"an older director has fewer", append(slices.Clone(two), kernelPlan{Connections: 12}), nil, ofOwn, false},
		{"an older director has more", append(slices.Clone(two), kernelPlan{Connections: 27}), nil, append(slices.Clone(ofOwn), api.Risk{Connections: 4, Why: unsaid}), false},
		{"one does not answer", two, []string{"d4"}, ofOwn, true},
		{"one does not know", append(slices.Clone(two), unsure), nil, ofOwn, true},
		{"nobody has any, and one does not answer", []kernelPlan{{Risks: director.Risks{Own: map[string]int{}}}}, []string{"d4"}, []api.Risk{}, true},
		{"none can end, and one does not answer", two[2:], []string{"d4"}, []api.Risk{}, false},
	} {
		plan, total := api.Plan{Unknown: tt.unknown}, 0
		for _, r := range tt.want {
			total += r.Connections
		}
		mayEnd(&plan, tt.plans)
		if plan.Connections != total || plan.Risks == nil || !slices.Equal(plan.Risks, tt.want) || plan.AtLeast != tt.atLeast {
			t.Errorf("%s: %d, %v, at least: %v", tt.name, plan.Connections, plan.Risks, plan.AtLeast)
		}
	}
}

// TestWithoutItsKeeperADirectorCannotBeSureOfItsConnections has a director that does not know which addresses it has.
func TestWithoutItsKeeperADirectorCannotBeSureOfItsConnections(t *testing.T) {
	t.Parallel()
	_, s := alone(t, nodeConfig(t, "d1", fsm.LevelHistory))
	plans(s)
	s.keeper = keeperlink.New("", nil, s.log)
	withWeb(t, s)
	router := fsm.Router{Name: "web", Interface: "eth0", VRID: 1, Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24")}}
	if _, err := s.change(t.Context(), s.node.State(), fsm.ChangeConfig{Base: 1, Delta: fsm.Delta{Routers: map[string]*fsm.Router{"web": &router}}}, api.Terms{}); err != nil {
		t.Fatal(err)
	}
	added := dns()
	for what, change := range map[string]fsm.Delta{
		"a router goes":  {Routers: map[string]*fsm.Router{"web": nil}},
		"a service more": {Services: map[string]*fsm.Service{"dns": &added}},
	} {
		plan := api.Plan{Kernel: map[string][]string{}}
		if err := s.planEverywhere(t.Context(), change, &plan); err != nil || plan.AtLeast != (len(change.Routers) > 0) {
			t.Errorf("%s: at least: %v, %v", what, plan.AtLeast, err)
		}
	}
}
