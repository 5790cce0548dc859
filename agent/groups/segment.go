package groups

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/quorate/quorate/director/keeper"
	"github.com/quorate/quorate/director/ownership"
	"github.com/quorate/quorate/director/probe"
	"github.com/quorate/quorate/director/vrrp"
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
	slices.SortFunc(targets[1:], netip.Addr.Compare) // the router's address comes first: whoever has it answers for that before its own
	found, err := probe.AskEach(ctx, r.Interface, r.Source, slices.Compact(targets))
	if err != nil {
		d.cfg.Log.Debug("segment not asked", "router", r.Name, "err", err)
		return false
	}
	out.Gateway = ok && found[gw] != nil
	serving := map[string]net.HardwareAddr{}
	for a, name := range owners {
		if found[a] == nil {
			continue
		}
		out.Reached = append(out.Reached, name)
		for _, mac := range found[virtual] {
			if slices.ContainsFunc(found[a], func(own net.HardwareAddr) bool { return bytes.Equal(own, mac) }) {
				serving[name] = mac
			}
		}
	}
	slices.Sort(out.Reached)
	out.Reached = slices.Compact(out.Reached)
	out.Virtual = slices.ContainsFunc(found[virtual], vrrp.IsVirtualMAC)
	out.Serves = oneOf(serving, g.State.Groups[spec.Name].Owner)
	if ifi, err := net.InterfaceByName(r.Interface); err == nil && g.status[spec.Name].State == "active" && !out.Virtual {
		serving[d.cfg.Self] = ifi.HardwareAddr // who asks does not answer itself
	}
	out.Doubled = doubled(serving, virtual)
	return true
}

// oneOf is one of those who answer for an address: whom the log names, if it is among them.
func oneOf(serving map[string]net.HardwareAddr, named string) string {
	if serving[named] != nil {
		return named
	}
	for _, name := range slices.Sorted(maps.Keys(serving)) {
		return name
	}
	return ""
}

// doubled says that several answer for an address, or is empty.
func doubled(serving map[string]net.HardwareAddr, address netip.Addr) string {
	if len(serving) < 2 {
		return ""
	}
	names, macs := slices.Sorted(maps.Keys(serving)), []string{}
	for _, name := range names {
		macs = append(macs, serving[name].String())
	}
	return fmt.Sprintf("%s both answer for %v (%s)", strings.Join(names, " and "), address, strings.Join(macs, ", "))
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
