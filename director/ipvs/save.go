package ipvs

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Save renders the table as the lines that ipvsadm -Sn prints and ipvsadm -R reads, in order. It
// adds the connection thresholds, which ipvsadm reads but does not print.
func (t Table) Save() string {
	var b strings.Builder
	for _, key := range slices.SortedFunc(maps.Keys(t), Key.Compare) {
		entry := t[key]
		name := saveKey(key)
		fmt.Fprintf(&b, "-A %s%s\n", name, saveService(key, entry.Service))
		for _, addr := range slices.SortedFunc(maps.Keys(entry.Dests), netip.AddrPort.Compare) {
			fmt.Fprintf(&b, "-a %s -r %v%s\n", name, addr, saveDest(entry.Dests[addr]))
		}
	}
	return b.String()
}

func saveKey(key Key) string {
	switch {
	case key.Mark != 0 && key.IPv6:
		return fmt.Sprintf("-f %d -6", key.Mark)
	case key.Mark != 0:
		return fmt.Sprintf("-f %d", key.Mark)
	case key.Protocol == UDP:
		return "-u " + key.Address.String()
	case key.Protocol == 132:
		return "--sctp-service " + key.Address.String()
	}
	return "-t " + key.Address.String()
}

func saveService(key Key, s Service) string {
	out := " -s " + s.Scheduler
	if s.Timeout != 0 {
		out += " -p " + strconv.Itoa(int(s.Timeout))
		switch {
		case s.Netmask == key.bits() || s.Netmask == 0:
		case key.is6():
			out += " -M " + strconv.Itoa(int(s.Netmask))
		default:
			out += " -M " + net.IP(net.CIDRMask(int(s.Netmask), 32)).String()
		}
	}
	if s.Engine != "" {
		out += " --pe " + s.Engine
	}
	if s.Flags&FlagOnePacket != 0 {
		out += " -o"
	}
	if names := saveFlags(s); len(names) > 0 {
		out += " -b " + strings.Join(names, ",")
	}
	return out
}

// saveFlags returns the names of the scheduler's own flags.
func saveFlags(s Service) []string {
	names := [...]string{"flag-1", "flag-2", "flag-3"}
	if s.Scheduler == "sh" || s.Scheduler == "mh" {
		names[0], names[1] = s.Scheduler+"-fallback", s.Scheduler+"-port"
	}
	var out []string
	for i, name := range names {
		if s.Flags&(FlagSched1<<i) != 0 {
			out = append(out, name)
		}
	}
	return out
}

func saveDest(d Dest) string {
	out := map[Forward]string{NAT: " -m", Tunnel: " -i", Direct: " -g"}[d.Forward]
	out += " -w " + strconv.Itoa(int(d.Weight))
	if d.Upper != 0 {
		out += fmt.Sprintf(" -x %d -y %d", d.Upper, d.Lower)
	}
	if d.Forward != Tunnel {
		return out
	}
	kind := "ipip"
	switch d.Encap.Type {
	case 1:
		kind = fmt.Sprintf("gue --tun-port %d", d.Encap.Port)
	case 2:
		kind = "gre"
	}
	out += " --tun-type " + kind
	if d.Encap.Type == 0 {
		return out
	}
	switch d.Encap.Flags {
	case 1:
		return out + " --tun-csum"
	case 2:
		return out + " --tun-remcsum"
	}
	return out + " --tun-nocsum"
}
