package imported

import (
	"net/netip"
	"strconv"
	"strings"
)

// Named turns any text into a name that a cluster file allows.
func Named(s string) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_' {
			return r
		}
		return '-'
	}, s)
	name = strings.TrimLeft(name, ".-_")
	if len(name) > 56 { // leaves room for a number
		name = name[:56]
	}
	if name == "" {
		return "unnamed"
	}
	return name
}

// Unique turns any text into a name that is not taken yet.
func Unique[T any](taken map[string]T, name string) string {
	name = Named(name)
	if _, ok := taken[name]; !ok {
		return name
	}
	for n := 2; ; n++ {
		next := name + "-" + strconv.Itoa(n)
		if _, ok := taken[next]; !ok {
			return next
		}
	}
}

// portNames are services by their ports, as people call them.
var portNames = map[uint16]string{
	21: "ftp", 22: "ssh", 25: "smtp", 53: "dns", 80: "http", 110: "pop3", 123: "ntp", 143: "imap", 389: "ldap", 443: "https", 465: "smtps",
	514: "syslog", 587: "submission", 636: "ldaps", 993: "imaps", 995: "pop3s", 1812: "radius", 3128: "proxy", 3306: "mysql", 5060: "sip",
	5432: "postgresql", 6379: "redis", 11211: "memcached", 27017: "mongodb",
}

// ServiceNames are what a service at an address could be called, the shortest first.
func ServiceNames(at netip.AddrPort, protocol string) []string {
	addr := strings.ReplaceAll(at.Addr().String(), ":", "-")
	if at.Port() == 0 {
		return []string{Named(addr), Named(addr + "-" + protocol)}
	}
	name, ok := portNames[at.Port()]
	if !ok {
		name = protocol + "-" + strconv.Itoa(int(at.Port()))
	}
	return []string{name, name + "-" + addr, name + "-" + addr + "-" + protocol}
}

// Shortest chooses a name for each of several things: the shortest of its own that no other thing has. Each has at least one;
// where even the longest is taken, a number is appended.
func Shortest(names [][]string) []string {
	longest := 0
	for _, all := range names {
		longest = max(longest, len(all))
	}
	chosen, taken := make([]string, len(names)), make(map[string]bool)
	for level := range longest {
		count := make(map[string]int)
		for _, all := range names {
			count[all[min(level, len(all)-1)]]++
		}
		for i, all := range names {
			if name := all[min(level, len(all)-1)]; chosen[i] == "" && count[name] == 1 && !taken[name] {
				chosen[i], taken[name] = name, true
			}
		}
	}
	for i, all := range names {
		if chosen[i] == "" {
			chosen[i] = Unique(taken, all[len(all)-1])
			taken[chosen[i]] = true
		}
	}
	return chosen
}
