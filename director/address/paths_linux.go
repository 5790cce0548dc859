package address

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// RenewPaths adds the routes and rules that are not there, and gives IPv6 routes a lifetime, 0 for ever;
// IPv4 routes, rules and IPv6 routes that go nowhere have none in the kernel. It never replaces what
// quorate did not make: an IPv4 route is put before others of its destination and metric, an IPv6 route
// beside one is refused. It tries all of them, and names each that it could not add.
func (h *Host) RenewPaths(p Paths, lifetime time.Duration) error {
	valid, err := seconds(lifetime)
	if err != nil {
		return fmt.Errorf("add routes and rules: %w", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	work, errs := sortPaths("add", p)
	have, err := h.paths(p)
	if err != nil {
		return fmt.Errorf("add routes and rules: read what is there: %w", err)
	}
	index, err := h.indexes(p)
	if err != nil {
		return fmt.Errorf("add routes and rules: %w", err)
	}
	var send pathChange
	for _, r := range work.Routes {
		flags, needed := routeFlags(have.routes, r, valid != forEver)
		if !needed {
			continue
		}
		i, ok := index[r.Interface]
		if !ok {
			errs = append(errs, fmt.Errorf("add route %s: interface %s: %w", r, r.Interface, unix.ENODEV))
			continue
		}
		send.add(fmt.Sprintf("add route %s", r), request{kind: kindNewRoute, flags: flags, body: routeBody(r, i, valid)})
	}
	for _, r := range (Paths{Rules: have.rules}).Lacks(Paths{Rules: work.Rules}).Rules {
		send.add(fmt.Sprintf("add rule %s", r), request{kind: kindNewRule, flags: unix.NLM_F_CREATE, body: ruleBody(r)})
	}
	return errors.Join(append(errs, send.do(h.requests, renewed)...)...)
}

// RemovePaths removes routes and rules of quorate's. One that is not there is no error.
func (h *Host) RemovePaths(p Paths) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	work, errs := sortPaths("remove", p)
	index, err := h.indexes(p)
	if err != nil {
		return fmt.Errorf("remove routes and rules: %w", err)
	}
	var send pathChange
	// rules first: without its rule, a table of routes is not looked at
	for _, r := range work.Rules {
		send.add(fmt.Sprintf("remove rule %s", r), request{kind: kindDelRule, body: ruleBody(r)})
	}
	for _, r := range work.Routes {
		if i, ok := index[r.Interface]; ok {
			send.add(fmt.Sprintf("remove route %s", r), request{kind: kindDelRoute, body: routeBody(r, i, 0)})
		}
	}
	return errors.Join(append(errs, send.do(h.requests, removed)...)...)
}

// Paths returns the routes and rules that quorate made, earlier runs included, as the kernel has them.
func (h *Host) Paths() (Paths, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	have, err := h.paths(everything)
	if err != nil {
		return Paths{}, fmt.Errorf("list routes and rules: %w", err)
	}
	out := Paths{Rules: have.rules}
	for _, r := range have.routes {
		if !r.expired {
			out.Routes = append(out.Routes, r.Route)
		}
	}
	return out, nil
}

// routeFlags returns how a route is added or renewed, and whether that is needed. An IPv6 route that is
// there is added again without any flag that could change another: the kernel answers that it exists,
// and has started its lifetime again. One of ours that is another now, as when the kernel has dropped
// its source with an address, is replaced. It is pure.
func routeFlags(have []kernelRoute, r Route, limited bool) (flags uint16, needed bool) {
	const create = unix.NLM_F_CREATE
	same, place := false, false
	for _, k := range have {
		same = same || r.covers(k.Route) && !k.expired
		place = place || r.place() == k.place()
	}
	switch {
	case same:
		return create, r.v6() && limited
	case !r.v6():
		return create, true // before others of the same place
	case place:
		return create | unix.NLM_F_REPLACE, true
	default:
		return create | unix.NLM_F_EXCL, true
	}
}

// pathChange is a batch of requests, each with what it does.
type pathChange struct {
	doing    []string
	requests []request
}

func (c *pathChange) add(doing string, r request) {
	c.doing = append(c.doing, doing)
	c.requests = append(c.requests, r)
}

// do sends the batch, and names what failed by more than fine says is none.
func (c *pathChange) do(conn *conn, fine func(request, error) bool) []error {
	var errs []error
	for i, err := range conn.batch(c.requests) {
		if err != nil && !fine(c.requests[i], err) {
			errs = append(errs, fmt.Errorf("%s: %w", c.doing[i], err))
		}
	}
	return errs
}

// renewed reports whether the answer means that all is well: what is added without asking that it be new
// exists if the kernel says so.
func renewed(r request, err error) bool {
	return errors.Is(err, unix.EEXIST) && r.flags&unix.NLM_F_EXCL == 0
}

func removed(_ request, err error) bool {
	return errors.Is(err, unix.ESRCH) || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV)
}

// sortPaths returns those that are routes and rules at all.
func sortPaths(doing string, p Paths) (work Paths, errs []error) {
	for _, r := range p.Routes {
		if err := r.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("%s %w", doing, err))
			continue
		}
		work.Routes = append(work.Routes, r)
	}
	for _, r := range p.Rules {
		if err := r.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("%s %w", doing, err))
			continue
		}
		work.Rules = append(work.Rules, r)
	}
	return work, errs
}

// indexes returns the index of every interface that a route names, and 0 for none.
func (h *Host) indexes(p Paths) (map[string]int, error) {
	out := map[string]int{"": 0}
	for _, r := range p.Routes {
		if _, known := out[r.Interface]; known {
			continue
		}
		l, err := h.link(r.Interface)
		if errors.Is(err, unix.ENODEV) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out[r.Interface] = l.index
	}
	return out, nil
}

// everything has paths read all that there is.
var everything = Paths{Routes: []Route{{}}, Rules: []Rule{{}}}

// paths reads what quorate made, of the sorts that p has any of.
func (h *Host) paths(p Paths) (kernelPaths, error) {
	var out kernelPaths
	if len(p.Routes) > 0 {
		links, err := h.links()
		if err != nil {
			return out, err
		}
		name := func(index int) string { return links[index].name }
		for _, family := range []byte{familyIPv4, familyIPv6} {
			filter := make([]byte, routeLen)
			filter[0], filter[5] = family, mark
			err := h.list(kindGetRoute, filter, func(b []byte) {
				if r, ok := parseRoute(b, name); ok && r.ours && b[0] == family {
					out.routes = append(out.routes, r)
				}
			})
			if err != nil {
				return out, err
			}
		}
	}
	if len(p.Rules) > 0 {
		for _, family := range []byte{familyIPv4, familyIPv6} {
			filter := make([]byte, routeLen)
			filter[0] = family
			err := h.list(kindGetRule, filter, func(b []byte) {
				if r, ours := parseRule(b); ours && b[0] == family {
					out.rules = append(out.rules, r)
				}
			})
			if err != nil {
				return out, err
			}
		}
	}
	return out, nil
}

// list calls each with every answer. The kernel filters by itself where it can (since 4.20).
func (h *Host) list(kind uint16, filter []byte, each func([]byte)) error {
	bodies, err := h.requests.ask(request{kind: kind, flags: unix.NLM_F_DUMP, body: filter})
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EAFNOSUPPORT) {
		return nil // a kernel without the family, or without rules
	}
	if err != nil {
		return err
	}
	for _, b := range bodies {
		each(b)
	}
	return nil
}
