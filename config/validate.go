package config

import (
	"fmt"
	"iter"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/quorate/quorate/fsm"
)

// Validate says all that is wrong with a configuration that came without a file, from a program for
// example. The problems have paths instead of lines. [ParseCluster] makes the same checks. Defaults
// are not put in; see [WithDefaults].
func Validate(c fsm.Config) Problems {
	var all Problems
	for _, f := range validate(c) {
		if f.see != "" {
			f.Hint = strings.TrimPrefix(f.Hint+"; the other is "+f.see, "; ")
		}
		all = append(all, f.Problem)
	}
	return sortProblems(all)
}

// validator collects what is wrong with a model.
type validator struct{ findings []finding }

func validate(c fsm.Config) []finding {
	v := new(validator)
	v.routers(c)
	v.syncGroups(c)
	v.services(c)
	return v.findings
}

// object is a part of the model: its path, and what people call it.
type object struct {
	*validator
	path, what string
}

// wrong adds an error about one field.
func (o object) wrong(field, hint, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if o.what != "" {
		text = o.what + ": " + text
	}
	o.findings = append(o.findings, finding{Problem: Problem{Path: o.path + field, Text: text, Hint: hint}})
}

// clash adds an error about one field that contradicts another place.
func (o object) clash(field, other, hint, format string, args ...any) {
	o.wrong(field, hint, format, args...)
	o.findings[len(o.findings)-1].see = other
}

// doubt adds a warning.
func (o object) doubt(field, hint, format string, args ...any) {
	o.wrong(field, hint, format, args...)
	o.findings[len(o.findings)-1].Warning = true
}

func sorted[T any](m map[string]T) iter.Seq2[string, T] {
	return func(yield func(string, T) bool) {
		for _, name := range slices.Sorted(maps.Keys(m)) {
			if !yield(name, m[name]) {
				return
			}
		}
	}
}

// named checks the name of a router, sync group or service.
func (o object) named(key, name string) {
	if key != name {
		o.wrong(".name", "", "is called %q inside", name)
	}
	if !validName(key) {
		o.wrong("", "letters, digits, dots, dashes and underscores, a letter or digit first, 64 at most", "the name %q is not usable", key)
	}
}

