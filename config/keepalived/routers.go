package keepalived

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/config/imported"
	"github.com/quorate/quorate/fsm"
)

// home is where a virtual address belongs: link-local ones to one interface.
type home struct {
	addr  netip.Addr
	iface string
}

// share is what of an instance's addresses is on one interface.
type share struct {
	Place               // of the first of them
	iface               string
	addresses, excluded []netip.Prefix
	advertised          bool // by keepalived, which advertises all of an instance's addresses but those that are excluded
}

// instance makes routers of an instance: one, and one more for each other interface that it has addresses on.
func (m *model) instance(i *instance) {
	h := m.host
	shares := m.shared[i]
	if !m.complete(i) {
		h.notes.Dropped(i.Place, inVRRP, "%s: a router has a virtual_router_id, an interface and an address", i.name)
		h.lost(i, "priority", "authentication")
		return
	}
	first := fsm.Router{
		VRID: uint8(i.vrid), NoAccept: i.refuses(h), VirtualMAC: i.vmac, NoPreempt: i.stays(), PreemptDelay: i.delay(),
		Refresh: max(0, h.refresh), Unicast: i.unicast && len(i.peers) > 0,
	}
	if i.refresh >= 0 {
		first.Refresh = i.refresh
	}
	for n, s := range shares {
		r := first
		r.Name, r.Interface, r.Addresses, r.Excluded = imported.Unique(m.config.Routers, i.name), s.iface, s.addresses, s.excluded
		if n > 0 {
			r.Name = imported.Unique(m.config.Routers, i.name+"-"+s.iface)
		}
		m.version(i, &r)
		holder := m.id(i, &r)
		if n > 0 {
			m.tellMade(i, s, r, holder, shares[0].iface)
		} else if holder != "" {
			h.notes.Instead(Differs, i.at["virtual_router_id"], inVRRP+" virtual_router_id",
				"`vrid` %d instead of %d, which is %s's on %s", r.VRID, i.vrid, holder, r.Interface)
		}
		m.linkLocal(i, &r)
		m.auth(i, &r)
		if n == 0 {
			m.paths(i, &r)
			r.Needs = m.needs(i.name, i.uses, i.hooks, i)
		}
		if n == 0 {
			m.called(i.Place, inVRRP, i.name, r.Name)
		}
		m.config.Routers[r.Name] = r
		m.routers[i.name] = append(m.routers[i.name], r.Name)
		m.put(config.KindRouter, r.Name, i.Place)
		m.peers[r.Name] = i
	}
}

// tellMade tells of a router that is made of an instance's addresses on another interface.
func (m *model) tellMade(i *instance, s share, r fsm.Router, holder, first string) {
	number := ""
	if holder != "" {
		number = fmt.Sprintf(", with VRID %d instead of %d, which is %s's there", r.VRID, i.vrid, holder)
	}
	keyword := in(inVRRP, "virtual_ipaddress_excluded")
	if s.advertised {
		keyword = in(inVRRP, "virtual_ipaddress")
	}
	m.host.notes.Differs(s.Place, keyword, "addresses on %s have a router of their own there, %s, which moves with %s%s: adverts go out there too",
		s.iface, r.Name, first, number)
}

// complete reports whether a router comes of an instance.
func (m *model) complete(i *instance) bool { return len(m.shared[i]) > 0 && i.vrid != 0 }

