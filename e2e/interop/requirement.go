package interop

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// A Requirement is something that is seen on the wire, with its number.
type Requirement struct {
	ID   string
	Text string
	// Holds says what in a cell's capture breaks it. A capture in which nothing could break it does so
	// too: a requirement that was not seen was not tested.
	Holds func(*Stand, []Frame) error
}

// Requirements are those that every cell's capture shows.
func Requirements(c Cell) []Requirement {
	all := []Requirement{
		{"V4", "adverts leave from the interface's own hardware address", each(v4)},
		{"V5", "adverts leave from the interface's primary address", each(v5)},
		{"V6", "adverts have traffic class 0xc0", each(func(_ *Stand, f Frame) error { return want("traffic class", f.TOS, 0xc0) })},
		{"V11", "adverts have the list of the configuration in its order", each(v11)},
		{"V12", "the advert goes before the announcements", v12},
		{"V14", "priority 0 is said on an orderly stop, before the other side serves, and only by an owner", v14},
		{"V16", "the interval in adverts is the configured one", each(v16)},
		{"V66", "announcements are repeated", v66},
		{"V69", "the multicast group is joined from the real address", v69},
	}
	if c.V6 {
		all = append(all, Requirement{"V2", "IPv6 adverts go to ff02::12 with Hop Limit 255 from a link-local address", each(v2)},
			Requirement{"V65", "unsolicited neighbour advertisements have the fields of the standard", eachOf(Gratuitous, v65)},
			Requirement{"V68", "the solicited-node group of an address is joined", v68})
	} else {
		all = append(all, Requirement{"V1", "IPv4 adverts go to 224.0.0.18 with TTL 255", each(v1)},
			Requirement{"V63", "gratuitous ARP is a request for the sender's own address, to all", eachOf(Gratuitous, v63)},
			Requirement{"V64", "the target hardware address of gratuitous ARP is all ones", eachOf(Gratuitous, v64)})
	}
	if c.Version == 3 {
		all = append(all, Requirement{"V8", "version 3 adverts have the layout of the standard", each(v8)})
	} else {
		all = append(all, Requirement{"V7", "version 2 adverts have the layout of the standard", each(v7)})
	}
	if c.Role == Standby {
		all = append(all, Requirement{"V51", "after a better advert nothing more is said", v51})
	}
	if c.VirtualMAC {
		all = append(all, Requirement{"V3", "adverts and announcements leave from the virtual router's hardware address", v3})
	}
	if c.Unicast {
		all = append(all, Requirement{"V33", "unicast adverts go to the neighbour alone, with TTL 255", each(v33)})
	}
	return slices.DeleteFunc(all, func(r Requirement) bool {
		return c.Unicast && slices.Contains([]string{"V1", "V2", "V69"}, r.ID) || c.VirtualMAC && r.ID == "V4"
	})
}

// each holds something of every advert that quorate sent.
func each(f func(*Stand, Frame) error) func(*Stand, []Frame) error { return eachOf(Advert, f) }

// eachOf holds something of every frame of a kind that quorate sent.
func eachOf(kind Kind, f func(*Stand, Frame) error) func(*Stand, []Frame) error {
	return func(s *Stand, frames []Frame) error {
		var errs []error
		n := 0
		for _, x := range frames {
			if x.Kind != kind || !s.fromQuorate(x) {
				continue
			}
			n++
			if err := f(s, x); err != nil && len(errs) < 3 {
				errs = append(errs, fmt.Errorf("%v: %w", x, err))
			}
		}
		if n == 0 {
			return errors.New("quorate sent no such frame")
		}
		return errors.Join(errs...)
	}
}

// fromQuorate tells whether quorate's host sent a frame of any kind. An announcement has a virtual address
// as its source, so its hardware address tells; one that both sides have does not, and what left the host does.
func (s *Stand) fromQuorate(f Frame) bool {
	if f.Kind == Gratuitous {
		if s.Cell.VirtualMAC {
			return f.Ours
		}
		return slices.Equal(f.From, s.Quorate.Host().MAC(s.Segment)) && !slices.Contains(s.own, f.Target)
	}
	return s.sent(f)
}

func want[T comparable](what string, got, want T) error {
	if got != want {
		return fmt.Errorf("%s is %v, want %v", what, got, want)
	}
	return nil
}

