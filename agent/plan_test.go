package agent

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/cluster"
	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/director"
	"github.com/quorate/quorate/director/ipvs"
	"github.com/quorate/quorate/fsm"
)

// plans gives a session a director with nothing in its table.
func plans(s *session) {
	s.log = hclog.NewNullLogger()
	s.director = director.New(director.Config{
		Name: s.cfg.Name, State: s.node.State, Log: s.log, Tables: ipvs.New(ipvs.Config{Log: s.log}),
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
	away := notKept(cfg, []string{"a"})
	for address, want := range map[string]bool{"192.0.2.1": false, "192.0.2.2": true, "192.0.2.3": false} {
		if got := away(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %v, want %v", address, got, want)
		}
	}
}

// TestARiskIsCountedWhereMostAreAndByItsReason has two directors that know of the same connections, and
// one of an older version, which gives no reason.
func TestARiskIsCountedWhereMostAreAndByItsReason(t *testing.T) {
	plans := []kernelPlan{
		newKernelPlan(nil, map[string]int{"a": 3, "b": 7}),
		newKernelPlan(nil, map[string]int{"a": 9}),
		{Connections: 12},
		newKernelPlan(nil, nil),
	}
	want := []api.Risk{{Connections: 9, Why: "a"}, {Connections: 7, Why: "b"}}
	if total, risks := mayEnd(plans); total != 16 || !slices.Equal(risks, want) {
		t.Errorf("%d, %v", total, risks)
	}
	plans[2].Connections = 20
	want = append(want, api.Risk{Connections: 4, Why: unsaid})
	if total, risks := mayEnd(plans); total != 20 || !slices.Equal(risks, want) {
		t.Errorf("an older director has more: %d, %v", total, risks)
	}
	if total, risks := mayEnd(plans[3:]); total != 0 || risks == nil || len(risks) > 0 {
		t.Errorf("nothing: %d, %v", total, risks)
	}
}
