package director

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/quorate/quorate/director/ipvs"
	"github.com/quorate/quorate/fsm"
)

// Plan returns the operations on this kernel that a change of the configuration would cost, and how many
// established connections are on real servers that would go. It costs what the services do that change.
func (d *Director) Plan(ctx context.Context, change fsm.Delta) (ops []string, connections int, err error) {
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
	gone := map[netip.AddrPort]bool{}
	for _, op := range ipvs.Diff(have, want, ours) {
		ops = append(ops, fmt.Sprint(op))
	}
	for key, entry := range have {
		for addr := range entry.Dests {
			if _, ok := want[key].Dests[addr]; !ok {
				gone[addr] = true
			}
		}
	}
	if len(gone) == 0 {
		return ops, 0, nil
	}
	conns, err := d.Connections(ctx)
	return ops, through(conns, gone), err
}

// through counts the connections to real servers. Those of a service by mark or without a port have no port in the table; a
// template is none.
func through(conns []ipvs.Conn, reals map[netip.AddrPort]bool) int {
	n := 0
	for _, c := range conns {
		if !c.Template() && (reals[c.Real] || reals[netip.AddrPortFrom(c.Real.Addr(), 0)]) {
			n++
		}
	}
	return n
}
