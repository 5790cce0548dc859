package vrrp

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Advert is one advertisement ready to leave.
type Advert struct {
	Dst     netip.Addr
	Message []byte
}

// Sender has the adverts of one virtual router as they leave: encoded once, for each destination, and
// patched for each priority. It is used by one goroutine at a time, and made anew when anything but the
// priority changes.
type Sender struct {
	src     netip.Addr
	profile Profile
	plain   int // length of the message without a trailer
	out     []Advert
}

// NewSender returns the sender of a router. It refuses what no receiver would believe: an interval that
// the version does not have, an IPv6 list whose first address is not link-local (RFC 9568, section
// 5.2.9), and authentication that can be received only.
func NewSender(vrid uint8, interval time.Duration, addresses []netip.Addr, src netip.Addr, r Profile) (*Sender, error) {
	if err := r.Validate(interval, src.Is6()); err != nil {
		return nil, fmt.Errorf("adverts of VRID %d: %w", vrid, err)
	}
	switch {
	case r.Auth == Header:
		return nil, fmt.Errorf("adverts of VRID %d: the Authentication Header is received only", vrid)
	case src.Is6() && len(addresses) > 0 && !addresses[0].IsLinkLocalUnicast():
		return nil, fmt.Errorf("adverts of VRID %d: the first IPv6 address is %v, want one that is link-local", vrid, addresses[0])
	}
	p := Packet{
		Version: r.version(), VRID: vrid, Interval: interval, Addresses: addresses,
		Checksum: r.Checksum, Auth: r.Auth, Signed: r.Signing != nil && r.Signing.Active != 0,
	}
	if r.Auth != NoAuth {
		p.Secret = r.Secret
	}
	s := &Sender{src: src, profile: r}
	s.profile.Neighbors = slices.Clone(r.Neighbors)
	for _, dst := range s.destinations() {
		b, err := p.Append(nil, src, dst)
		if err != nil {
			return nil, err
		}
		s.out = append(s.out, Advert{dst, b})
		s.plain = len(b)
	}
	if len(s.out) == 0 {
		return nil, errors.New("adverts to nobody")
	}
	if p.Signed {
		s.plain -= stampLen
	}
	return s, nil
}

func (s *Sender) destinations() []netip.Addr {
	if !s.profile.Unicast {
		return []netip.Addr{Multicast(s.src.Is6())}
	}
	var out []netip.Addr
	for _, n := range s.profile.Neighbors {
		if n.Address != s.src { // one list is for all directors
			out = append(out, n.Address)
		}
	}
	return out
}

// Source returns the address that the adverts leave from.
func (s *Sender) Source() netip.Addr { return s.src }

// Adverts returns the adverts of a priority, one for each destination, as they leave at time now. They
// are valid until the next call.
func (s *Sender) Adverts(now time.Time, priority uint8) []Advert {
	signed := len(s.out[0].Message) > s.plain
	for _, a := range s.out {
		if !signed {
			if a.Message[2] != priority {
				patch(a.Message, priority)
			}
			continue
		}
		s.sign(now, a, priority)
	}
	return s.out
}

// sign makes a signed advert: the signature is over a message without a checksum, and comes first.
func (s *Sender) sign(now time.Time, a Advert, priority uint8) {
	a.Message[2] = priority
	a.Message[6], a.Message[7] = 0, 0
	s.profile.Signing.sign(now, a.Message, s.src)
	if s.src.Is6() {
		seal(a.Message, len(a.Message), s.src, a.Dst, Pseudo)
		return
	}
	seal(a.Message, s.plain, s.src, a.Dst, s.profile.Checksum)
}
