package director

import (
	"context"
	"net/netip"
	"slices"

	"github.com/quorate/quorate/director/ipvs"
)

const (
	// forgetSize bounds the table that is read to forget what is over, which is no condition of a move: some 100,000 entries.
	forgetSize = 10 << 20
	// forgetBatch is how many connections are forgotten before it is asked again whose addresses are whose.
	forgetBatch = 500
)

// Forget has this kernel forget the connections that are over, to quiet addresses that are another director's. Those that it told
// of as live are not among them, whatever this kernel has of them yet. Theirs is asked again and again, and returns what says of
// an address whether it is that director's still: those of this host's own groups have connections that nobody told of.
// Nothing is forgotten where a SYN does not begin a connection anew.
func (d *Director) Forget(ctx context.Context, live []ipvs.Conn, theirs func() func(netip.Addr) bool) error {
	quiet := d.quiet.Held() // from another address this host would reset
	if d.cfg.SyncOn == "" || len(quiet) == 0 || !d.HasIPVS() || !d.cfg.Kernel.Reuses() {
		return nil
	}
	own, err := d.cfg.Kernel.ConnsWithin(ctx, forgetSize)
	if err != nil {
		return err
	}
	return forget(ctx, ipvs.Forgotten(own, live), quiet, theirs, d.Inject)
}

// forget injects what is to be forgotten, as far as it is to quiet addresses and another's, as that is by then.
func forget(ctx context.Context, over []ipvs.Conn, quiet []netip.AddrPort, theirs func() func(netip.Addr) bool, inject func(context.Context, []ipvs.Conn) error) error {
	over = slices.DeleteFunc(over, func(c ipvs.Conn) bool {
		_, is := slices.BinarySearchFunc(quiet, c.Virtual, netip.AddrPort.Compare)
		return !is
	})
	for batch := range slices.Chunk(over, forgetBatch) {
		is := theirs()
		batch = slices.DeleteFunc(batch, func(c ipvs.Conn) bool { return !is(c.Virtual.Addr()) })
		if err := inject(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}
