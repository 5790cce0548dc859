package ipvs

import (
	"net/netip"
	"slices"
)

// QuietAddresses returns the addresses of a table where a flow that the kernel does not know is not to be reset: those of
// TCP services of one port. A service with a destination for which local says that it is this host's is left out, since
// packets for that one do reach a socket of this host.
func QuietAddresses(t Table, local func(netip.Addr) bool) []netip.AddrPort {
	var addrs []netip.AddrPort
	for key, entry := range t {
		here := false
		for addr := range entry.Dests {
			here = here || local(addr.Addr())
		}
		if key.Protocol == TCP && key.Mark == 0 && key.Address.Port() != 0 && !here {
			addrs = append(addrs, key.Address)
		}
	}
	slices.SortFunc(addrs, netip.AddrPort.Compare)
	return addrs
}
