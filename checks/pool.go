package checks

import (
	"net/netip"
	"slices"

	"github.com/quorate/quorate/fsm"
)

// PoolServer is a destination that IPVS shall have.
type PoolServer struct {
	Address    netip.AddrPort
	Weight     uint32
	Forward    fsm.Forward
	Fallback   bool // the service's fallback
	Asymmetric bool // the cluster finds it up, this director alone finds it dead
}

// Weight returns what becomes of one real server on this director: its weight in the kernel, whether
// it is in the table at all, and whether this director alone finds it dead. It is pure.
//
// With quorum the verdict decides, and a server that this director alone finds dead is out too.
// Without quorum this director's own observation decides, and where it has none, the last verdict.
// Out means removed, or for a server with inhibit, in with weight 0. What only the whole pool can
// tell, such as the last server, is [Pool]'s.
func Weight(server fsm.Server, verdict, own fsm.Health, quorum bool) (weight uint32, in, asymmetric bool) {
	asymmetric = quorum && verdict == fsm.Up && own == fsm.Down
	switch {
	case standing(verdict, own, quorum) == fsm.Up:
		return server.Weight, true, false
	default:
		return 0, server.Inhibit, asymmetric
	}
}

// standing is the health that counts on this director.
func standing(verdict, own fsm.Health, quorum bool) fsm.Health {
	switch {
	case quorum && verdict == fsm.Up && own == fsm.Down:
		return fsm.Down
	case quorum, own != fsm.Up && own != fsm.Down:
		return verdict
	default:
		return own
	}
}

// Pool returns the destinations that IPVS shall have for a service, in the order of the
// configuration, the fallback last. It is pure.
//
// On its own word a director never removes the last one: where only this director's observations
// leave no server with weight, those that the last verdict has up stay, since it is more likely that
// this director sees nothing than that all died at once and nobody else saw it. The fallback serves
// while no server is in with weight; with inhibit it is in with weight 0 otherwise.
func Pool(service fsm.Service, verdicts fsm.Verdicts, own map[fsm.ServerKey]Observation, quorum bool) []PoolServer {
	pool := poolOf(service, verdicts, own, quorum, false)
	if !serves(pool) {
		pool = poolOf(service, verdicts, own, quorum, true)
	}
	return withFallback(service, pool)
}

// poolOf returns the real servers that are in. If keep is set, this director's own word removes
// nothing that the verdict has up.
func poolOf(service fsm.Service, verdicts fsm.Verdicts, own map[fsm.ServerKey]Observation, quorum, keep bool) []PoolServer {
	checks := Fingerprint(service.Checks)
	pool := make([]PoolServer, 0, len(service.Servers)+1) // a fallback may follow
	for _, server := range service.Servers {
		key := fsm.ServerKey{Service: service.Name, Server: server.Address}
		agreed, _ := verdicts.Of(key)
		verdict, mine := agreed.Health, own[key].Health
		if !own[key].by(checks) { // made by the checks of another revision
			mine = fsm.Unknown
		}
		if len(service.Checks) == 0 {
			verdict, mine = fsm.Up, fsm.Up
		}
		weight, in, asymmetric := Weight(server, verdict, mine, quorum)
		if keep && verdict == fsm.Up && mine == fsm.Down {
			weight, in = server.Weight, true
		}
		if in {
			pool = append(pool, PoolServer{
				Address: server.Address, Weight: weight, Forward: forward(service, server), Asymmetric: asymmetric,
			})
		}
	}
	return pool
}

func serves(pool []PoolServer) bool {
	return slices.ContainsFunc(pool, func(s PoolServer) bool { return s.Weight > 0 })
}

func withFallback(service fsm.Service, pool []PoolServer) []PoolServer {
	if service.Fallback == nil {
		return pool
	}
	f := PoolServer{
		Address: service.Fallback.Address, Weight: max(service.Fallback.Weight, 1), // a fallback that never serves is none
		Forward: forward(service, *service.Fallback), Fallback: true,
	}
	at := slices.IndexFunc(pool, func(s PoolServer) bool { return s.Address == f.Address })
	switch {
	case serves(pool) && (!service.Fallback.Inhibit || at >= 0):
		return pool
	case serves(pool):
		f.Weight = 0
	case at >= 0: // IPVS knows a destination once: the fallback takes the place of the one at weight 0
		pool = slices.Delete(pool, at, at+1)
	}
	return append(pool, f)
}

func forward(service fsm.Service, server fsm.Server) fsm.Forward {
	if server.Forward != "" {
		return server.Forward
	}
	return service.Forward
}
