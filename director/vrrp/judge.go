package vrrp

import (
	"net/netip"
	"slices"
	"time"
)

// Drop names why a datagram was not believed. The empty Drop means that it was.
type Drop string

// The reasons to drop a datagram, in the order in which they are looked for.
const (
	DropFragment    Drop = "fragment"
	DropLength      Drop = "length"
	DropTTL         Drop = "ttl"
	DropDestination Drop = "destination"
	DropVersion     Drop = "version"
	DropType        Drop = "type"
	DropVRID        Drop = "vrid"
	DropNoAddress   Drop = "no address"
	DropTrailing    Drop = "trailing bytes"
	DropChecksum    Drop = "checksum"
	DropInterval    Drop = "interval zero"
	DropOwnSource   Drop = "own source"
	DropBadSource   Drop = "bad source"
	DropOffSubnet   Drop = "source off subnet"
	DropResignation Drop = "resignation of a stranger"
	DropIdle        Drop = "router not running"
)

// Notice names something odd about a datagram that was believed all the same.
type Notice string

// The oddities that a believed advert may have.
const (
	NoticeAddresses Notice = "address list differs"
	NoticeInterval  Notice = "interval differs"
	NoticeClamped   Notice = "interval clamped"
	NoticeChecksum  Notice = "checksum without pseudo-header"
	NoticeOwner     Notice = "priority 255"
)

// Judge is what a receiver knows about one virtual router, to believe or drop the adverts that
// carry its VRID.
type Judge struct {
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
}

// Believe judges a parsed advert from src. Active is the router that the machine follows now; a
// resignation is believed from no other.
func (j *Judge) Believe(src netip.Addr, p Packet, sum Checksum, active netip.Addr) (Received, []Notice, Drop) {
	member := j.Members[src]
	if drop := j.source(src, member); drop != "" {
		return Received{}, nil, drop
	}
	if p.Priority == 0 && src != active {
		return Received{}, nil, DropResignation
	}
	ev := Received{Source: src, Priority: p.Priority, Interval: p.Interval, Member: member}
	var notes []Notice
	if !slices.Equal(p.Addresses, j.Addresses) {
		notes = append(notes, NoticeAddresses)
	}
	if p.Interval != j.Interval {
		notes = append(notes, NoticeInterval)
	}
	if limit := max(4*j.Interval, time.Second); !member && p.Interval > limit {
		ev.Interval = limit // a stranger must not be able to silence the router for two minutes
		notes = append(notes, NoticeClamped)
	}
	if sum == Plain {
		notes = append(notes, NoticeChecksum)
	}
	if p.Priority == 255 {
		notes = append(notes, NoticeOwner)
	}
	return ev, notes, ""
}

func (j *Judge) source(src netip.Addr, member bool) Drop {
	switch {
	case j.Own[src] || slices.Contains(j.Addresses, src):
		return DropOwnSource
	case !src.IsValid() || src.IsUnspecified() || src.IsMulticast() || src.IsLoopback() || src == broadcast:
		return DropBadSource
	case src.Is6() && !src.IsLinkLocalUnicast():
		return DropBadSource
	case member || src.Is6():
		return ""
	}
	for _, s := range j.Subnets {
		if s.Contains(src) {
			return ""
		}
	}
	return DropOffSubnet
}

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})
