// Package vrrp is VRRP version 3 (RFC 9568): the bytes on the wire, the rules by which a datagram is
// believed, and the state machines of a virtual router and of a sync group.
//
// It promises that every datagram that is not believed ends in a named [Drop], that a machine does
// what its transcript in testdata says and nothing else, and that the routers of a group change
// state together: a [Group] never leaves Step half Active, but for a router that has just come to it and
// is waiting for its old owner to let go.
//
// It never reads a clock, starts a goroutine or touches an address. Only [Conn] does I/O, and it
// does no more than send and receive. It knows nothing of clusters: who may own an address is told
// to it as a priority, a preempt flag and the addresses of the other members.
package vrrp
