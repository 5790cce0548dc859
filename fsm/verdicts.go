package fsm

import (
	"encoding/json"
	"iter"
	"maps"
	"net/netip"
	"slices"
)

// Verdicts is what the cluster agreed about real servers, by service and by the server's address. A change copies
// the servers of one service and no others. Its text is that of a map by [ServerKey].
type Verdicts map[string]servers

// servers are those of one service, sorted by address: to copy a list costs a tenth of what it costs to copy a map. What it
// points to is shared by many states, and never changes.
type servers []*judged

// judged is a server and what was agreed about it.
type judged struct {
	Server  netip.AddrPort
	Verdict Verdict
}

func (l servers) find(server netip.AddrPort) (int, bool) {
	return slices.BinarySearchFunc(l, server, func(j *judged, a netip.AddrPort) int { return j.Server.Compare(a) })
}

// VerdictsOf returns the verdicts in a map by server. Those of one service are in one memory, in their order, for who goes
// through all.
func VerdictsOf(by map[ServerKey]Verdict) Verdicts {
	of := map[string][]judged{}
	for k, verdict := range by {
		of[k.Service] = append(of[k.Service], judged{k.Server, verdict})
	}
	v := make(Verdicts, len(of))
	for service, all := range of {
		slices.SortFunc(all, func(a, b judged) int { return a.Server.Compare(b.Server) })
		l := make(servers, len(all))
		for i := range all {
			l[i] = &all[i]
		}
		v[service] = l
	}
	return v
}

// Of returns what was agreed about a server, if anything was.
func (v Verdicts) Of(k ServerKey) (Verdict, bool) {
	l := v[k.Service]
	i, ok := l.find(k.Server)
	if !ok {
		return Verdict{}, false
	}
	return l[i].Verdict, true
}

// All goes through all verdicts, in no order.
func (v Verdicts) All() iter.Seq2[ServerKey, Verdict] {
	return func(yield func(ServerKey, Verdict) bool) {
		for service, l := range v {
			for _, j := range l {
				if !yield(ServerKey{service, j.Server}, j.Verdict) {
					return
				}
			}
		}
	}
}

// with returns the verdicts with others in the place of some, in a copy.
func (v Verdicts) with(keys []ServerKey, by map[ServerKey]Verdict) Verdicts {
	return v.edited(slices.Values(keys), func(l servers, k ServerKey) servers {
		i, known := l.find(k.Server)
		is := &judged{k.Server, by[k]}
		if !known {
			return slices.Insert(l, i, is)
		}
		l[i] = is
		return l
	})
}

// without returns a copy that does not have some of the verdicts.
func (v Verdicts) without(keys iter.Seq[ServerKey]) Verdicts {
	return v.edited(keys, func(l servers, k ServerKey) servers {
		if i, known := l.find(k.Server); known {
			return slices.Delete(l, i, i+1)
		}
		return l
	})
}

// edited has a copy of each service's verdicts edited of which there is a key.
func (v Verdicts) edited(keys iter.Seq[ServerKey], edit func(servers, ServerKey) servers) Verdicts {
	next, mine := maps.Clone(v), map[string]bool{}
	if next == nil {
		next = Verdicts{}
	}
	for k := range keys {
		if !mine[k.Service] {
			mine[k.Service] = true
			next[k.Service] = slices.Clone(next[k.Service])
		}
		next[k.Service] = edit(next[k.Service], k)
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