// shares sorts the addresses of an instance by interface; that of the instance is first, if there are any.
func (m *model) shares(i *instance) []share {
	h := m.host
	own := h.link(i.iface)
	var all []share
	at := func(v virtual) *share {
		iface := own
		if v.dev != "" {
			iface = h.link(v.dev)
		}
		for k := range all {
			if all[k].iface == iface {
				return &all[k]
			}
		}
		all = append(all, share{Place: v.Place, iface: iface})
		return &all[len(all)-1]
	}
	for _, v := range i.addresses {
		s := at(v)
		switch {
		case !m.free(v, s.iface):
		case v.net.Addr().Is6() != i.addresses[0].net.Addr().Is6():
			h.notes.Dropped(v.Place, inVRRP+" virtual_ipaddress", "%s is not of the first address's family; keepalived leaves it out too", v.net.Addr())
		default:
			s.addresses, s.advertised = append(s.addresses, v.net), true
			i.list = append(i.list, v.net.Addr())
		}
	}
	for _, v := range i.excluded {
		if s := at(v); m.free(v, s.iface) {
			s.excluded = append(s.excluded, v.net)
		}
	}
	for k := range all { // those that are only excluded are advertised where they are
		s := &all[k]
		if len(s.addresses) == 0 && len(s.excluded) > 0 {
			s.addresses, s.excluded = s.excluded[:1], s.excluded[1:]
		}
		if most := 250; len(s.addresses) > most || s.addresses != nil && s.addresses[0].Addr().Is6() && len(s.addresses) > 85 {
			if s.addresses[0].Addr().Is6() {
				most = 85
			}
			s.addresses, s.excluded = s.addresses[:most], append(slices.Clone(s.addresses[most:]), s.excluded...)
			h.notes.Differs(i.Place, inVRRP+" virtual_ipaddress", "what does not fit into an advert is in `excluded`")
		}
	}
	all = slices.DeleteFunc(all, func(s share) bool { return len(s.addresses) == 0 || s.iface == "" })
	slices.SortStableFunc(all, func(a, b share) int { return boolInt(b.iface == own) - boolInt(a.iface == own) })
	if len(all) > 0 && all[0].iface != own {
		h.notes.Differs(i.at["interface"], inVRRP+" interface", "adverts of %s go out where its addresses are, on %s", i.name, all[0].iface)
	}
	return all
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// free reports whether no router has an address yet, and takes it.
func (m *model) free(v virtual, iface string) bool {
	k := home{addr: v.net.Addr()}
	if k.addr.IsLinkLocalUnicast() {
		k.iface = iface
	}
	if m.homes[k] {
		m.host.notes.Dropped(v.Place, inVRRP+" virtual_ipaddress", "%s is there twice; keepalived leaves it out too", k.addr)
		return false
	}
	m.homes[k] = true
	return true
}

// version sets version, interval and checksum.
func (m *model) version(i *instance, r *fsm.Router) {
	version := i.speaks(m.host, r.IPv6())
	if version == 2 {
		r.Version = 2
	}
	step, low, high := steps(version)
	if r.Interval = i.every(version); i.interval >= 0 && r.Interval != i.interval {
		m.host.notes.Instead(Differs, i.at["advert_int"], inVRRP+" advert_int", "%s: VRRP version %d has %s to %s in steps of %s", r.Interval, version, low, high, step)
	}
	if i.plain && version == 3 && !r.IPv6() {
		r.Checksum = fsm.PlainChecksum
	}
}

// speaks is the version of an instance's adverts.
func (i *instance) speaks(h *host, ipv6 bool) uint8 {
	if ipv6 {
		return 3
	}
	return cmp.Or(i.version, h.version, 2)
}

// steps are the intervals that a version has.
func steps(version uint8) (step, low, high time.Duration) {
	if version == 2 {
		return time.Second, time.Second, 255 * time.Second
	}
	return 10 * time.Millisecond, 10 * time.Millisecond, 40950 * time.Millisecond
}

// every is the interval of an instance's adverts.
func (i *instance) every(version uint8) time.Duration {
	interval := i.interval
	if interval < 0 {
		interval = time.Second
	}
	step, low, high := steps(version)
	return max(low, min(high, interval.Round(step)))
}

// linkLocal puts a link-local address in front of IPv6 addresses.
func (m *model) linkLocal(i *instance, r *fsm.Router) {
	if !r.IPv6() || r.Addresses[0].Addr().IsLinkLocalUnicast() {
		return
	}
	const keyword = inVRRP + " virtual_ipaddress"
	if k := slices.IndexFunc(r.Addresses, func(p netip.Prefix) bool { return p.Addr().IsLinkLocalUnicast() }); k > 0 {
		first := r.Addresses[k]
		r.Addresses = append([]netip.Prefix{first}, slices.Delete(slices.Clone(r.Addresses), k, k+1)...)
		m.host.notes.Differs(i.Place, keyword, "%s comes first: RFC 9568 wants a link-local address there", first.Addr())
		return
	}
	b := netip.MustParseAddr("fe80::").As16()
	b[15] = r.VRID
	ours := netip.PrefixFrom(netip.AddrFrom16(b), 64)
	r.Addresses = append([]netip.Prefix{ours}, r.Addresses...)
	m.host.notes.Differs(i.Place, keyword, "%s is added: RFC 9568 wants a link-local address first", ours)
}

// refuses reports whether the owner takes no packets to the addresses for itself.
func (i *instance) refuses(h *host) bool {
	if i.accept != nil {
		return !*i.accept
	}
	return i.strictly(h)
}

// strictly reports whether an instance is in strict mode.
func (i *instance) strictly(h *host) bool {
	if i.strictSet {
		return i.strict
	}
	return h.strict
}

// rank is the priority that counts: without one it is 100, and 255 with state MASTER.
func (i *instance) rank() int {
	switch {
	case i.priority > 0:
		return i.priority
	case i.state == "MASTER":
		return 255
	}
	return 100
}

// stays reports whether nopreempt counts: neither as MASTER nor as owner of the addresses.
func (i *instance) stays() bool { return i.noPreempt && i.state != "MASTER" && i.rank() < 255 }

// delay is the preempt_delay that counts.
func (i *instance) delay() time.Duration {
	if i.stays() || i.state == "MASTER" {
		return 0
	}
	return min(i.preempt, time.Hour)
}

// paths sets routes and rules.
func (m *model) paths(i *instance, r *fsm.Router) {
	for _, l := range i.routes {
		route, ok := m.host.route(l)
		if !ok {
			continue
		}
		m.serves[l.Place] = true
		if route.Interface != "" {
			route.Interface = m.host.link(route.Interface)
		} else if route.Type == "" && (!route.Via.IsValid() || route.Via.IsLinkLocalUnicast()) {
			route.Interface = r.Interface
		}
		r.Routes = append(r.Routes, route)
	}
	for _, l := range i.rules {
		rule, ok := m.host.rule(l, &m.rule)
		if !ok {
			continue
		}
		m.serves[l.Place] = true
		if rule.In != "" {
			rule.In = m.host.link(rule.In)
		}
		if rule.Out != "" {
			rule.Out = m.host.link(rule.Out)
		}
		r.Rules = append(r.Rules, rule)
	}
}

// group makes a sync group of one.
func (m *model) group(g *group) {
	h := m.host
	sg := fsm.SyncGroup{}
	best := rank{}
	for _, name := range g.members {
		if m.grouped[name] != g.name {
			continue
		}
		i := h.named[name]
		if i == nil || len(m.routers[name]) == 0 {
			h.notes.Dropped(g.Place, inGroup+" group", "there is no router %s", name)
			continue
		}
		sg.Routers = append(sg.Routers, m.routers[name]...)
		r := i.place()
		switch {
		case best.priority == 0: // said with those of the other hosts
		case r.priority == best.priority:
			h.notes.Carried(r.Place, inVRRP+" priority", "`score` of the sync group")
		default:
			h.notes.Differs(r.Place, inVRRP+" priority", "%d: a sync group has one score, that of its first router, %d", r.priority, best.priority)
		}
		best = best.with(r)
	}
	if len(sg.Routers) == 0 {
		h.notes.Dropped(g.Place, inGroup, "%s has no routers", g.name)
		return
	}
	name := imported.Unique(m.config.SyncGroups, g.name)
	for range 10 {
		if _, taken := m.config.Routers[name]; !taken || slices.Contains(sg.Routers, name) {
			break
		}
		name = imported.Unique(m.config.SyncGroups, name+"-group")
	}
	sg.Name = name
	m.called(g.Place, inGroup, g.name, name)
	sg.Needs = m.needs(g.name, g.uses, g.hooks, nil)
	m.config.SyncGroups[name] = sg
	m.put(config.KindSyncGroup, name, g.Place)
	m.ranks[name] = best
}

// place is what the instance says of its own place.
func (i *instance) place() rank {
	at := i.Place
	if p, ok := i.at["priority"]; ok {
		at = p
	}
	interval := i.interval
	if interval < 0 {
		interval = time.Second
	}
	return rank{at, i.rank(), i.state, i.stays(), i.delay() + 3*max(interval, 10*time.Millisecond)}
}

// with adds what another member of a group says: the first counts, and the longest time.
func (r rank) with(other rank) rank {
	if r.priority == 0 {
		return other
	}
	r.hold = max(r.hold, other.hold)
	r.stays = r.stays && other.stays
	return r
}

// lonely ranks the routers that are in no sync group, and joins those that were one instance.
func (m *model) lonely() {
	for _, i := range m.host.instances {
		names := m.routers[i.name]
		if _, ok := m.grouped[i.name]; ok || len(names) == 0 {
			continue
		}
		group := names[0]
		if len(names) > 1 {
			group = imported.Unique(m.config.SyncGroups, fmt.Sprintf("%s-group", i.name))
			m.config.SyncGroups[group] = fsm.SyncGroup{Name: group, Routers: names}
			m.put(config.KindSyncGroup, group, i.Place)
		}
		m.ranks[group] = i.place()
	}
}
