package vrrp

import "net/netip"

// Outlet sends adverts through one interface.
type Outlet interface {
	// Send sends one advert from src to dst, a group or a host. It never blocks, and does not keep the
	// advert. One goroutine at a time may be in it.
	Send(src, dst netip.Addr, advert []byte) error
	// Close closes the socket.
	Close() error
}

// Conn sends and receives the adverts of one interface and address family. A router with a virtual MAC
// receives at the Conn of its interface like any other, and sends through an [Outlet] of its own.
type Conn interface {
	Outlet
	// Receive returns the next waiting datagram, and false if none waits. It never blocks. The
	// payload lies in buf.
	Receive(buf []byte) (Datagram, bool, error)
	// SetFilter has the kernel reject all that the filter does not let pass, from now on. What already
	// waits is received. It is for the goroutine that receives, and to be called now and then, also with the
	// same filter: it sees that a flood is over.
	SetFilter(Filter) error
	// Wait returns when a datagram waits, or with an error when the connection is closed. One
	// goroutine at a time may be in it, beside one that sends and receives.
	Wait() error
}

// Filter says what a Conn receives. The zero Filter lets adverts of all VRIDs pass that were sent to the
// multicast group with a TTL or Hop Limit of 255 and are neither too short nor too long. What it does
// not let pass is cut by the kernel to a few bytes that say why, and received as such, to be counted. In a flood
// of it the kernel drops it before it costs a wakeup, but for a sample from which the rest is estimated.
//
// A resignation that came to the group's address in a frame to this host alone never passes: that is
// how a single Backup could be made to take over.
type Filter struct {
	// VRIDs are those that pass; none is all.
	VRIDs VRIDs
	// Unicast lets pass what was sent to an address of this host, with whatever TTL.
	Unicast bool
	// AH receives adverts with an Authentication Header too. IPv4 only.
	AH bool
}

// VRIDs is a set of VRIDs.
type VRIDs [8]uint32

// Add puts a VRID into the set.
func (s *VRIDs) Add(vrid uint8) { s[vrid>>5] |= 1 << (vrid & 31) }

// Has reports whether a VRID is in the set.
func (s *VRIDs) Has(vrid uint8) bool { return s[vrid>>5]&(1<<(vrid&31)) != 0 }

// The payload of the shortest and of the longest advert that passes: one without addresses, which the
// judge counts, and one of 255 addresses with a trailer.
const minPayload = headerLen

func maxPayload(v6 bool) int {
	size := 4
	if v6 {
		size = 16
	}
	return headerLen + 255*size + stampLen
}
