package director

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/quorate/quorate/director/ipvs"
	"github.com/quorate/quorate/fsm"
)

// Plan returns the operations on this kernel that a change of the configuration would cost, and how many established connections it
// would end, by why: each is counted once, and none to an address that is elsewhere, of which there are copies here. It costs what the
// services do that change, and what the connections do where some may end.
func (d *Director) Plan(ctx context.Context, change fsm.Delta, elsewhere func() func(netip.Addr) bool) (ops []string, risks map[string]int, err error) {
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
		return ops, nil, nil
	}
	conns, err := d.Connections(ctx)
	away := elsewhere()
	conns = slices.DeleteFunc(conns, func(c ipvs.Conn) bool { return away(c.Virtual.Addr()) })
	return ops, lost.count(conns), err
}
