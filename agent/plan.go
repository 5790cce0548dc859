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
	Connections int            `json:"connections"`     // established ones that would end
	Risks       map[string]int `json:"risks,omitempty"` // of those, by why; older versions do not say
}

func newKernelPlan(ops []string, risks map[string]int) kernelPlan {
	k := kernelPlan{Operations: ops, Risks: risks}
	for _, n := range risks {
		k.Connections += n
	}
	return k
}

// unsaid is why connections end of which a director of an older version says no more.
const unsaid = "real servers go, by what directors of an older version say"

// mayEnd returns how many connections a change would end in the whole cluster, most first. Who owns an address tells of its
// connections alone; of those to addresses that no router has, which several directors may know, the most count.
func mayEnd(plans []kernelPlan) (total int, risks []api.Risk) {
	by, most := map[string]int{}, 0
	for _, k := range plans {
		most = max(most, k.Connections)
		for why, n := range k.Risks {
			by[why] = max(by[why], n)
		}
	}
	risks = []api.Risk{} // in JSON too
	for why, n := range by {
		total += n
		risks = append(risks, api.Risk{Connections: n, Why: why})
	}
	if most > total {
		risks = append(risks, api.Risk{Connections: most - total, Why: unsaid})
		total = most
	}
	slices.SortFunc(risks, func(a, b api.Risk) int {
		return cmp.Or(cmp.Compare(b.Connections, a.Connections), cmp.Compare(a.Why, b.Why))
	})
	return total, risks
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
	ops, risks, err := s.director.Plan(ctx, change, s.elsewhere)
	asking.Wait()
	slices.Sort(plan.Unknown)
	if s.cfg.Role != fsm.RoleWitness {
		plan.Kernel[s.cfg.Name] = ops
	}
	plan.Connections, plan.Risks = mayEnd(append(plans, newKernelPlan(ops, risks)))
	return err
}

// elsewhere returns what reports of an address whether it is a router's that this host does not keep: another director has its
// connections, and those of them that are here are copies, which may be old.
func (s *session) elsewhere() func(netip.Addr) bool { return notKept(s.node.State().Config, s.kept()) }

func notKept(cfg fsm.Config, kept []string) func(netip.Addr) bool {
	all, here := map[netip.Addr]bool{}, map[netip.Addr]bool{}
	for _, g := range cfg.Groups() {
		noteAddresses(all, g)
		if slices.Contains(kept, g.Name) {
			noteAddresses(here, g)
		}
	}
	return func(a netip.Addr) bool { return all[a] && !here[a] }
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
	ops, risks, err := s.director.Plan(r.Context(), change, s.elsewhere)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer(w, newKernelPlan(ops, risks))
}
