// Package keeper is the process that keeps a director's virtual addresses: VRRP on the wire, the
// addresses in the kernel, and nothing else. The agent's other process gives it orders over a unix
// socket and is told what it heard and did.
//
// It promises that adverts leave on time whatever the kernel, the disk or the client do; that it
// goes on by itself, as standard VRRP and from a record on disk, when no client is there; that its
// timer takes nothing then that another director answers for on the segment; that an
// order given twice is as good as once; that an address is on this host only while its group is
// Active here or is being handed over; and that addresses vanish by themselves if the process dies.
//
// It never decides who should own a group: it takes priorities and claims from its orders, and all
// else from RFC 9568.
package keeper
