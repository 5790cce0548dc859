package config

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// parseEndpoint reads ADDRESS:PORT or ADDRESS; the port is 0 where there is none. IPv6 addresses stand
// in brackets, since 2001:db8::1:80 is an address by itself; bare ones are for where no port can stand.
// It returns what is wrong and what would be right instead, or "".
func parseEndpoint(s string, bare bool) (ap netip.AddrPort, text, hint string) {
	if p, err := netip.ParseAddrPort(s); err == nil {
		if p.Port() == 0 {
			return ap, fmt.Sprintf("%q: port 0 is not a port", s), "leave the port out"
		}
		text, hint = checkAddr(p.Addr())
		return p, text, hint
	}
	inner, bracketed := s, false
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		inner, bracketed = s[1:len(s)-1], true
	}
	addr, err := netip.ParseAddr(inner)
	switch {
	case err != nil:
		return ap, fmt.Sprintf("%q is not an address", s), hintEndpoint(s)
	case addr.Is4() && bracketed:
		return ap, fmt.Sprintf("%q is not an address", s), "brackets are for IPv6"
	case addr.Is6() && !bracketed && !bare:
		return ap, fmt.Sprintf("%q: where does the port begin?", s), hintBrackets(inner)
	}
	text, hint = checkAddr(addr)
	return netip.AddrPortFrom(addr, 0), text, hint
}

// hintBrackets says both things that an IPv6 address without brackets can mean.
func hintBrackets(s string) string {
	i := strings.LastIndexByte(s, ':')
	head, err := netip.ParseAddr(s[:i])
	if port, bad := strconv.ParseUint(s[i+1:], 10, 16); err == nil && bad == nil && port > 0 {
		return fmt.Sprintf("write [%s]:%d, or [%s] if it is all address", head, port, s)
	}
	return fmt.Sprintf("write [%s], or [%s]:PORT", s, s)
}

// hintEndpoint guesses what was meant by something that is not an address.
func hintEndpoint(s string) string {
	host, port, found := strings.Cut(s, ":")
	if strings.Count(s, ":") == 1 && found {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return "the port is a number, 1 to 65535"
		}
	}
	switch {
	case strings.Contains(s, "/"):
		return "no prefix length here"
	case strings.ContainsAny(strings.ToLower(host), "ghijklmnopqrstuvwxyz") && !strings.Contains(s, "::"):
		return "names are not looked up; write the address, as in 192.168.2.11:80"
	}
	return "write it as in 192.168.2.11:80 or [2001:db8::11]:80"
}

// checkAddr says what makes an address unusable for a service, a server or an agent.
func checkAddr(a netip.Addr) (text, hint string) {
	switch {
	case a.Zone() != "":
		return fmt.Sprintf("%s: an interface cannot be part of the address", a), "leave out %" + a.Zone()
	case a.Is4In6():
		return fmt.Sprintf("%s is IPv4 in disguise", a), "write " + a.Unmap().String()
	case a.IsUnspecified():
		return fmt.Sprintf("%s is no host's address", a), ""
	case a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return fmt.Sprintf("%s is not one host's address", a), ""
	}
	return "", ""
}

// formatEndpoint writes an endpoint so that parseEndpoint reads it.
func formatEndpoint(ap netip.AddrPort) string {
	switch {
	case ap.Port() != 0:
		return ap.String()
	case ap.Addr().Is6():
		return "[" + ap.Addr().String() + "]"
	}
	return ap.Addr().String()
}

// formatDuration writes a duration without the parts that are zero: 5m, not 5m0s.
func formatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