// validName reports whether a name fits into command lines, metrics and paths as it is.
func validName(s string) bool {
	for i, c := range []byte(s) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && (i == 0 || c != '.' && c != '-' && c != '_') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// within checks a number.
func (o object) within(field string, n int64, s span) {
	if n < s.min || n > s.max {
		o.wrong("."+field, "", "%s is %d; it must be %d to %d", field, n, s.min, s.max)
	}
}

// lasts checks a duration.
func (o object) lasts(field string, d time.Duration, p period) {
	switch {
	case d < p.min || d > p.max:
		o.wrong("."+field, "", "%s is %s; it must be %s to %s", field, formatDuration(d), formatDuration(p.min), formatDuration(p.max))
	case d%p.step != 0:
		o.wrong("."+field, fmt.Sprintf("write %q", formatDuration(d.Round(p.step))), "%s is %s; it goes in steps of %s", field, formatDuration(d), formatDuration(p.step))
	}
}

// among checks a word.
func (o object) among(field, word string, known []string) {
	if !slices.Contains(known, word) {
		o.wrong("."+field, hintValue(word, known), "%s %q is not known", field, word)
	}
}

// writable checks that a text can stand in a cluster file and come back as it was.
func (o object) writable(field, s string) bool {
	switch {
	case !utf8.ValidString(s):
		o.wrong(field, "", "%s is not UTF-8", strings.TrimPrefix(field, "."))
	case strings.ContainsRune(s, 0):
		o.wrong(field, "", "%s has a zero byte in it", strings.TrimPrefix(field, "."))
	case !norm.NFC.IsNormalString(s):
		o.wrong(field, "a cluster file cannot hold the decomposed form", "%s is not in Unicode normal form C", strings.TrimPrefix(field, "."))
	default:
		return true
	}
	return false
}

// routers checks each router, and what no two may share.
func (v *validator) routers(c fsm.Config) {
	type wire struct {
		iface string
		ipv6  bool
		vrid  uint8
	}
	type home struct {
		iface string // only for link-local addresses, which belong to one wire
		addr  netip.Addr
	}
	wires, homes := make(map[wire]string), make(map[home]string)
	for name, r := range sorted(c.Routers) {
		o := object{v, fmt.Sprintf("routers[%q]", name), fmt.Sprintf("router %q", name)}
		o.router(name, r)
		w := wire{r.Interface, r.IPv6(), r.VRID}
		if other, ok := wires[w]; ok && r.VRID != 0 && r.Interface != "" {
			o.clash(".vrid", fmt.Sprintf("routers[%q].vrid", other), "", "vrid %d is used by router %q on interface %q, in the same address family", r.VRID, other, r.Interface)
		} else {
			wires[w] = name
		}
		for i, p := range r.Addresses {
			h := home{addr: p.Addr()}
			if h.addr.IsLinkLocalUnicast() {
				h.iface = r.Interface
			}
			path := fmt.Sprintf(".addresses[%d]", i)
			if other, ok := homes[h]; ok && p.IsValid() {
				o.clash(path, other, "", "%s is there twice", h.addr)
				continue
			}
			homes[h] = o.path + path
		}
	}
}

// router checks one router by itself.
func (o object) router(name string, r fsm.Router) {
	o.named(name, r.Name)
	o.within("vrid", int64(r.VRID), vridSpan)
	o.lasts("interval", r.Interval, advertPeriod)
	o.iface(".interface", "interface", r.Interface)
	if len(r.Addresses) == 0 {
		o.wrong(".addresses", `write at least one, as in addresses = ["192.168.1.1/24"]`, "has no addresses")
		return
	}
	limit := 255 // RFC 9568, section 5.2.5
	if r.IPv6() {
		limit = 90 // what fits into an Ethernet frame
	}
	if len(r.Addresses) > limit {
		o.wrong(".addresses", "use another router and a sync group", "has %d addresses; an advertisement carries %d at most", len(r.Addresses), limit)
	}
	for i, p := range r.Addresses {
		field := fmt.Sprintf(".addresses[%d]", i)
		if text, hint := checkVirtual(p); text != "" {
			o.wrong(field, hint, "%s", text)
		} else if p.Addr().Is6() != r.IPv6() {
			o.wrong(field, "make a second router for the other family, and a sync group of the two", "%s is not of the first address's family", p)
		}
	}
	if first := r.Addresses[0]; r.IPv6() && first.IsValid() && !first.Addr().IsLinkLocalUnicast() {
		o.wrong(".addresses[0]", fmt.Sprintf(`RFC 9568, section 5.2.9; put one in front, as in "fe80::%x/64"`, r.VRID), "the first address of an IPv6 router must be link-local, not %s", first.Addr())
	}
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

// iface checks the name of an interface, logical or the kernel's.
func (o object) iface(field, what, name string) {
	if text, hint := checkInterface(name); text != "" {
		o.wrong(field, hint, "%s %s", what, text)
	}
}

// checkInterface says what makes an interface name one that no Linux interface can have.
func checkInterface(name string) (text, hint string) {
	bad := strings.IndexFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`/:"%`, r) })
	switch {
	case name == "":
		return "is missing", `a logical name that each agent file maps, or the kernel's name, as in "eth0"`
	case len(name) > 15:
		return fmt.Sprintf("%q is too long", name), "15 characters at most"
	case bad >= 0 || name == "." || name == "..":
		return fmt.Sprintf("%q is not an interface name", name), "no spaces, slashes, colons, quotes or percent signs"
	}
	return "", ""
}

// maxSuggested bounds the names among which a hint looks for the nearest, and which it lists.
const maxSuggested = 20

// syncGroups checks the sync groups, whose names share a space with the routers that are in none.
func (v *validator) syncGroups(c fsm.Config) {
	member := make(map[string]string) // router to the path that put it into a group
	routers := slices.Sorted(maps.Keys(c.Routers))
	for name, g := range sorted(c.SyncGroups) {
		o := object{v, fmt.Sprintf("sync_groups[%q]", name), fmt.Sprintf("sync_group %q", name)}
		o.named(name, g.Name)
		if len(g.Routers) == 0 {
			o.wrong(".routers", "", "has no routers")
		}
		for i, r := range g.Routers {
			field := fmt.Sprintf(".routers[%d]", i)
			if _, ok := c.Routers[r]; !ok {
				hint := "there is no router at all"
				if len(routers) > 0 {
					hint = hintValue(r, routers[:min(len(routers), maxSuggested)])
				}
				o.wrong(field, hint, "there is no router %q", r)
				continue
			}
			if other, ok := member[r]; ok {
				o.clash(field, other, "a router is in one sync group at most", "router %q is in a sync group already", r)
				continue
			}
			member[r] = o.path + field
		}
		if _, ok := c.Routers[name]; ok && !slices.Contains(g.Routers, name) {
			o.clash("", fmt.Sprintf("routers[%q]", name), "groups and routers are named alike in commands", "a router outside of it has the same name")
		}
	}
}
