// Package address puts virtual addresses on this host's interfaces, announces them to the
// neighbours, and tells of changes to interfaces and addresses.
//
// It promises that an address with a lifetime goes away by itself when nobody renews it, killed and
// frozen processes included; that all work stays in the network namespace in which [New] was
// called, whatever thread does it; that every conversation with the kernel ends by a deadline; and
// that a virtual address neither becomes the source of the host's own connections nor takes the
// interface's own primary address or connected route with it when it goes.
//
// It never removes an address that it was not told of, never decides who owns one, and never
// believes an address gone on the word of an interrupted dump. It leaves arp_ignore and
// arp_announce alone: they matter where a Backup keeps the address configured and must be silent
// about it, and here a Backup does not have the address, so that its kernel has nothing to answer
// for; an owner behaves towards ARP as for any address of the host.
package address
