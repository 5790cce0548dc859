package ipvs

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Counters is what a destination has now, and has had since it was added.
type Counters struct {
	Active, Inactive, Persistent uint32 // connections and templates now

	Connections           uint64
	PacketsIn, PacketsOut uint64
	BytesIn, BytesOut     uint64
}

// Counters reads the counters of every destination. The kernel sums up those that only grow every
// two seconds.
func (h *Host) Counters(ctx context.Context) (map[Key]map[netip.AddrPort]Counters, error) {
	out := make(map[Key]map[netip.AddrPort]Counters)
	err := h.with(ctx, 4*requestTimeout, func(ctx context.Context, c *conn) error {
		clear(out)
		table := make(Table)
		if err := readServices(ctx, c, table); err != nil {
			return err
		}
		for key := range table {
			out[key] = make(map[netip.AddrPort]Counters)
			err := readDests(ctx, c, key, func(addr netip.AddrPort, _ Dest, a *attrs) { out[key][addr] = decodeCounters(a) })
			if errors.Is(err, unix.ESRCH) {
				delete(out, key) // gone since
				continue
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the ipvs counters: %w", err)
	}
	return out, nil
}

// decodeCounters reads the counters among the attributes of a destination.
func decodeCounters(a *attrs) Counters {
	out := Counters{Active: a.uint32(destActive), Inactive: a.uint32(destInactive), Persistent: a.uint32(destPersistent)}
	if s, err := parseAttrs(a[destStats64]); err == nil {
		out.Connections = s.uint64(1)
		out.PacketsIn, out.PacketsOut = s.uint64(2), s.uint64(3)
		out.BytesIn, out.BytesOut = s.uint64(4), s.uint64(5)
	}
	return out
}
