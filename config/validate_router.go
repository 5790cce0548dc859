package config

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/quorate/quorate/fsm"
)

// manyAddresses is how many addresses in an advertisement every other implementation is known to bear.
const manyAddresses = 20

// routers checks each router, and what no two may share.
func (v *validator) routers(c fsm.Config) {
	type wire struct {
		iface string
		ipv6  bool
		vrid  uint8
	}
	wires, homes, paths := make(map[wire]string), make(map[home]string), make(map[slot]claim)
	for name, r := range sorted(c.Routers) {
		o := v.thing("routers", "router", name)
		o.router(name, r)
		w := wire{r.Interface, r.IPv6(), r.VRID}
		if other, ok := wires[w]; ok && r.VRID != 0 && r.Interface != "" {
			o.clash(".vrid", fmt.Sprintf("routers[%q].vrid", other), "", "vrid %d is used by router %q on interface %q, in the same address family", r.VRID, other, r.Interface)
		} else {
			wires[w] = name
		}
		o.homes(r.Interface, "addresses", r.Addresses, homes)
		o.homes(r.Interface, "excluded", r.Excluded, homes)
		o.routes(r, paths)
		o.rules(r)
		o.needs(r.Needs, c.Tracks)
	}
}

// home is where a virtual address belongs.
type home struct {
	iface string // only for link-local addresses, which belong to one wire
	addr  netip.Addr
}

// homes checks that nobody else has a router's addresses.
func (o object) homes(iface, field string, addresses []netip.Prefix, homes map[home]string) {
	for i, p := range addresses {
		h := home{addr: p.Addr()}
		if h.addr.IsLinkLocalUnicast() {
			h.iface = iface
		}
		path := fmt.Sprintf(".%s[%d]", field, i)
		if other, ok := homes[h]; ok && p.IsValid() {
			o.clash(path, other, "", "%s is there twice", h.addr)
			continue
		}
		homes[h] = o.path + path
	}
}

// router checks one router by itself.
func (o object) router(name string, r fsm.Router) {
	o.named(name, r.Name)
	o.within("vrid", int64(r.VRID), vridSpan)
	o.iface(".interface", "interface", r.Interface)
	if ownInterface().MatchString(r.Interface) {
		o.wrong(".interface", "name the interface that the adverts go through, and set virtual_mac", "interface %q is one that quorate makes for a virtual MAC address", r.Interface)
	}
	o.version(r)
	o.preemption(r)
	o.peers(r)
	o.auth(r)
	if r.Refresh > 0 {
		o.lasts("refresh", r.Refresh, refreshPeriod)
	}
	for i, p := range r.Excluded {
		if text, hint := checkVirtual(p); text != "" {
			o.wrong(fmt.Sprintf(".excluded[%d]", i), hint, "%s", text)
		}
	}
	o.addresses(r)
	o.placement(r.Placement)
	o.scoreless(r.Placement, r.Needs)
}

