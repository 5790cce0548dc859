package ipvs

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
)

// Verb is what an [Op] does. The order of verbs is the order in which they are carried out.
type Verb uint8

// The verbs. An addition of what is there edits it, an edit of what is missing adds it and a
// removal of what is missing is done: so an operation may be carried out twice.
const (
	AddService Verb = iota
	AddDest
	SetService
	SetDest
	DelDest
	DelService
)

// Op is one change to the kernel's table.
type Op struct {
	Verb    Verb
	Key     Key
	Service Service        // of AddService and SetService
	Addr    netip.AddrPort // of the verbs on destinations
	Dest    Dest           // of AddDest and SetDest
}

// Removes reports whether the operation takes something out of the table.
func (op Op) Removes() bool { return op.Verb >= DelDest }

// String says what the operation does, for people.
func (op Op) String() string {
	switch op.Verb {
	case AddService:
		return fmt.Sprintf("add %v (%s)", op.Key, op.Service)
	case SetService:
		return fmt.Sprintf("set %v (%s)", op.Key, op.Service)
	case DelService:
		return fmt.Sprintf("remove %v", op.Key)
	case AddDest:
		return fmt.Sprintf("add %v to %v (%s)", op.Addr, op.Key, op.Dest)
	case SetDest:
		return fmt.Sprintf("set %v in %v (%s)", op.Addr, op.Key, op.Dest)
	case DelDest:
		return fmt.Sprintf("remove %v from %v", op.Addr, op.Key)
	}
	return "verb " + strconv.Itoa(int(op.Verb))
}

// String returns the settings in one line.
func (s Service) String() string {
	out := s.Scheduler
	if s.Timeout != 0 {
		out += fmt.Sprintf(", persistent %d s /%d", s.Timeout, s.Netmask)
	}
	if s.Engine != "" {
		out += ", engine " + s.Engine
	}
	if rest := s.Flags &^ (FlagPersistent | FlagHashed); rest != 0 {
		out += fmt.Sprintf(", flags %#x", rest)
	}
	return out
}

// String returns the settings in one line.
func (d Dest) String() string {
	out := fmt.Sprintf("%v, weight %d", d.Forward, d.Weight)
	if d.Upper != 0 || d.Lower != 0 {
		out += fmt.Sprintf(", thresholds %d %d", d.Upper, d.Lower)
	}
	return out
}

// Diff returns the changes that turn have into want: additions first, removals last. A service that
// is in both is edited in place, whoever made it; a service that want lacks is removed only if ours
// names it, and so are the destinations that want lacks. Both tables are as [Table.Normalize]
// returns them. It is pure, and its order depends on nothing but its arguments.
func Diff(have, want Table, ours Ledger) []Op {
	var ops []Op
	for key, w := range want {
		h, ok := have[key]
		switch {
		case !ok:
			ops = append(ops, Op{Verb: AddService, Key: key, Service: w.Service})
		case h.Service != w.Service:
			ops = append(ops, Op{Verb: SetService, Key: key, Service: w.Service})
		}
		ops = append(ops, diffDests(key, h.Dests, w.Dests, ours.Has(key))...)
	}
	for key := range have {
		if _, ok := want[key]; !ok && ours.Has(key) {
			ops = append(ops, Op{Verb: DelService, Key: key})
		}
	}
	slices.SortFunc(ops, compareOps)
	return ops
}

func diffDests(key Key, have, want map[netip.AddrPort]Dest, ours bool) []Op {
	var ops []Op
	for addr, w := range want {
		switch h, ok := have[addr]; {
		case !ok:
			ops = append(ops, Op{Verb: AddDest, Key: key, Addr: addr, Dest: w})
		case h != w:
			ops = append(ops, Op{Verb: SetDest, Key: key, Addr: addr, Dest: w})
		}
	}
	for addr := range have {
		if _, ok := want[addr]; !ok && ours {
			ops = append(ops, Op{Verb: DelDest, Key: key, Addr: addr})
		}
	}
	return ops
}

func compareOps(a, b Op) int {
	return cmp.Or(cmp.Compare(a.Verb, b.Verb), a.Key.Compare(b.Key), a.Addr.Compare(b.Addr))
}

// Foreign returns the services of have that nobody wants and that are not ours, in order.
func Foreign(have, want Table, ours Ledger) []Key {
	var keys []Key
	for key := range have {
		if _, ok := want[key]; !ok && !ours.Has(key) {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, Key.Compare)
	return keys
}

// apply carries out an operation on the table, as the kernel does.
func (t Table) apply(op Op) {
	entry, ok := t[op.Key]
	switch op.Verb {
	case AddService, SetService:
		entry.Service = op.Service
		if entry.Dests == nil {
			entry.Dests = make(map[netip.AddrPort]Dest)
		}
		t[op.Key] = entry
	case DelService:
		delete(t, op.Key)
	case AddDest, SetDest:
		if ok {
			entry.Dests[op.Addr] = op.Dest
		}
	case DelDest:
		delete(entry.Dests, op.Addr)
	}
}
