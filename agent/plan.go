package agent

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/director"
	"github.com/quorate/quorate/fsm"
)

// planLimit is how long a plan waits for what other directors say.
const planLimit = 3 * time.Second

// The paths at which a director is asked what a change would do to its kernel. Older versions ask with the whole configuration, at
// the second path, and are answered there. They do not know the first one, so that a newer version names them among those
// whose plan is not known. With one path for both, either version would take the other's body for its own.
const (
	planPath      = "/peer/plan-change"
	wholePlanPath = "/peer/plan"
)

// kernelPlan is what a configuration would cost one director's kernel.
type kernelPlan struct {
	Operations  []string       `json:"operations"`
	Connections int            `json:"connections"`        // established ones that would end
	Risks       director.Risks `json:"risks"`              // of those, by why; older versions do not say
	AtLeast     bool           `json:"at_least,omitempty"` // it may have more
}

// kernelPlan returns what a change would cost this director's kernel. What addresses it has is not known for sure without its keeper.
func (s *session) kernelPlan(ctx context.Context, change fsm.Delta) (kernelPlan, error) {
	ops, risks, err := s.director.Plan(ctx, change, s.places)
	k := newKernelPlan(ops, risks)
	k.AtLeast = risks.Own != nil && s.cfg.Role != fsm.RoleWitness && !s.keeper.Attached()
	return k, err
}

func newKernelPlan(ops []string, risks director.Risks) kernelPlan {
	k := kernelPlan{Operations: ops, Risks: risks}
	for _, by := range []map[string]int{risks.Own, risks.Shared} {
		for _, n := range by {
			k.Connections += n
		}
	}
	return k
}

// unsaid is why connections end of which a director of an older version says no more.
const unsaid = "real servers go, by what directors of an older version say"

// mayEnd puts into a plan how many connections a change would end in the whole cluster, most first. Each director has those to its
// own addresses alone. Of those to addresses that no router has, which several directors may know, the most count. Where not all
// directors could say, there may be more.
func mayEnd(plan *api.Plan, plans []kernelPlan) {
	own, shared, most, some := map[string]int{}, map[string]int{}, 0, false
	for _, k := range plans {
		most = max(most, k.Connections)
		some = some || k.Risks.Own != nil
		plan.AtLeast = plan.AtLeast || k.AtLeast
		for why, n := range k.Risks.Own {
			own[why] += n
		}
		for why, n := range k.Risks.Shared {
			shared[why] = max(shared[why], n)
		}
	}
	plan.AtLeast = plan.AtLeast || some && len(plan.Unknown) > 0
	for why, n := range shared {
		own[why] += n
	}
	plan.Risks = []api.Risk{} // in JSON too
	for why, n := range own {
		if n > 0 {
			plan.Connections += n
			plan.Risks = append(plan.Risks, api.Risk{Connections: n, Why: why})
		}
	}
	if more := most - plan.Connections; more > 0 {
		plan.Connections = most
		plan.Risks = append(plan.Risks, api.Risk{Connections: more, Why: unsaid})
	}
	slices.SortFunc(plan.Risks, func(a, b api.Risk) int {
		return cmp.Or(cmp.Compare(b.Connections, a.Connections), cmp.Compare(a.Why, b.Why))
	})
}

// planEverywhere asks every director what a change would do to its kernel, all at once. A director
// that does not answer is named in the plan, and is no error: its kernel follows when it is back.
func (s *session) planEverywhere(ctx context.Context, change fsm.Delta, plan *api.Plan) error {
	body, err := json.Marshal(change)
	if err != nil {
		return fmt.Errorf("encode the change: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, planLimit)
	defer cancel()
	var asking sync.WaitGroup
	var mu sync.Mutex // guards plan and plans
	var plans []kernelPlan
	for name, m := range s.node.State().Members {
		if m.Role == fsm.RoleWitness || name == s.cfg.Name {
			continue
		}
		if s.reports.lost(name, time.Now()) { // it is silent already: do not wait for it
			mu.Lock()
			plan.Unknown = append(plan.Unknown, name)
			mu.Unlock()
			continue
		}
		asking.Go(func() {
			var k kernelPlan
			err := s.ask(ctx, name, http.MethodPost, planPath, body, &k)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				s.log.Debug("plan not known", "of", name, "err", err)
				plan.Unknown = append(plan.Unknown, name)
				return
			}
			plan.Kernel[name] = k.Operations
			plans = append(plans, k)
		})
	}
	k, err := s.kernelPlan(ctx, change)
	asking.Wait()
	slices.Sort(plan.Unknown)
	if s.cfg.Role != fsm.RoleWitness {
		plan.Kernel[s.cfg.Name] = k.Operations
	}
	mayEnd(plan, append(plans, k))
	return err
}

// places returns what says where an address is.
func (s *session) places() func(netip.Addr) director.Place {
	return placesOf(s.node.State().Config, s.kept())
}

func placesOf(cfg fsm.Config, kept []string) func(netip.Addr) director.Place {
	all, here := map[netip.Addr]bool{}, map[netip.Addr]bool{}
	for _, g := range cfg.Groups() {
		noteAddresses(all, g)
		if slices.Contains(kept, g.Name) {
			noteAddresses(here, g)
		}
	}
	return func(a netip.Addr) director.Place {
		switch {
		case here[a]:
			return director.Here
		case all[a]:
			return director.Elsewhere
		}
		return director.Anywhere
	}
}

func (s *session) servePlan(w http.ResponseWriter, r *http.Request) {
	var change fsm.Delta
	if !read(w, r, largeBody, &change) {
		return
	}
	s.answerPlan(w, r, change)
}

// serveWholePlan answers a director of an older version.
func (s *session) serveWholePlan(w http.ResponseWriter, r *http.Request) {
	var whole fsm.Config
	if read(w, r, largeBody, &whole) {
		s.answerPlan(w, r, config.Delta(s.node.State().Config, config.WithDefaults(whole)))
	}
}

func (s *session) answerPlan(w http.ResponseWriter, r *http.Request, change fsm.Delta) {
	k, err := s.kernelPlan(r.Context(), change)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer(w, k)
}
