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

// Timeouts is how long the kernel keeps a connection without packets, in seconds.
type Timeouts struct {
	TCP, TCPFin, UDP uint32 // 0: leave as it is
}

// Attributes of the timeouts.
const (
	attrTCP = iota + 4
	attrTCPFin
	attrUDP
)

// Timeouts reads the timeouts.
func (h *Host) Timeouts(ctx context.Context) (Timeouts, error) {
	var out Timeouts
	err := h.with(ctx, requestTimeout, func(ctx context.Context, c *conn) error {
		return c.ask(ctx, request{cmd: cmdGetConfig}, func(b []byte) error {
			a, err := parseAttrs(b)
			out = Timeouts{TCP: a.uint32(attrTCP), TCPFin: a.uint32(attrTCPFin), UDP: a.uint32(attrUDP)}
			return err
		})
	})
	if err != nil {
		return Timeouts{}, fmt.Errorf("read the ipvs timeouts: %w", err)
	}
	return out, nil
}

// SetTimeouts sets the timeouts that are not zero.
func (h *Host) SetTimeouts(ctx context.Context, t Timeouts) error {
	body := appendUint32(nil, attrTCP, t.TCP)
	body = appendUint32(body, attrTCPFin, t.TCPFin)
	body = appendUint32(body, attrUDP, t.UDP)
	err := h.with(ctx, requestTimeout, func(ctx context.Context, c *conn) error {
		return c.ask(ctx, request{cmd: cmdSetConfig, body: body}, func([]byte) error { return nil })
	})
	if err != nil {
		return fmt.Errorf("set the ipvs timeouts: %w", err)
	}
	return nil
}
