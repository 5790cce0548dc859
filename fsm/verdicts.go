package fsm

import (
	"iter"
	"net/netip"
	"slices"
	"strings"
)

// Verdicts is what the cluster agreed about real servers, by service and by the server's address. A change copies
// the servers of one service and no others. Its text is that of a map by [ServerKey].
type Verdicts struct{ services Map[servers] }

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
	services := make(map[string]servers, len(of))
	for service, all := range of {
		slices.SortFunc(all, func(a, b judged) int { return a.Server.Compare(b.Server) })
		l := make(servers, len(all))
		for i := range all {
			l[i] = &all[i]
		}
		services[service] = l
	}
	return Verdicts{MapOf(services)}
}

// Of returns what was agreed about a server, if anything was.
func (v Verdicts) Of(k ServerKey) (Verdict, bool) {
	l := v.services.Of(k.Service)
	i, ok := l.find(k.Server)
	if !ok {
		return Verdict{}, false
	}
	return l[i].Verdict, true
}

// IsZero reports whether nothing was agreed yet.
func (v Verdicts) IsZero() bool { return v.services.IsZero() }

// All goes through all verdicts, in the order of services and then of their servers' addresses.
func (v Verdicts) All() iter.Seq2[ServerKey, Verdict] {
	return func(yield func(ServerKey, Verdict) bool) {
		for service, l := range v.services.All() {
			for _, j := range l {
				if !yield(ServerKey{service, j.Server}, j.Verdict) {
					return
				}
			}
		}
	}
}

// with returns the verdicts with others in the place of some.
func (v Verdicts) with(keys iter.Seq[ServerKey], by map[ServerKey]Verdict) Verdicts {
	return v.edited(keys, func(l servers, k ServerKey) servers {
		i, known := l.find(k.Server)
		is := &judged{k.Server, by[k]}
		if !known {
			return slices.Insert(l, i, is)
		}
		l[i] = is
		return l
	})
}

// without returns the verdicts but for some.
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
	copies := map[string]servers{}
	for k := range keys {
		l, mine := copies[k.Service]
		if !mine {
			l = slices.Clone(v.services.Of(k.Service))
		}
		copies[k.Service] = edit(l, k)
	}
	for service, l := range copies {
		if len(l) == 0 {
			v.services = v.services.Without(service)
		} else {
			v.services = v.services.With(service, l)
		}
	}
	return v
}

// MarshalJSON implements [json.Marshaler]. It is what there is most of in a state: JSON's writer would make a map of it first.
func (v Verdicts) MarshalJSON() ([]byte, error) {
	type entry struct {
		key     string
		verdict Verdict
	}
	byKey := func(a, b entry) int { return strings.Compare(a.key, b.key) }
	var all []entry
	for service, l := range v.services.All() {
		begin := len(all)
		for _, j := range l {
			all = append(all, entry{ServerKey{service, j.Server}.String(), j.Verdict})
		}
		slices.SortFunc(all[begin:], byKey)
	}
	slices.SortFunc(all, byKey) // little is left to do: where one name begins with another
	b := []byte{'{'}
	for i, e := range all {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, e.key), `:{"health":`...)
		b = appendString(b, string(e.verdict.Health))
		if e.verdict.Cause != "" {
			b = appendString(append(b, `,"cause":`...), e.verdict.Cause)
		}
		b = append(b, '}')
	}
	return append(b, '}'), nil
}

// UnmarshalJSON implements [json.Unmarshaler].
func (v *Verdicts) UnmarshalJSON(text []byte) error {
	by, ok := readVerdictsBy(text)
	if !ok {
		by = nil
		if err := strict(text, &by); err != nil {
			return err
		}
	}
	*v = VerdictsOf(by)
	return nil
}
