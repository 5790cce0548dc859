package groups

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"

	"github.com/quorate/quorate/director/keeper"
	"github.com/quorate/quorate/director/ownership"
	"github.com/quorate/quorate/director/probe"
	"github.com/quorate/quorate/fsm"
)

// probe asks the segments of routers, all at once. One that cannot be asked is not among what it returns: nothing is
// known of it.
func (d *Driver) probe(ctx context.Context, g *gathered, spec fsm.Group, routers []string) []ownership.Segment {
	out, own := make([]ownership.Segment, len(routers)), g.status[spec.Name]
	asked := make([]bool, len(routers))
	var asking sync.WaitGroup
	for i, name := range routers {
		out[i].Router = name
		j := slices.IndexFunc(own.Routers, func(r keeper.RouterStatus) bool { return r.Name == name })
		if j >= 0 && own.Routers[j].Source.IsValid() {
			asking.Go(func() { asked[i] = d.segment(ctx, g, spec, own.Routers[j], &out[i]) })
		}
	}
	asking.Wait()
	var known []ownership.Segment
	for i, ok := range asked {
		if ok {
			known = append(known, out[i])
		}
	}
	return known
}

// segment asks the segment of a router for its address, for the members' own, and for the gateway. It reports whether
// that could be asked.
func (d *Driver) segment(ctx context.Context, g *gathered, spec fsm.Group, r keeper.RouterStatus, out *ownership.Segment) bool {
	virtual := virtualOf(spec, r.Name)
	targets, owners := []netip.Addr{virtual}, map[netip.Addr]string{}
	for name, m := range g.State.Members {
		if name == d.cfg.Self {
			continue
		}
		for _, a := range OnLink(r, m.Sources) {
			owners[a] = name
			targets = append(targets, a)
		}
	}
	gw, ok := d.cfg.Gateway(r.Interface, r.Source)
	if ok {
		targets = append(targets, gw)
	}
	slices.SortFunc(targets, netip.Addr.Compare)
	found, err := probe.Ask(ctx, r.Interface, r.Source, slices.Compact(targets))
	if err != nil {
		d.cfg.Log.Debug("segment not asked", "router", r.Name, "err", err)
		return false
	}
	out.Gateway = ok && found[gw] != nil
	for a, name := range owners {
		if found[a] == nil {
			continue
		}
		out.Reached = append(out.Reached, name)
		if bytes.Equal(found[a], found[virtual]) {
			out.Serves = name
		}
	}
	slices.Sort(out.Reached)
	out.Reached = slices.Compact(out.Reached)
	out.Virtual = isVirtual(found[virtual])
	return true
}

// isVirtual reports whether a MAC address is a virtual router's.
func isVirtual(mac net.HardwareAddr) bool {
	return len(mac) == 6 && bytes.Equal(mac[:4], []byte{0, 0, 0x5e, 0})
}

// virtualOf is the first address of a router.
func virtualOf(g fsm.Group, router string) netip.Addr {
	for _, r := range g.Routers {
		if r.Name == router && len(r.Addresses) > 0 {
			return r.Addresses[0].Addr()
		}
	}
	return netip.Addr{}
}
