package director

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/quorate/quorate/director/ipvs"
	"github.com/quorate/quorate/fsm"
)

// Risks are how many established connections a change ends, by why: nil if it ends none anywhere. Each is in one of them.
type Risks struct {
	Own    map[string]int `json:"own"`    // to addresses that this host has, and no other
	Shared map[string]int `json:"shared"` // to addresses of which it is not known who has them
}

// Place is where an address is.
type Place int

// The places of an address.
const (
	Anywhere  Place = iota // it is no router's: several hosts may have it
	Here                   // a router has it, on this host
	Elsewhere              // a router has it, on another host
)

// Plan returns the operations on this kernel that a change of the configuration would cost, and the established connections that it
// would end, but for those to addresses that are elsewhere: there are copies of them here, which may be old. It costs what the
// services do that change, and what the connections do where some may end.
func (d *Director) Plan(ctx context.Context, change fsm.Delta, places func() func(netip.Addr) Place) (ops []string, risks Risks, err error) {
	state := d.cfg.State()
	after := change.Puts()
	var keys []ipvs.Key
	for _, cfg := range []fsm.Config{change.Part(state.Config), after} {
		for _, svc := range cfg.Services.All() {
			keys = append(keys, Key(svc))
		}
	}
	judged := *state
	judged.Verdicts = state.JudgedAfter(change)
	quorum := d.cfg.Quorum()
	want := Table(after, func(svc fsm.Service) []Real { return d.cfg.Pool(&judged, svc, quorum) })
	have := d.cfg.Tables.HaveOf(keys)
	ours := ipvs.Ledger{}
	for key := range have {
		ours[key] = true
	}
	for _, op := range ipvs.Diff(have, want, ours) {
		ops = append(ops, fmt.Sprint(op))
	}
	lost := lossesOf(have, want, &judged, change)
	if lost.none() {
		return ops, Risks{}, nil
	}
	conns, err := d.Connections(ctx)
	place, at := places(), map[Place][]ipvs.Conn{}
	for _, c := range conns {
		p := place(c.Virtual.Addr())
		at[p] = append(at[p], c)
	}
	return ops, Risks{Own: lost.count(at[Here]), Shared: lost.count(at[Anywhere])}, err
}
