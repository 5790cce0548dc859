// Package address puts virtual addresses on this host's interfaces, with the routes and rules that go
// with them and, where asked to, an interface with the VRRP MAC address to be on; it announces them to
// the neighbours, and tells of changes to interfaces, addresses and its own routes and rules.
//
// It promises that an address with a lifetime goes away by itself when nobody renews it, killed and
// frozen processes included; that all work stays in the network namespace in which [New] was
// called, whatever thread does it; that every conversation with the kernel ends by a deadline; that
// a virtual address neither becomes the source of the host's own connections nor takes the
// interface's own primary address or connected route with it when it goes; and that what it makes
// carries a mark, by which a later run knows it.
//
// It never removes or replaces an address, route or rule that is not its own, never decides who owns
// an address, and never believes an address gone on the word of an interrupted dump. Without virtual
// MACs it leaves arp_ignore and arp_announce alone: they matter where a Backup keeps the address
// configured and must be silent about it, and here a Backup does not have the address, so that its
// kernel has nothing to answer for; an owner behaves towards ARP as for any address of the host.
//
// # What a dead process leaves
//
// Of routes, the kernel removes by itself those of IPv6 that lead anywhere, for they have a lifetime
// too, and those of IPv4 in the main table whose Source is a virtual address, which go with it. Other
// IPv4 routes, blackholes and the like, and all rules stay until the next run sweeps them; none of them
// makes the host answer for an address. An interface with a virtual MAC stays, and is up, until the
// next run sets it down or takes it up again.
//
// # Virtual MACs
//
// The interface is a macvlan in VEPA mode on a parent, up only while it has an address: in private mode the
// kernel would keep from the parent what another owner says by multicast from the same MAC. Its parent
// gets arp_ignore = 1 and arp_announce = 2, or keeps what is stricter, and keeps them when the interface
// is gone: else it would answer for the address with its own MAC, or ask with it. The interface itself
// gets arp_ignore = 1 and rp_filter = 2, since answers leave by the parent, where the connected route is.
// Every switch and hypervisor between must let frames of a foreign MAC address through; that cannot be
// seen from here, see [Host.Preflight].
package address
