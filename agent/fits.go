package agent

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/fsm"
)

// fits says what of a configuration the directors that answer could not do, each thing once. What is just as
// true of the present one is a warning: to refuse would not mend it, and would forbid all other changes.
func (s *session) fits(state *fsm.State, cfg fsm.Config) config.Problems {
	live := s.everyReport(time.Now())
	problems := excused(fitsThem(cfg, live, state.Members), fitsThem(state.Config, live, state.Members))
	return append(problems, deafened(state, cfg, live)...)
}

// excused makes warnings of the errors that were there before.
func excused(problems, before config.Problems) config.Problems {
	known := map[[2]string]bool{}
	for _, p := range before {
		known[[2]string{p.Path, p.Text}] = true
	}
	for i, p := range problems {
		problems[i].Warning = p.Warning || known[[2]string{p.Path, p.Text}]
	}
	return problems
}

func fitsThem(cfg fsm.Config, live map[string]received, members map[string]fsm.Member) config.Problems {
	var all []misfit
	for _, name := range slices.Sorted(maps.Keys(live)) {
		if members[name].Role == fsm.RoleDirector {
			all = append(all, misfits(cfg, live[name].report)...)
		}
	}
	problems := together(all)
	for _, name := range slices.Sorted(maps.Keys(cfg.Routers)) {
		if owner := cfg.Routers[name].AddressOwner; owner != "" && members[owner].Name == "" {
			problems = append(problems, config.Problem{
				Path: fmt.Sprintf("routers[%q].address_owner", name),
				Text: fmt.Sprintf("router %q: address_owner %q is no member of this cluster", name, owner),
				Hint: "`quorate members` lists all members",
			})
		}
	}
	return slices.Concat(problems, owned(cfg, members), strangers(cfg, members))
}

// owned says which virtual addresses are a member's own. That of its cluster port cuts it off as soon as another
// owns the router; of its others it may only be late to tell that it has them no more.
func owned(cfg fsm.Config, members map[string]fsm.Member) config.Problems {
	var problems config.Problems
	for _, router := range slices.Sorted(maps.Keys(cfg.Routers)) {
		r := cfg.Routers[router]
		for _, p := range r.Virtual() {
			for _, name := range slices.Sorted(maps.Keys(members)) {
				m, a := members[name], p.Addr()
				bind := a == m.Address.Addr() || a == m.Gossip.Addr()
				if name == r.AddressOwner || !bind && !slices.Contains(m.Sources, a) {
					continue
				}
				problems = append(problems, config.Problem{
					Path: fmt.Sprintf("routers[%q].addresses", router), Warning: !bind,
					Text: fmt.Sprintf("router %q: %v is %s's own address", router, a, name),
					Hint: fmt.Sprintf("a virtual address is one that no host has of itself; address_owner = %q says that it is meant so", name),
				})
			}
		}
	}
	return problems
}

// strangers warns of directors that a placement names and that are no members: they may join later.
func strangers(cfg fsm.Config, members map[string]fsm.Member) config.Problems {
	var problems config.Problems
	for _, g := range cfg.Groups() {
		names := slices.Concat(g.Placement.Directors, slices.Collect(maps.Keys(g.Placement.Scores)))
		slices.Sort(names)
		for _, name := range slices.Compact(names) {
			if members[name].Role != fsm.RoleDirector {
				problems = append(problems, config.Problem{
					Path: fmt.Sprintf("groups[%q].placement", g.Name), Warning: true,
					Text: fmt.Sprintf("group %q: its placement names %q, which is no director of this cluster", g.Name, name),
					Hint: "`quorate members` lists all members",
				})
			}
		}
	}
	return problems
}

// misfit is one thing that one director could not do.
type misfit struct {
	director string
	what     string // "router "web": " or empty
	lacks    string // "interface "wan""
	config.Problem
}

