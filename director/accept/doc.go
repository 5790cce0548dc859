// Package accept keeps this host from taking packets for itself that the network sends to some of its
// addresses: Accept_Mode of RFC 9568, section 6.1, switched off. It does so with a table of nftables, "inet
// quorate", that has the addresses in sets and one chain behind the hook for input.
//
// It promises that IPVS goes on: the chain comes after IPVS, which has taken by then what belongs to a virtual
// service, with ICMP about it, so that the chain sees what the host itself would have answered. ARP and
// neighbour discovery are answered as ever, and the host's own programs reach the addresses over lo. The table
// changes in one transaction: no packet ever meets half of it. It is a plain table of the kernel's, so that it
// stays when its process dies, and rules for an address that is not here harm nothing.
//
// It never touches another table or a rule that others made, never has a table where nothing is refused, and
// never decides which addresses those are. To ask a kernel that has nf_tables as a module loads the module.
package accept
