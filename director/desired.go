// Package director makes this host what the cluster's state says: the IPVS table, the orders of the
// keeper, the settings of the host.
//
// What is desired is computed by pure functions of the state; executors compare it with what is
// there and change the difference. The package never decides who owns an address or whether a real
// server is up, and it never flushes: what it did not make it leaves alone.
package director

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/quorate/quorate/director/host"
	"github.com/quorate/quorate/director/ipvs"
	"github.com/quorate/quorate/director/keeper"
	"github.com/quorate/quorate/director/mutant"
	"github.com/quorate/quorate/director/ownership"
	"github.com/quorate/quorate/fsm"
)

// Real is a real server as this director's kernel should have it.
type Real struct {
	Address netip.AddrPort
	Weight  uint32
	Forward fsm.Forward
}

// Self is what a director knows of itself.
type Self struct {
	Name       string
	Role       fsm.Role
	Interfaces map[string]string // logical name to the kernel's
	Quorum     bool
	Ready      bool
	Blocked    map[string]string // groups that it must not own, and why
	Apart      bool              // another director and this one have not reached each other lately
	Insists    map[string]bool   // groups that it owns by the log, of which the owner before may not know that
}

// Interface returns the kernel's name of a logical interface. A name that the agent file does not
// map is the kernel's own.
func (s Self) Interface(logical string) string {
	if name, ok := s.Interfaces[logical]; ok {
		return name
	}
	return logical
}

// Table returns the IPVS table for a configuration; pool says which real servers take traffic.
func Table(cfg fsm.Config, pool func(fsm.Service) []Real) ipvs.Table {
	table := make(ipvs.Table, cfg.Services.Len())
	for _, svc := range cfg.Services.All() {
		reals := pool(svc)
		entry := ipvs.Entry{
			Service: ipvs.Service{
				Scheduler: svc.Scheduler,
				Timeout:   uint32(svc.Persistence.Seconds()),
				Netmask:   uint8(svc.PersistenceMask),
			},
			Dests: make(map[netip.AddrPort]ipvs.Dest, len(reals)),
		}
		if mutant.On(mutant.RoundRobin) {
			entry.Scheduler = "rr"
		}
		for _, r := range reals {
			entry.Dests[r.Address] = ipvs.Dest{Weight: r.Weight, Forward: forward(r.Forward)}
		}
		table[Key(svc)] = entry
	}
	return table.Normalize()
}

// Key returns the kernel's name of a service.
func Key(svc fsm.Service) ipvs.Key {
	if svc.Mark != 0 {
		return ipvs.Key{Mark: svc.Mark, IPv6: svc.IPv6}
	}
	protocol := ipvs.TCP
	if svc.Protocol == fsm.UDP {
		protocol = ipvs.UDP
	}
	return ipvs.Key{Protocol: protocol, Address: svc.Address}.Normalize()
}

func forward(f fsm.Forward) ipvs.Forward {
	switch f {
	case fsm.Direct:
		return ipvs.Direct
	case fsm.Tunnel:
		return ipvs.Tunnel
	default:
		return ipvs.NAT
	}
}

// Order returns what the keeper of this director is to do. A witness runs no groups.
func Order(s *fsm.State, self Self) keeper.Order {
	return orderOf(s, self, Quiet(s, self.Name))
}

// orderOf is [Order] where it is known what the keeper holds of services.
func orderOf(s *fsm.State, self Self, quiet []netip.AddrPort) keeper.Order {
	order := keeper.Order{Apart: self.Apart}
	candidates := Candidates(s)
	for _, m := range s.Members {
		if m.Name != self.Name {
			order.Members = append(order.Members, m.Sources...)
		}
	}
	slices.SortFunc(order.Members, netip.Addr.Compare)
	if !slices.Contains(candidates, self.Name) {
		return order
	}
	if !mutant.On(mutant.BreakFirst) {
		order.Quiet = quiet
	}
	for _, g := range groups(s.Config) {
		standing := Standing(s, self, g.Name)
		if owner := s.Groups[g.Name].Owner; mutant.On(mutant.NoStandby) && owner != "" && owner != self.Name {
			continue
		}
		group := keeper.Group{
			Name:     g.Name,
			Epoch:    s.Groups[g.Name].Epoch,
			Priority: ownership.Priority(standing),
			Preempt:  ownership.Preempts(standing),
		}
		group.Blocked, group.Yield = ownership.WithoutQuorum(g.Placement.OnQuorumLoss, self.Quorum)
		if why := self.Blocked[g.Name]; why != "" {
			group.Blocked = why
		}
		for _, r := range g.Routers {
			group.Routers = append(group.Routers, router(r, self, s.Secrets().RouterKeys(r.Name)))
			group.Preempt = group.Preempt && !r.NoPreempt
			group.PreemptDelay = max(group.PreemptDelay, r.PreemptDelay)
			if r.AddressOwner == self.Name && !standing.Draining {
				group.Priority, group.Preempt = ownership.AddressOwner, true
			}
		}
		order.Groups = append(order.Groups, group)
	}
	return order
}

