package config

import (
	"fmt"
	"net/netip"
	"strings"
)

// parseAddress reads an address by itself. It returns what is wrong and what would be right instead, or "".
func parseAddress(s string) (a netip.Addr, text, hint string) {
	a, err := netip.ParseAddr(s)
	if err == nil {
		return a, "", ""
	}
	switch {
	case strings.Contains(s, "/"):
		hint = "no prefix length here"
	case strings.HasPrefix(s, "["), strings.Count(s, ":") == 1:
		hint = "neither brackets nor a port here"
	case strings.ContainsAny(strings.ToLower(s), "ghijklmnopqrstuvwxyz"):
		hint = "names are not looked up; write the address, as in 192.168.1.254"
	default:
		hint = "write it as in 192.168.1.254 or 2001:db8::1"
	}
	return a, fmt.Sprintf("%q is not an address", s), hint
}

// parseNetwork reads a network, as routes and rules have it. It returns what is wrong and what would be
// right instead, or "".
func parseNetwork(s string) (p netip.Prefix, text, hint string) {
	p, err := netip.ParsePrefix(s)
	if err == nil {
		return p, "", ""
	}
	text = fmt.Sprintf("%q is not a network", s)
	if a, err := netip.ParseAddr(s); err == nil {
		return p, text, fmt.Sprintf("for one host write %s/%d", a.WithZone(""), a.BitLen())
	}
	if s == "default" || s == "all" || s == "any" {
		return p, text, "write 0.0.0.0/0, or ::/0 for IPv6"
	}
	return p, text, "write it as in 10.0.0.0/8 or 2001:db8::/32"
}

// checkNetwork says what makes a network unusable in a route or a rule.
func checkNetwork(p netip.Prefix) (text, hint string) {
	switch {
	case !p.IsValid():
		return "a network that is none", "write it as in 10.0.0.0/8"
	case p.Addr().Is4In6():
		return fmt.Sprintf("%s is IPv4 in disguise", p), ""
	case p != p.Masked():
		return fmt.Sprintf("%s has bits beyond its length", p), fmt.Sprintf("write %s, or %s/%d for one host", p.Masked(), p.Addr(), p.Addr().BitLen())
	}
	return "", ""
}
