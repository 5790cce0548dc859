// Package interop holds quorate's VRRP against the implementations that it meets in the field, as Debian
// packages them: keepalived and FRR. Both sides are the real programs, each on a host of its own in the
// lab, with a client beside them and a capture of the wire.
//
// A [Cell] is one combination of what may differ: who owns first, the peer, the version, the family, how
// adverts are sent, the interval. A cell lives through every [Event], and after each of them exactly one
// host serves the address and the client's neighbour table is right. Its capture is judged twice: by
// tshark, which must find nothing to say about what quorate sent, and by numbered requirements that are
// subtests, so that a table of them can be made from what `go test -json` writes.
//
// On a busy machine a process may have no CPU for longer than three adverts of 10 ms, and the other side is
// then right to take over. That is no fault, but only where the capture shows the silence: see [Lapse].
//
// It promises that a cell which cannot run is named with the reason, and that every judge has a test in
// which it must find something. It asserts no time below a second; figures are printed.
package interop
