package host

import (
	"slices"
	"strings"
)

// Kind says what a [Need] is.
type Kind = string

// The kinds of needs.
const (
	Sysctl Kind = "sysctl"
	Module Kind = "module"
)

// Need is one thing that a configuration needs of the host.
type Need struct {
	Kind  Kind
	Name  string // of a module; or of a setting as sysctl(8) takes it, dots in an interface's name written as slashes
	Value string // of a setting
	Why   string
}

// Command returns the command that a person would meet the need with.
func (n Need) Command() string {
	if n.Kind == Module {
		return "modprobe " + n.Name
	}
	return "sysctl -w " + n.Name + "=" + n.Value
}

// Features are the parts of a configuration that need something of the host.
type Features struct {
	IPVS       bool     // there are virtual services
	NAT        bool     // some real servers are reached by NAT
	Tunnel     bool     // some real servers are reached through a tunnel
	Sync       bool     // the sync daemons run
	Schedulers []string // of the virtual services
	Routers    []string // the interfaces with virtual routers, by the kernel's names
	IPv6       bool     // some virtual services have IPv6 addresses
}

// Needs returns what a configuration needs of the host, in the order in which it is to be met. It is
// pure. Tunnel and Sync need nothing beyond IPVS itself: they are there so that this is said in one
// place.
func Needs(f Features) []Need {
	var needs []Need
	if f.IPVS {
		needs = append(needs, ipvs(f)...)
	}
	if f.NAT {
		needs = append(needs, nat(f)...)
	}
	for _, name := range sorted(f.Routers) {
		needs = append(needs, Need{
			Sysctl, conf("ipv4", name, "promote_secondaries"), "1",
			"when the interface's primary address goes, the virtual addresses of its subnet must not go with it, nor the other way round",
		})
		if f.NAT {
			needs = append(needs, Need{
				Sysctl, conf("ipv4", name, "send_redirects"), "0",
				"a real server that is redirected past the director answers the client with an address that the client does not know",
			})
		}
	}
	return needs
}

func ipvs(f Features) []Need {
	needs := []Need{{Module, "ip_vs", "", "virtual services"}}
	for _, s := range sorted(f.Schedulers) {
		needs = append(needs, Need{Module, "ip_vs_" + s, "", "the scheduler " + s + " of a virtual service"})
	}
	return append(
		needs,
		Need{
			Sysctl, "net.ipv4.vs.expire_nodest_conn", "1",
			"a connection to a real server that was taken out ends at once, so that the client connects to another; else its packets are dropped until it times out",
		},
		Need{
			Sysctl, "net.ipv4.vs.expire_quiescent_template", "1",
			"a persistent client is not bound any longer to a real server of weight 0, so that one that is drained or disabled gets no new connections",
		},
	)
}

// nat leaves net.ipv4.vs.nat_icmp_send alone: with it IPVS drops every answer of a real server that it
// has no connection for, those to this director's own health checks among them (measured on 6.1).
func nat(f Features) []Need {
	needs := []Need{{
		Sysctl, "net.ipv4.ip_forward", "1",
		"the answers of real servers reached by NAT pass through the director",
	}}
	if f.IPv6 {
		needs = append(needs, Need{
			Sysctl, "net.ipv6.conf.all.forwarding", "1",
			"the answers of IPv6 real servers reached by NAT pass through the director; " +
				"an interface that has its address or route from router advertisements goes on to take them only with accept_ra=2",
		})
	}
	return append(
		needs,
		Need{
			Sysctl, "net.ipv4.conf.all.send_redirects", "0",
			"redirects are sent on an interface if they are on for it or for all",
		},
	)
}

// conf returns the name of a setting of an interface.
func conf(family, iface, setting string) string {
	return "net." + family + ".conf." + strings.ReplaceAll(iface, ".", "/") + "." + setting
}

func sorted(names []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(names)))
}
