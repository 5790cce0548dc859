package vrrp

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"time"
)

// Judge is what a receiver knows about one virtual router, to believe or drop the adverts that
// carry its VRID.
type Judge struct {
	Profile Profile
	// Addresses are the router's virtual addresses, in order.
	Addresses []netip.Addr
	// Interval is the router's own advertisement interval.
	Interval time.Duration
	// Own has the host's own addresses, the virtual ones apart.
	Own map[netip.Addr]bool
	// Subnets are the prefixes of the interface, the virtual ones apart.
	Subnets []netip.Prefix
	// Members are the addresses of the other directors.
	Members map[netip.Addr]bool

	packet Packet
	notes  []Notice
	marks  marks
}

// Packet returns the advert that was last heard, to say what it was. It is valid until the next one.
func (j *Judge) Packet() *Packet { return &j.packet }

// Hear parses a datagram and judges the advert in it. Active is the router that the machine follows
// now; a resignation is believed from no other. The notices are valid until the next call.
func (j *Judge) Hear(now time.Time, d Datagram, active netip.Addr) (Received, []Notice, Drop) {
	if drop := j.packet.Parse(d, &j.Profile); drop != "" {
		return Received{}, nil, drop
	}
	return j.Believe(now, d.Src, &j.packet, active)
}

// Believe judges a parsed advert from src.
func (j *Judge) Believe(now time.Time, src netip.Addr, p *Packet, active netip.Addr) (Received, []Notice, Drop) {
	member, listed := j.Members[src], j.Profile.neighbor(src) != nil
	known := member || listed
	differs := p.Interval != j.Interval
	if p.Version == V2 && differs {
		return Received{}, nil, DropMismatch
	}
	if drop := j.source(src, member, listed); drop != "" {
		return Received{}, nil, drop
	}
	switch {
	case j.Profile.Enforce && !known && !p.Signed:
		return Received{}, nil, DropStranger
	case j.Profile.StrictAddresses && p.Version == V2 && p.Priority != 255 && !same(p.Addresses, j.Addresses):
		return Received{}, nil, DropAddresses
	}
	if drop := j.fresh(now, src, p); drop != "" {
		return Received{}, nil, drop
	}
	if p.Priority == 0 && src != active {
		return Received{}, nil, DropResignation
	}
	ev := Received{Source: src, Priority: p.Priority, Interval: p.Interval, Member: member}
	j.notes = j.notes[:0]
	if limit := max(4*j.Interval, time.Second); !known && p.Interval > limit {
		ev.Interval = limit // a stranger must not be able to silence the router for two minutes
		j.note(true, NoticeClamped)
	}
	j.note(differs, NoticeInterval)
	j.note(!slices.Equal(p.Addresses, j.Addresses), NoticeAddresses)
	j.note(src.Is6() && !p.Addresses[0].IsLinkLocalUnicast(), NoticeOrder)
	if p.Version == V3 && src.Is4() {
		j.note(p.Checksum == Plain, NoticeChecksum)
		j.note(p.Checksum == Pseudo && j.Profile.Checksum == Plain, NoticePseudo)
	}
	j.note(j.Profile.Signing != nil && !p.Signed, NoticeUnsigned)
	j.note(!known, NoticeStranger)
	j.note(p.Priority == 255, NoticeOwner)
	j.note(p.Priority == 255 && !known, NoticeStrangeOwner)
	return ev, j.notes, ""
}

func (j *Judge) note(odd bool, n Notice) {
	if odd {
		j.notes = append(j.notes, n)
	}
}

func (j *Judge) source(src netip.Addr, member, listed bool) Drop {
	// FRR speaks from a virtual link-local address where that is the first in its kernel's list. Whoever named
	// it as a neighbor knows; we ourselves never speak from one.
	virtual := slices.Contains(j.Addresses, src) && !(listed && src.IsLinkLocalUnicast() && src.Is6())
	switch {
	case j.Own[src] || virtual:
		return DropOwnSource
	case !src.IsValid() || src.IsUnspecified() || src.IsMulticast() || src.IsLoopback() || src == broadcast:
		return DropBadSource
	case listed:
		return ""
	case j.Profile.Unicast:
		return DropNotNeighbor
	case src.Is6() && !src.IsLinkLocalUnicast():
		return DropBadSource
	case member || src.Is6():
		return ""
	}
	for _, s := range j.Subnets {
		if s.Contains(src) {
			if directed(s, src) {
				return DropBadSource
			}
			return ""
		}
	}
	return DropOffSubnet
}

// directed reports whether an IPv4 address is the broadcast address of a subnet.
func directed(s netip.Prefix, a netip.Addr) bool {
	b := a.As4()
	host := ^uint32(0) >> s.Bits()
	return s.Bits() < 31 && binary.BigEndian.Uint32(b[:])&host == host
}

// same reports whether two lists have the same addresses, in whatever order.
func same(a, b []netip.Addr) bool {
	if len(a) != len(b) {
		return false
	}
	for _, x := range a {
		if !slices.Contains(b, x) {
			return false
		}
	}
	return true
}

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})