func v1(_ *Stand, f Frame) error {
	return errors.Join(want("destination", f.Dst, netip.MustParseAddr("224.0.0.18")), want("TTL", f.TTL, 255),
		want("hardware destination", f.To.String(), "01:00:5e:00:00:12"))
}

func v2(_ *Stand, f Frame) error {
	return errors.Join(want("destination", f.Dst, netip.MustParseAddr("ff02::12")), want("Hop Limit", f.TTL, 255),
		want("hardware destination", f.To.String(), "33:33:00:00:00:12"), want("link-local source", f.Src.IsLinkLocalUnicast(), true))
}

func v3(s *Stand, frames []Frame) error {
	leaves := func(s *Stand, f Frame) error { return want("hardware source", f.From.String(), s.Cell.mac().String()) }
	return errors.Join(each(leaves)(s, frames), eachOf(Gratuitous, leaves)(s, frames))
}

func v33(s *Stand, f Frame) error {
	return errors.Join(want("destination", f.Dst, netip.MustParseAddr(s.Cell.base(peerNumber))), want("TTL", f.TTL, 255),
		want("hardware destination", f.To.String(), s.Peer.Host().MAC(s.Segment).String()))
}

func v4(s *Stand, f Frame) error {
	return want("hardware source", f.From.String(), s.Quorate.Host().MAC(s.Segment).String())
}

func v5(s *Stand, f Frame) error {
	if f.Src.Is6() && !s.Cell.Unicast {
		return want("source is one of the interface's own", slices.Contains(s.own, f.Src), true)
	}
	return want("source", f.Src, netip.MustParseAddr(s.Cell.base(quorateNumber)))
}

func v7(s *Stand, f Frame) error {
	auth := 0
	var secret [8]byte
	if s.Cell.Pass {
		auth = 1
		copy(secret[:], password)
	}
	return errors.Join(want("version", f.Version, 2), want("type", f.Type, 1), want("VRID", f.VRID, vrid), want("authentication", f.Auth, auth),
		want("length", len(f.VRRP), 8+4*len(f.Addresses)+8), want("count", int(f.VRRP[3]), len(f.Addresses)),
		want("authentication data", string(f.VRRP[max(0, len(f.VRRP)-8):]), string(secret[:])))
}

func v8(_ *Stand, f Frame) error {
	size := f.Src.BitLen() / 8
	return errors.Join(want("version", f.Version, 3), want("type", f.Type, 1), want("VRID", f.VRID, vrid), want("reserved bits", f.Reserved, 0),
		want("length", len(f.VRRP), 8+size*len(f.Addresses)), want("count", int(f.VRRP[3]), len(f.Addresses)))
}

func v11(s *Stand, f Frame) error {
	for _, second := range []bool{false, true} {
		var list []netip.Addr
		for _, p := range s.Cell.addresses(second) {
			list = append(list, p.Addr())
		}
		if slices.Equal(list, f.Addresses) {
			return nil
		}
	}
	return fmt.Errorf("addresses %v", f.Addresses)
}

// v16 knows of the event in which the interval is doubled.
func v16(s *Stand, f Frame) error {
	if f.Interval == 2*s.Cell.Interval {
		return nil
	}
	return want("interval", f.Interval, s.Cell.Interval)
}

// waits is how long an advert that was sent first may come after an announcement: in unicast it waits for the
// neighbour's hardware address, which the kernel asks for again after a second if the link was down before.
func (s *Stand) waits() time.Duration {
	if s.Cell.Unicast {
		return time.Second + 50*time.Millisecond
	}
	return 0
}

// v12 wants an advert of quorate's shortly before each of its announcements: an owner sends one in each
// interval, and before it takes an address over it was silent for longer.
func v12(s *Stand, frames []Frame) error {
	seen := 0
	for _, f := range frames {
		if f.Kind != Gratuitous || !s.fromQuorate(f) {
			continue
		}
		seen++
		if !s.spoke(frames, f.At.Add(-3*s.Cell.Interval-50*time.Millisecond), f.At.Add(s.waits())) {
			return fmt.Errorf("%v, and no advert before it", f)
		}
	}
	if seen == 0 {
		return errors.New("quorate announced nothing")
	}
	return nil
}

