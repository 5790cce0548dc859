package vrrp

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Version is the version of VRRP that a virtual router speaks. It takes no other.
type Version uint8

const (
	// V2 is RFC 3768: IPv4 only, whole seconds, authentication data in every advert.
	V2 Version = 2
	// V3 is RFC 9568. It is what the zero Version means.
	V3 Version = 3
)

// Auth is an authentication type of version 2. The numbers are those on the wire.
type Auth uint8

const (
	// NoAuth ignores the authentication data.
	NoAuth Auth = iota
	// Password compares eight bytes, which every capture shows.
	Password
	// Header is the IP Authentication Header with HMAC-MD5-96 (RFC 2402). It is received only.
	Header
)

// Neighbor is a router of others that the configuration names: one to which unicast adverts go and
// from which they come, or one on the segment that is no stranger.
type Neighbor struct {
	Address netip.Addr
	// MinTTL is the lowest TTL or Hop Limit that its unicast adverts may have; zero is 255. keepalived
	// sends IPv6 unicasts with 64, and a router in between takes one off.
	MinTTL uint8
}

// Profile is how one virtual router speaks, and what it requires of those that speak to it. The zero
// Profile is version 3 over multicast, without authentication.
type Profile struct {
	Version Version
	// Unicast sends to the Neighbors and hears them alone, and no multicast.
	Unicast   bool
	Neighbors []Neighbor
	// Checksum is what is sent. Both are accepted, whatever it is, and what is heard never changes it.
	Checksum Checksum
	// Auth and Secret are those of version 2.
	Auth   Auth
	Secret [8]byte
	// Signing is keepalived's HMAC trailer, version 3 only; nil for none.
	Signing *Signing
	// Enforce drops what comes from neither a member nor a neighbor, unless it is signed.
	Enforce bool
	// StrictAddresses drops version 2 adverts of another address list, but for an address owner's, as
	// RFC 3768 has it. Version 3 adverts are believed whatever their list.
	StrictAddresses bool
	// VirtualMAC sends from 00:00:5e:00:01:VRID (IPv4) or 00:00:5e:00:02:VRID (IPv6). The messages are
	// the same; the driver sends them through an [Outlet] that has the address, and tells the machine.
	VirtualMAC bool
}

func (r *Profile) version() Version {
	if r.Version == 0 {
		return V3
	}
	return r.Version
}

// neighbor returns the neighbor of an address, nil if it is none.
func (r *Profile) neighbor(a netip.Addr) *Neighbor {
	for i := range r.Neighbors {
		if r.Neighbors[i].Address == a {
			return &r.Neighbors[i]
		}
	}
	return nil
}

// minTTL returns the lowest TTL that a datagram from src may have.
func (r *Profile) minTTL(src netip.Addr) int {
	if !r.Unicast {
		return TTL
	}
	if n := r.neighbor(src); n != nil && n.MinTTL != 0 {
		return int(n.MinTTL)
	}
	return TTL
}

// Validate reports all that a router of this profile, interval and family could not do. It does not
// ask whether the router can send.
func (r *Profile) Validate(interval time.Duration, v6 bool) error {
	var errs []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	v := r.version()
	refuse(v != V2 && v != V3, "version %d, want 2 or 3", v)
	refuse(v == V2 && v6, "version 2 is for IPv4 only")
	refuse(v == V3 && r.Auth != NoAuth, "version 3 has no authentication types, want none or signing")
	refuse(v == V2 && r.Signing != nil, "version 2 adverts are not signed")
	refuse(r.Auth > Header, "authentication type %d, want 0 to 2", r.Auth)
	errs = append(errs, checkInterval(v, interval))
	refuse(r.Unicast && len(r.Neighbors) == 0, "unicast to no neighbor")
	for _, n := range r.Neighbors {
		a := n.Address
		refuse(!a.IsValid() || a.Is6() != v6 || a.IsMulticast() || a.IsUnspecified(), "neighbor %v is not a host of the router's family", a)
	}
	return errors.Join(errs...)
}

// checkInterval reports an interval that the wire of a version cannot carry.
func checkInterval(v Version, interval time.Duration) error {
	switch {
	case v == V2 && (interval < time.Second || interval > 255*time.Second || interval%time.Second != 0):
		return fmt.Errorf("interval %v is not in whole seconds from 1 s to 255 s, as version 2 needs it", interval)
	case v != V2 && (interval < intervalUnit || interval > MaxInterval || interval%intervalUnit != 0):
		return fmt.Errorf("interval %v is not in steps of 10 ms from 10 ms to %v", interval, MaxInterval)
	}
	return nil
}