// ownInterface is what interfaces with a virtual MAC address are called.
var ownInterface = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^vrrp[46]\.[0-9]+\.`)
})

// version checks the interval, and what one version has and the other has not.
func (o object) version(r fsm.Router) {
	v2 := r.Version == 2
	p := advertPeriodV2
	switch {
	case !v2:
		o.lasts("interval", r.Interval, advertPeriod)
	case r.Interval < p.min || r.Interval > p.max || r.Interval%p.step != 0:
		near := max(p.min, min(p.max, r.Interval.Round(p.step)))
		o.wrong(".interval", fmt.Sprintf("write interval = %q, or leave version out for 3", formatDuration(near)),
			"version 2 counts whole seconds, %s to %s, and interval is %s", formatDuration(p.min), formatDuration(p.max), formatDuration(r.Interval))
	}
	if r.Version != 0 {
		o.within("version", int64(r.Version), versionSpan)
	}
	if v2 && r.IPv6() {
		o.wrong(".version", "leave it out for 3", "version 2 has no IPv6")
	}
	switch {
	case r.Checksum != "" && !slices.Contains(checksums, string(r.Checksum)):
		o.among("checksum", string(r.Checksum), checksums)
	case r.Checksum == fsm.PlainChecksum && v2:
		o.wrong(".checksum", "leave it out", "version 2 has no other checksum than the plain one")
	case r.Checksum == fsm.PlainChecksum && r.IPv6():
		o.wrong(".checksum", "leave it out", "over IPv6 the checksum always has the pseudo-header")
	}
	if r.StrictAddresses && !v2 {
		o.wrong(".strict_addresses", "leave it out", "strict_addresses is for version 2; in version 3 another list is believed, and said")
	}
}

// preemption checks what is said of taking from foreign routers.
func (o object) preemption(r fsm.Router) {
	if r.AddressOwner != "" && !validName(r.AddressOwner) {
		o.wrong(".address_owner", `the name of a director, as in address_owner = "lb1"`, "%q is not the name of a director", r.AddressOwner)
	}
	if r.NoPreempt && r.AddressOwner != "" {
		o.clash(".no_preempt", o.path+".address_owner", "leave one of them out", "an address owner takes from everybody")
	}
	o.lasts("preempt_delay", r.PreemptDelay, preemptPeriod)
	if r.NoPreempt && r.PreemptDelay != 0 {
		o.clash(".preempt_delay", o.path+".no_preempt", "leave one of them out", "preempt = false takes nothing that could be delayed")
	}
}

// addresses checks the addresses that a router advertises.
func (o object) addresses(r fsm.Router) {
	if len(r.Addresses) == 0 {
		o.wrong(".addresses", `write at least one, as in addresses = ["192.168.1.1/24"]`, "has no addresses")
		return
	}
	limit := 255 // RFC 9568, section 5.2.5
	if r.IPv6() {
		limit = 90 // what fits into an Ethernet frame
		if r.Auth != nil && r.Auth.Kind == fsm.AuthHMAC {
			limit = 88 // with the signature
		}
	}
	switch n := len(r.Addresses); {
	case n > limit:
		o.wrong(".addresses", "name the others in excluded, or use another router and a sync group", "has %d addresses; an advertisement carries %d at most", n, limit)
	case n > manyAddresses:
		o.doubt(".addresses", "name the others in excluded if one is on the segment", "has %d addresses; there are routers that take no more than %d", n, manyAddresses)
	}
	for i, p := range r.Addresses {
		field := fmt.Sprintf(".addresses[%d]", i)
		if text, hint := checkVirtual(p); text != "" {
			o.wrong(field, hint, "%s", text)
		} else if p.Addr().Is6() != r.IPv6() {
			o.wrong(field, "name it in excluded, or make a second router for the other family, and a sync group of the two", "%s is not of the first address's family", p)
		}
	}
	if first := r.Addresses[0]; r.IPv6() && first.IsValid() && !first.Addr().IsLinkLocalUnicast() {
		o.wrong(".addresses[0]", fmt.Sprintf(`RFC 9568, section 5.2.9; put one in front, as in "fe80::%x/64"`, r.VRID), "the first address of an IPv6 router must be link-local, not %s", first.Addr())
	}
}

// peers checks the foreign routers.
func (o object) peers(r fsm.Router) {
	seen := make(map[netip.Addr]string)
	for i, p := range r.Peers {
		child := o.part("peers", i, "peer "+p.Address.String())
		if p.MinTTL != 0 && !r.Unicast {
			child.wrong(".min_ttl", "leave it out, or set unicast = true", "min_ttl is for unicast; a multicast advert has 255 or is not believed")
		}
		if !p.Address.IsValid() {
			child.wrong(".address", "", "the address is none")
			continue
		}
		text, hint := checkAddr(p.Address)
		virtual := func(v netip.Prefix) bool { return v.Addr() == p.Address }
		switch {
		case text != "":
			child.wrong(".address", hint, "%s", text)
		case p.Address.IsLoopback():
			child.wrong(".address", "", "is a loopback address")
		case len(r.Addresses) > 0 && p.Address.Is6() != r.IPv6():
			child.wrong(".address", "", "is not of the family of the router's addresses")
		case slices.ContainsFunc(r.Addresses, virtual) && p.Address.Is6() && p.Address.IsLinkLocalUnicast() && !r.Unicast:
			// as FRR may do
		case slices.ContainsFunc(r.Virtual(), virtual):
			child.wrong(".address", "write the address that its adverts come from", "is one of the router's virtual addresses")
		}
		if other, ok := seen[p.Address]; ok {
			child.clash(".address", other, "", "is there twice")
			continue
		}
		seen[p.Address] = child.path
	}
	if r.KnownOnly && r.Unicast {
		o.doubt(".known_only", "leave it out", "with unicast nobody else is believed anyway")
	}
}

// auth checks how adverts are authenticated.
func (o object) auth(r fsm.Router) {
	if r.Auth == nil {
		return
	}
	a := *r.Auth
	child := object{o.validator, o.path + ".auth", fmt.Sprintf("%s, auth %q", o.what, a.Kind)}
	if _, ok := authKeys[a.Kind]; !ok {
		o.wrong(".auth.kind", hintValue(string(a.Kind), authKinds), "unknown kind of auth %q", a.Kind)
		return
	}
	if a.Kind == fsm.AuthHMAC {
		child.within("key_id", int64(a.KeyID), keyIDSpan)
		if r.Version == 2 {
			child.wrong("", `leave version out for 3, or use auth "password"`, "version 2 adverts are not signed")
		}
		child.secret(".key", a.Key)
		child.otherKey(a)
		return
	}
	if a.KeyID != 0 {
		child.wrong(".key_id", "leave it out", "key_id means nothing to it")
	}
	if a.OtherID != 0 || a.OtherKey != "" {
		child.wrong(".other_key_id", "leave it out", "it has no other key")
	}
	if r.Version != 2 {
		child.wrong("", `add version = 2, or use auth "hmac"`, "version 3 has neither passwords nor AH")
	}
	if len(a.Key) > 8 {
		child.wrong(".key", "other routers cut it; so must you, on all of them", "the key has %d bytes; 8 at most are sent", len(a.Key))
	} else if strings.ContainsFunc(a.Key, func(r rune) bool { return r < ' ' || r >= 0x7f }) {
		child.wrong(".key", "", "the key has characters beyond ASCII in it")
	}
	child.weak(a.Kind)
}

// secret checks a key that signs.
func (o object) secret(key, secret string) {
	if b, err := hex.DecodeString(secret); secret != "" && (err != nil || len(b) < 32 || len(b) > 64) {
		o.wrong(key, "make one with: openssl rand -hex 32", "the key must be 32 to 64 bytes in hex, 64 to 128 digits")
	}
}

// otherKey checks the key that is believed too.
func (o object) otherKey(a fsm.Auth) {
	switch {
	case a.OtherID == 0 && a.OtherKey == "":
	case a.OtherID == 0:
		o.wrong(".other_key_id", "add other_key_id, which is not that of the key", "the other key has no number")
	case a.OtherID == a.KeyID:
		o.clash(".other_key_id", o.path+".key_id", "adverts say by which key they are signed: give the new key another number", "both keys have the number %d", a.KeyID)
	default:
		o.within("other_key_id", int64(a.OtherID), keyIDSpan)
	}
	o.secret(".other_key", a.OtherKey)
}

// weak says what a kind of authentication does not do.
func (o object) weak(kind fsm.AuthKind) {
	if kind == fsm.AuthHeader {
		o.doubt("", `use "password", or none, on both sides`, "AH is received only: the other router does not hear this one, and two own the addresses; and it is no security, since nobody can change its key")
		return
	}
	o.doubt("", `for old routers only; "hmac" is security`, "a password is no security: every advert shows it")
}

// checkVirtual says what makes a virtual address unusable.
func checkVirtual(p netip.Prefix) (text, hint string) {
	if !p.IsValid() {
		return "has an address that is none", "write it as in 192.168.1.1/24"
	}
	a := p.Addr()
	if text, hint = checkAddr(a); text != "" {
		return text, hint
	}
	switch {
	case a.IsLoopback():
		return fmt.Sprintf("%s is a loopback address", a), ""
	case p.Bits() == 0:
		return fmt.Sprintf("%s: the prefix length cannot be 0", p), "it is that of the network on the interface, as in /24"
	case a.Is4() && p.Bits() < 31 && a == p.Masked().Addr():
		return fmt.Sprintf("%s is the network's address, not a host's", p), "write the address itself and the network's length, as in 192.168.1.1/24"
	case a.Is4() && p.Bits() < 31 && a == lastAddr(p):
		return fmt.Sprintf("%s is the network's broadcast address", p), ""
	}
	return "", ""
}

// lastAddr returns the last address of an IPv4 network.
func lastAddr(p netip.Prefix) netip.Addr {
	b := p.Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return netip.AddrFrom4(b)
}