// spoke tells whether quorate sent an advert of an owner between two times.
func (s *Stand) spoke(frames []Frame, from, to time.Time) bool {
	return slices.ContainsFunc(frames, func(f Frame) bool {
		return f.Kind == Advert && s.sent(f) && f.Priority > 0 && f.At.After(from) && f.At.Before(to)
	})
}

func v14(s *Stand, frames []Frame) error {
	said := 0
	speaks := false
	for _, f := range frames {
		if f.Kind != Advert || !s.sent(f) {
			continue
		}
		if f.Priority > 0 {
			speaks = true
			continue
		}
		said++
		if !speaks {
			return fmt.Errorf("%v without an advert before it", f)
		}
	}
	switch {
	case s.Cell.Role == Owner && (said < 1 || said > 3):
		return fmt.Errorf("one orderly stop, and priority 0 was said %d times", said)
	case s.Cell.Role == Standby && said > 0:
		return fmt.Errorf("no orderly stop, and priority 0 was said %d times", said)
	}
	return nil
}

func v51(s *Stand, frames []Frame) error {
	seen := 0
	for i, f := range frames {
		if f.Kind != Advert || s.sent(f) || f.Priority != high || s.deaf(f.At) || !s.spoke(frames[:i], f.At.Add(-2*s.Cell.Interval), f.At) {
			continue
		}
		seen++
		if g, ok := s.speaksOn(f, frames[i+1:]); ok {
			return fmt.Errorf("%v, %v after the better %v", g, g.At.Sub(f.At), f)
		}
	}
	if seen == 0 {
		return errors.New("quorate heard no better advert while it was owner")
	}
	return nil
}

// speaksOn returns what quorate says after a better advert that it goes on hearing, and after a moment in which
// it could not know.
// That it takes over again is another matter: then both sides were silent for as long as its patience.
func (s *Stand) speaksOn(better Frame, later []Frame) (Frame, bool) {
	grace, patience := max(2*s.Cell.Interval, 250*time.Millisecond), s.Cell.Down(low)-early
	heard, said := better.At, better.At
	for _, g := range later {
		late := g.At.Sub(better.At)
		switch {
		case late > grace+s.Cell.Interval || s.deaf(g.At):
			return Frame{}, false
		case g.Kind != Advert:
		case !s.sent(g):
			if g.Priority < low { // the better one resigns
				return Frame{}, false
			}
			heard = g.At
		case g.At.Sub(heard) >= patience && g.At.Sub(said) >= patience:
			return Frame{}, false
		case late > grace && g.Priority < high:
			return g, true
		default:
			said = g.At
		}
	}
	return Frame{}, false
}

func v63(_ *Stand, f Frame) error {
	return errors.Join(want("operation", f.Op, 1), want("target", f.Target, f.Src), want("sender's hardware address", f.SenderMAC.String(), f.From.String()),
		want("hardware destination", f.To.String(), "ff:ff:ff:ff:ff:ff"))
}

func v64(_ *Stand, f Frame) error {
	return want("target hardware address", f.TargetMAC.String(), "ff:ff:ff:ff:ff:ff")
}

// v65 is of a host that does not forward: override, and neither solicited nor router.
func v65(_ *Stand, f Frame) error {
	return errors.Join(want("destination", f.Dst, netip.IPv6LinkLocalAllNodes()), want("Hop Limit", f.TTL, 255), want("flags", f.Flags, 0x20),
		want("target", f.Target, f.Src), want("target's hardware address", f.TargetMAC.String(), f.From.String()))
}

func v68(s *Stand, frames []Frame) error {
	a := netip.MustParseAddr(s.Cell.virtual()).As16()
	g := [16]byte{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a[13], a[14], a[15]}
	return joined(s, frames, netip.AddrFrom16(g))
}

func v69(s *Stand, frames []Frame) error {
	g := netip.MustParseAddr("224.0.0.18")
	if s.Cell.V6 {
		g = netip.MustParseAddr("ff02::12")
	}
	return joined(s, frames, g)
}

// joined wants a membership report of quorate's host, from its own address, or from the virtual hardware address
// for what is joined there. The kernel sends it when it likes,
// within a second.
func joined(s *Stand, frames []Frame, g netip.Addr) error {
	for _, f := range frames {
		if f.Kind == Membership && (s.sent(f) || f.Ours) && slices.Contains(f.Joins, g) {
			return nil
		}
	}
	return fmt.Errorf("no report from %v that joins %v", s.own, g)
}
