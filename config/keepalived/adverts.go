package keepalived

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/fsm"
)

// What comes of adverts that are not believed, and what to do. keepalived tells the number of addresses before 2.3.3, and
// throws the advert away if it is another.
const (
	stopFirst   = "both would have the addresses while both run: stop keepalived on all hosts before you apply"
	anotherList = "keepalived 2.3.2 and older drops adverts with another list of addresses, and then " + stopFirst
)

// adverts tells of the routers whose adverts will not be those of their instances, on any of the hosts: beside a keepalived that
// still runs both would be owners.
func (p *pair) adverts() {
	c := config.WithDefaults(p.base.config)
	for _, m := range p.models {
		for _, i := range m.host.instances {
			for _, name := range m.routers[i.name] { // the first that there is; the others are of the same instance
				r, ok := c.Routers[name]
				if !ok {
					continue
				}
				if unlike := m.host.unlike(i, r); len(unlike) > 0 {
					p.notes.Instead(Differs, i.Place, inVRRP, "keepalived and quorate do not believe each other's adverts of this router: quorate's %s; %s", strings.Join(unlike, ", "), stopFirst)
				} else if !slices.Equal(sorted(i.list), listOf(r)) {
					p.notes.Instead(Differs, i.Place, inVRRP, "%s", anotherList)
				}
				break
			}
		}
	}
}

// unlike says how the adverts of a router are not those of its instance, so that they are not believed.
func (h *host) unlike(i *instance, r fsm.Router) []string {
	var all []string
	add := func(differ bool, format string, args ...any) {
		if differ {
			all = append(all, fmt.Sprintf(format, args...))
		}
	}
	version, speaks := i.speaks(h, r.IPv6()), cmp.Or(r.Version, 3) // with the default
	iface, to, sends := h.link(i.iface), h.sendsTo(i, r.IPv6()), multicast(r.IPv6())
	if r.Unicast {
		sends = singleHosts
	}
	checksum := fsm.PseudoChecksum
	if i.plain {
		checksum = fsm.PlainChecksum
	}
	add(r.Interface != iface, "are on %s and not on %s", r.Interface, iface)
	add(int(r.VRID) != i.vrid, "have VRID %d and not %d", r.VRID, i.vrid)
	add(sends != to, "go to %s and not to %s", sends, to)
	add(speaks != version, "have version %d and not %d", speaks, version)
	add(version == 2 && speaks == 2 && r.Interval != i.every(2), "have an interval of %s and not %s", r.Interval, i.every(2))
	add(version == 3 && speaks == 3 && !r.IPv6() && cmp.Or(r.Checksum, fsm.PseudoChecksum) != checksum, "have another checksum")
	if what := h.unlikeAuth(i, r); what != "" {
		all = append(all, what)
	}
	return all
}

const singleHosts = "single hosts"

// multicast is where adverts go as RFC 9568 has it.
func multicast(ipv6 bool) string {
	if ipv6 {
		return "ff02::12"
	}
	return "224.0.0.18"
}

// sendsTo is where the adverts of an instance go.
func (h *host) sendsTo(i *instance, ipv6 bool) string {
	of := h.group4
	if ipv6 {
		of = h.group6
	}
	switch {
	case i.unicast && len(i.peers) > 0:
		return singleHosts
	case i.multicast.IsValid():
		return i.multicast.String()
	case of.IsValid():
		return of.String()
	}
	return multicast(ipv6)
}

// unlikeAuth says how what shows who sent an advert is not what an instance has for it.
func (h *host) unlikeAuth(i *instance, r fsm.Router) string {
	signs := i.active() != 0
	signed := r.Auth != nil && r.Auth.Kind == fsm.AuthHMAC
	password := ""
	if r.Auth != nil && r.Auth.Kind == fsm.AuthPassword {
		password = r.Auth.Key
	}
	kind, key := i.legacy(h, r.IPv6())
	switch {
	case signs && !(signed && i.understands(*r.Auth)):
		return "are not signed as auth_hmac has it"
	case signs:
	case signed:
		return "are signed"
	case kind == "AH":
		return "have no AH"
	case kind == "" && password != "":
		return "have a password"
	case kind == "PASS" && password == "":
		return "have no password"
	case key != password:
		return "have another password"
	}
	return ""
}

// active is the number of the key with which an instance signs, or 0 if it does not.
func (i *instance) active() uint8 {
	id := cmp.Or(i.activeKey, i.firstKey)
	if _, ok := i.keys[id]; !ok {
		return 0 // keepalived then does without
	}
	return id
}

// understands reports whether an instance and a router believe what the other signs.
func (i *instance) understands(a fsm.Auth) bool {
	id := cmp.Or(a.KeyID, 1)
	mine := i.keys[i.active()]
	knows := i.active() == id && mine == a.Key || i.active() == a.OtherID && mine == a.OtherKey
	return i.mode != "receive-only" && mine != "" && knows && i.keys[id] == a.Key
}

// listOf are the addresses in the adverts of a router.
func listOf(r fsm.Router) []netip.Addr {
	var all []netip.Addr
	for _, a := range r.Addresses {
		all = append(all, a.Addr())
	}
	return sorted(all)
}

func sorted(all []netip.Addr) []netip.Addr {
	return slices.SortedFunc(slices.Values(all), netip.Addr.Compare)
}
