package director

import (
	"context"
	"net/netip"
	"slices"

	"github.com/quorate/quorate/director/ipvs"
)

const (
	// forgetSize bounds the table that is read in order to forget, since a move does not depend on it: some 100,000 entries.
	forgetSize = 10 << 20
	// forgetBatch is how many connections are forgotten before it is asked again whose the addresses are.
	forgetBatch = 500
)

// Forget has this kernel forget the connections that are over, to quiet addresses that another director owns. It spares those that
// the other director has in live, whatever this kernel thinks of them. Theirs is called before each batch: the function that
// it returns reports whether an address is the other director's still, since this host has connections of its own to the groups
// that it owns. Nothing is forgotten where the kernel does not let a SYN begin a connection anew.
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

// forget injects what is to be forgotten, as far as its address is quiet, and another's at that moment.
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
