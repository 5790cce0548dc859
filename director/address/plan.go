package address

import (
	"fmt"
	"net/netip"
	"slices"
)

// step is one change of an interface's addresses.
type step struct {
	remove bool
	prefix netip.Prefix
	flags  uint32
	valid  uint32
	err    error // why this address cannot be had, instead of a change
}

// plan returns the steps after which an interface has the addresses want with valid seconds left,
// and none of ours is an IPv4 subnet's primary address while the interface has one of its own
// there. Have is what the interface has, in the kernel's order, and parent what the one has that lies
// below an interface with a virtual MAC. It is pure.
func plan(have, parent []entry, want []netip.Prefix, valid uint32, ours func(entry) bool) []step {
	steps := demote(have, ours)
	moved := len(steps)
	for i := range moved { // add again what was only moved
		e := have[slices.IndexFunc(have, func(e entry) bool { return e.prefix == steps[i].prefix })]
		if !slices.Contains(want, e.prefix) {
			steps = append(steps, step{prefix: e.prefix, valid: e.valid})
		}
	}
	for _, p := range want {
		s := step{prefix: p, valid: valid, flags: flagsFor(p, have, parent, ours)}
		if slices.ContainsFunc(have, func(e entry) bool { return e.prefix == p && e.v6() && e.has(flagDADFailed) }) {
			steps = append(steps, step{remove: true, prefix: p}) // a renewal would leave it as it is
		}
		// the kernel finds an IPv6 address whatever its prefix, and cannot change that
		i := slices.IndexFunc(have, func(e entry) bool {
			return p.Addr().Is6() && e.prefix.Addr() == p.Addr() && e.prefix != p
		})
		switch {
		case i < 0:
		case ours(have[i]):
			steps = append(steps, step{remove: true, prefix: have[i].prefix})
		default:
			s.err = fmt.Errorf("the interface has it as its own, as %s", have[i].prefix)
		}
		steps = append(steps, s)
	}
	return steps
}

// flagsFor returns the flags with which an address is added or renewed: for IPv6, no duplicate
// address detection, which would take a second; and no connected route where the interface has an
// own one. The kernel keeps one route for both, and would end it with the lifetime of ours. Nor is there
// one where the parent has its own, by which the host's own connections leave; but link-local addresses
// need one on each interface.
func flagsFor(p netip.Prefix, have, parent []entry, ours func(entry) bool) uint32 {
	flags := uint32(0)
	if p.Addr().Is6() {
		flags = flagNoDAD
	}
	own := func(e entry) bool { return e.prefix.Masked() == p.Masked() && e.prefix != p && !ours(e) }
	if p.Addr().Is6() && slices.ContainsFunc(have, own) || !p.Addr().IsLinkLocalUnicast() && slices.ContainsFunc(parent, own) {
		flags |= flagNoPrefixRoute
	}
	return flags
}

// demote returns the removals after which no IPv4 subnet has an address of ours as its primary and
// one of the interface's own as a secondary. The kernel promotes the next in order, so that all of
// ours that come before must go, the primary last.
func demote(have []entry, ours func(entry) bool) []step {
	var steps []step
	for i, own := range have {
		if own.v6() || ours(own) || !own.has(flagSecondary) {
			continue
		}
		same := func(e entry) bool { return !e.v6() && e.prefix.Masked() == own.prefix.Masked() }
		before := slices.DeleteFunc(slices.Clone(have[:i]), func(e entry) bool { return !same(e) })
		if !slices.ContainsFunc(before, func(e entry) bool { return ours(e) && !e.has(flagSecondary) }) {
			continue // its primary is an own one too
		}
		if slices.ContainsFunc(before, func(e entry) bool { return !ours(e) }) {
			continue // an own one before this is promoted
		}
		for _, e := range slices.Backward(before) {
			steps = append(steps, step{remove: true, prefix: e.prefix})
		}
	}
	return steps
}
