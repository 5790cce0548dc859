package fsm

import (
	"encoding/json"
	"iter"
	"maps"
	"net/netip"
)

// Verdicts is what the cluster agreed about real servers, by service and by the server's address. A change copies
// the servers of one service and no others. Its text is that of a map by [ServerKey].
type Verdicts map[string]map[netip.AddrPort]Verdict

// VerdictsOf returns the verdicts in a map by server.
func VerdictsOf(by map[ServerKey]Verdict) Verdicts {
	v := Verdicts{}
	for k, verdict := range by {
		if v[k.Service] == nil {
			v[k.Service] = map[netip.AddrPort]Verdict{}
		}
		v[k.Service][k.Server] = verdict
	}
	return v
}

// Of returns what was agreed about a server, if anything was.
func (v Verdicts) Of(k ServerKey) (Verdict, bool) {
	verdict, ok := v[k.Service][k.Server]
	return verdict, ok
}

// All goes through all verdicts, in no order.
func (v Verdicts) All() iter.Seq2[ServerKey, Verdict] {
	return func(yield func(ServerKey, Verdict) bool) {
		for service, servers := range v {
			for server, verdict := range servers {
				if !yield(ServerKey{service, server}, verdict) {
					return
				}
			}
		}
	}
}

// with returns the verdicts with others in the place of some, in a copy.
func (v Verdicts) with(by map[ServerKey]Verdict) Verdicts {
	return v.edited(maps.Keys(by), func(servers map[netip.AddrPort]Verdict, k ServerKey) { servers[k.Server] = by[k] })
}

// without returns a copy that does not have some of the verdicts.
func (v Verdicts) without(keys iter.Seq[ServerKey]) Verdicts {
	return v.edited(keys, func(servers map[netip.AddrPort]Verdict, k ServerKey) { delete(servers, k.Server) })
}

// edited has a copy of each service's verdicts edited of which there is a key.
func (v Verdicts) edited(keys iter.Seq[ServerKey], edit func(map[netip.AddrPort]Verdict, ServerKey)) Verdicts {
	next, mine := maps.Clone(v), map[string]bool{}
	if next == nil {
		next = Verdicts{}
	}
	for k := range keys {
		if !mine[k.Service] {
			mine[k.Service] = true
			if next[k.Service] = maps.Clone(next[k.Service]); next[k.Service] == nil {
				next[k.Service] = map[netip.AddrPort]Verdict{}
			}
		}
		edit(next[k.Service], k)
	}
	for service := range mine {
		if len(next[service]) == 0 {
			delete(next, service)
		}
	}
	return next
}

// MarshalJSON implements [json.Marshaler].
func (v Verdicts) MarshalJSON() ([]byte, error) { return json.Marshal(maps.Collect(v.All())) }

// UnmarshalJSON implements [json.Unmarshaler].
func (v *Verdicts) UnmarshalJSON(text []byte) error {
	var by map[ServerKey]Verdict
	if err := strict(text, &by); err != nil {
		return err
	}
	*v = VerdictsOf(by)
	return nil
}
