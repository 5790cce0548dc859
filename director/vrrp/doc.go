// Package vrrp is VRRP: version 3 (RFC 9568) and version 2 (RFC 3768), over multicast and unicast, as
// keepalived, FRR and hardware routers speak it. It has the bytes on the wire, the rules by which a
// datagram is believed, and the state machines of a virtual router and of a sync group.
//
// A router's [Profile] says how it speaks and what it requires: version, mode and [Neighbor]s, checksum,
// password, AH or [Signing], whether strangers are heard. A [Sender] has its adverts, encoded once and
// patched for each priority. A received [Datagram] is looked at twice: [Peek] finds the VRID and so the
// router, whose [Judge] hears it. What is believed is an event of the router's [Machine], or of the
// [Group] that it is in; what those answer is done by the driver, in order:
//
//	Conn.Receive -> Peek -> Judge.Hear -> Group.Step -> Sender.Adverts -> Outlet.Send
//
// A router with a virtual MAC is received at the [Conn] of its interface, and sends through an [Outlet]
// of its own, see [Through]. A Conn's [Filter] has the kernel drop what nobody would read.
//
// It promises that every datagram that is not believed ends in a named [Drop], that what is believed
// and odd has a [Notice], that a machine does what its transcript in testdata says and nothing else, and
// that the routers of a group change state together: a [Group] never leaves Step half Active, but for a
// router that has just come to it and is waiting for its old owner to let go. Sending and hearing an
// advert allocate nothing. What is heard never changes how adverts are sent.
//
// Neither a password nor AH is security; an advert that is not signed may be anybody's. AH is received
// and never sent. There is no budget of adverts per router: it would have to be spent before it is known
// who sent them, and whoever spends it first silences the router. What is limited is what is answered.
//
// It never reads a clock, starts a goroutine or touches an address. Only [Conn] and [Outlet] do I/O, and
// they do no more than send and receive. It knows nothing of clusters: who may own an address is told
// to it as a priority, a preempt flag and the addresses of the other members.
package vrrp