// groups is what moves as one.
func groups(cfg fsm.Config) []fsm.Group {
	if mutant.On(mutant.LoneRouters) {
		cfg.SyncGroups = nil
	}
	return cfg.Groups()
}

// Standing returns this director's place in a group.
func Standing(s *fsm.State, self Self, group string) ownership.Standing {
	g, candidates := s.Groups[group], Candidates(s)
	others := slices.DeleteFunc(slices.Clone(candidates), func(n string) bool { return n == g.Owner })
	return ownership.Standing{
		Quorum:     self.Quorum,
		Ready:      self.Ready,
		Draining:   s.Members[self.Name].Draining,
		Last:       allDrain(s, candidates) && hasPeers(s, group),
		Owner:      g.Owner == self.Name,
		Insists:    self.Insists[group],
		Epoch:      g.Epoch,
		Rank:       ownership.Rank(g.Order, others, self.Name),
		Candidates: max(len(candidates), 1),
	}
}

// allDrain reports whether no director is to own anything.
func allDrain(s *fsm.State, candidates []string) bool {
	return !slices.ContainsFunc(candidates, func(name string) bool { return !s.Members[name].Draining })
}

// hasPeers reports whether foreign routers are known on each segment of a group: it is theirs as a whole, or not at all.
func hasPeers(s *fsm.State, group string) bool {
	gs := groups(s.Config)
	i := slices.IndexFunc(gs, func(g fsm.Group) bool { return g.Name == group })
	return i >= 0 && !slices.ContainsFunc(gs[i].Routers, func(r fsm.Router) bool { return len(r.Peers) == 0 })
}

// Candidates returns the members that may own addresses, by name.
func Candidates(s *fsm.State) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(s.Members)) {
		if s.Members[name].Role == fsm.RoleDirector {
			names = append(names, name)
		}
	}
	return names
}

// Features returns what a configuration needs of this host.
func Features(cfg fsm.Config, self Self) host.Features {
	f := host.Features{IPVS: cfg.Services.Len() > 0, Sync: cfg.Services.Len() > 0}
	schedulers, routers := map[string]bool{}, map[string]bool{}
	for _, svc := range cfg.Services.All() {
		schedulers[svc.Scheduler] = true
		f.IPv6 = f.IPv6 || svc.IPv6 || svc.Address.Addr().Is6()
		servers := svc.Servers
		if svc.Fallback != nil {
			servers = append(slices.Clone(servers), *svc.Fallback)
		}
		for _, r := range servers {
			method := svc.Forward
			if r.Forward != "" {
				method = r.Forward
			}
			f.NAT = f.NAT || method == fsm.NAT
			f.Tunnel = f.Tunnel || method == fsm.Tunnel
		}
	}
	for _, r := range cfg.Routers {
		routers[self.Interface(r.Interface)] = true
	}
	f.Schedulers, f.Routers = slices.Sorted(maps.Keys(schedulers)), slices.Sorted(maps.Keys(routers))
	return f
}

// Daemons returns the IPVS sync daemons that run on a director: both, always, so that whoever owns
// an address has its connections and tells the others of them.
func Daemons(cfg fsm.Config, clusterID, iface string) []ipvs.Daemon {
	if cfg.Services.Len() == 0 || iface == "" {
		return nil
	}
	id := SyncID(clusterID)
	return []ipvs.Daemon{{Master: true, Interface: iface, SyncID: id}, {Interface: iface, SyncID: id}}
}

// SyncID tells the sync messages of one cluster from those of others on the segment: 1 to 255. All versions must say the same.
func SyncID(clusterID string) uint8 { return uint8(ipvs.Share(clusterID, 255)) + 1 }