// together joins what several directors cannot do, with the hint of the first.
func together(all []misfit) config.Problems {
	var out config.Problems
	who, at := map[string][]string{}, map[string]int{}
	for _, m := range all {
		key := m.Path + "\x00" + m.lacks
		if who[key] == nil {
			at[key] = len(out)
			out = append(out, m.Problem)
		}
		who[key] = append(who[key], m.director)
		verb := "has"
		if len(who[key]) > 1 {
			verb = "have"
		}
		out[at[key]].Text = fmt.Sprintf("%s%s %s no %s", m.what, strings.Join(who[key], ", "), verb, m.lacks)
	}
	return out
}

// misfits says what of a configuration one director could not do.
func misfits(cfg fsm.Config, r report) []misfit {
	var all []misfit
	if cfg.Services.Len() > 0 && r.NoIPVS {
		all = append(all, misfit{director: r.Name, lacks: "IPVS in the kernel, and this configuration has services", Problem: config.Problem{
			Hint: "load it there with `modprobe ip_vs`, or boot a kernel that has it",
		}})
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Routers)) {
		if r.NoRefusal != "" && cfg.Routers[name].NoAccept && cfg.Routers[name].AddressOwner != r.Name {
			all = append(all, misfit{
				director: r.Name, what: fmt.Sprintf("router %q: ", name), lacks: "way to refuse packets, which accept = false needs",
				Problem: config.Problem{Path: fmt.Sprintf("routers[%q].accept", name), Hint: r.Name + " says: " + r.NoRefusal},
			})
		}
	}
	if r.Links == nil { // it does not say
		return all
	}
	lacks := func(warning bool, path, what, iface string) {
		kernel, mapped := r.Names[iface]
		if !mapped {
			kernel = iface
		}
		if iface == "" || slices.Contains(r.Links, kernel) {
			return
		}
		all = append(all, misfit{
			director: r.Name, what: what + ": ", lacks: fmt.Sprintf("interface %q", iface),
			Problem: config.Problem{Path: path, Warning: warning, Hint: r.interfaceHint(iface)},
		})
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Routers)) {
		router, path, what := cfg.Routers[name], fmt.Sprintf("routers[%q]", name), fmt.Sprintf("router %q", name)
		lacks(false, path+".interface", what, router.Interface)
		for i, x := range router.Routes {
			lacks(false, fmt.Sprintf("%s.routes[%d].interface", path, i), what+", route "+x.To.String(), x.Interface)
		}
		for i, x := range router.Rules {
			lacks(true, fmt.Sprintf("%s.rules[%d].in", path, i), what+", rule", x.In)
			lacks(true, fmt.Sprintf("%s.rules[%d].out", path, i), what+", rule", x.Out)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Tracks)) { // one that comes later is what it watches for
		lacks(true, fmt.Sprintf("tracks[%q].interface", name), fmt.Sprintf("track %q", name), cfg.Tracks[name].Interface)
	}
	return all
}

// interfaceHint says which interfaces a director has in place of one that it does not, and which was meant. A name
// that the agent file gives is right as it is: then what it stands for is not there.
func (r report) interfaceHint(iface string) string {
	var names []string // that stand for something
	for _, name := range slices.Sorted(maps.Keys(r.Names)) {
		if slices.Contains(r.Links, r.Names[name]) {
			names = append(names, name)
		}
	}
	hint := fmt.Sprintf("%s has %s", r.Name, strings.Join(r.Links, ", "))
	if len(names) > 0 {
		hint += fmt.Sprintf(", and its agent file names %s", strings.Join(names, ", "))
	}
	if kernel, mapped := r.Names[iface]; mapped {
		return fmt.Sprintf("its agent file says %s = %q, and there is no %s; %s", iface, kernel, kernel, hint)
	}
	if near := config.Nearest(iface, append(names, r.Links...)); near != "" {
		hint = fmt.Sprintf("did you mean %q? %s", near, hint)
	}
	return hint
}
