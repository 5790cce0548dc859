package interop

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// A forgery is an advert that a test sends from the peer's host, as it stands on the wire.
type forgery struct {
	src      netip.Addr
	ttl      byte
	version  byte
	kind     byte
	vrid     byte
	priority byte
	count    int // of addresses that it says it has; -1 is as many as there are
	interval uint16
	list     []netip.Addr
	plain    bool // the checksum is without pseudo-header
	broken   bool // the checksum is wrong
	more     []byte
	unicast  bool // the frame goes to quorate's hardware address, the packet to the group
}

// advert is a good one of the peer's.
func (s *Stand) advert(priority int) forgery {
	f := forgery{
		src: netip.MustParseAddr(s.Cell.base(peerNumber)), ttl: 255, version: 3, kind: 1, vrid: vrid, priority: byte(priority), count: -1,
		interval: uint16(s.Cell.Interval / (10 * time.Millisecond)),
	}
	if s.Cell.V6 {
		mac := s.Peer.Host().MAC(s.Segment)
		f.src = netip.AddrFrom16([16]byte{0xfe, 0x80, 0, 0, 0, 0, 0, 0, mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]})
	}
	for _, p := range s.Cell.addresses(false) {
		f.list = append(f.list, p.Addr())
	}
	return f
}

// frame is the whole Ethernet frame.
func (f forgery) frame(s *Stand) []byte {
	msg := []byte{f.version<<4 | f.kind, f.vrid, f.priority, byte(f.count), 0, 0, 0, 0}
	if f.count < 0 {
		msg[3] = byte(len(f.list))
	}
	binary.BigEndian.PutUint16(msg[4:], f.interval)
	for _, a := range f.list {
		msg = append(msg, a.AsSlice()...)
	}
	group, to, kind := netip.MustParseAddr("224.0.0.18"), []byte{0x01, 0, 0x5e, 0, 0, 0x12}, []byte{0x08, 0}
	if f.src.Is6() {
		group, to, kind = netip.MustParseAddr("ff02::12"), []byte{0x33, 0x33, 0, 0, 0, 0x12}, []byte{0x86, 0xdd}
	}
	header := append(append(append([]byte{}, f.src.AsSlice()...), group.AsSlice()...), 0, 0, 0, byte(len(msg)), 0, 0, 0, 112)
	if f.plain {
		header = nil
	}
	binary.BigEndian.PutUint16(msg[6:], internet(append(header, msg...)))
	if f.broken {
		msg[6] ^= 0xff
	}
	msg = append(msg, f.more...)
	if f.unicast {
		to = s.Quorate.Host().MAC(s.Segment)
	}
	b := append(append(append([]byte{}, to...), s.Peer.Host().MAC(s.Segment)...), kind...)
	if f.src.Is6() {
		b = append(b, 0x6c, 0, 0, 0, 0, byte(len(msg)), 112, f.ttl)
		return append(append(append(b, f.src.AsSlice()...), group.AsSlice()...), msg...)
	}
	ip := []byte{0x45, 0xc0, 0, byte(20 + len(msg)), 0, 1, 0, 0, f.ttl, 112, 0, 0}
	ip = append(append(ip, f.src.AsSlice()...), group.AsSlice()...)
	binary.BigEndian.PutUint16(ip[10:], internet(ip))
	return append(append(b, ip...), msg...)
}

// internet is the checksum of the Internet.
func internet(b []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// alone is a stand on which quorate serves alone.
func alone(t *testing.T, v6 bool, interval time.Duration) *Stand {
	t.Helper()
	s := newStand(t, Cell{Peer: Keepalived, Role: Owner, Version: 3, V6: v6, Interval: interval})
	s.Quorate.Start(s.Cell.settings(low))
	if _, err := within(s.Cell.Down(low)+5*time.Second, func() error { return s.serves(s.Quorate, s.Cell.virtual()) }); err != nil {
		t.Fatal(err)
	}
	return s
}

// said are the adverts and announcements of quorate's from a time on. A forgery is none, whatever its source.
func (s *Stand) said(t *testing.T, begin time.Time) (adverts, announcements []Frame) {
	t.Helper()
	all, err := s.frames()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		switch {
		case f.At.Before(begin) || slices.Equal(f.From, s.Peer.Host().MAC(s.Segment)):
		case f.Kind == Advert && s.sent(f):
			adverts = append(adverts, f)
		case f.Kind == Gratuitous && s.fromQuorate(f):
			announcements = append(announcements, f)
		}
	}
	return adverts, announcements
}

// afterAdvert waits until just after quorate's next advert, so that an answer is told from an advert that
// was due, and returns the time.
func (s *Stand) afterAdvert(t *testing.T) time.Time {
	t.Helper()
	begin := time.Now()
	settled(t, func() error {
		now, err := s.adverts(s.Quorate, begin)
		if err == nil && len(now) == 0 {
			err = fmt.Errorf("no advert")
		}
		return err
	})
	return time.Now()
}

// An exchange is what was on the wire about forged adverts.
type exchange struct {
	before               Frame   // quorate's last advert before them
	forged               []Frame // the first and the last of them
	after, announcements []Frame // quorate's
}

// forge sends a forged advert, or many of the same, and waits for two adverts of quorate's.
func (s *Stand) forge(t *testing.T, times int, f forgery) (x exchange) {
	t.Helper()
	begin := s.afterAdvert(t).Add(-s.Cell.Interval)
	time.Sleep(s.Cell.Interval / 4) // so that a timer that started again is told from one that did not
	bytes := f.frame(s)
	s.Peer.Host().Send(s.Segment, slices.Repeat([][]byte{bytes}, times)...)
	settled(t, func() error {
		all, err := s.frames()
		if err != nil {
			return err
		}
		all = slices.DeleteFunc(all, func(f Frame) bool { return f.At.Before(begin) || !slices.Equal(f.Bytes, bytes) })
		if len(all) < times {
			return fmt.Errorf("%d of %d forged adverts were captured", len(all), times)
		}
		x.forged = []Frame{all[0], all[len(all)-1]}
		adverts, announcements := s.said(t, begin)
		i := slices.IndexFunc(adverts, func(f Frame) bool { return f.At.After(all[0].At) })
		if i < 1 || len(adverts) < i+2 {
			return fmt.Errorf("adverts %v, the forged one %v", adverts, all[0])
		}
		x.before, x.after = adverts[i-1], adverts[i:]
		x.announcements = slices.DeleteFunc(announcements, func(f Frame) bool { return f.At.Before(all[0].At) })
		return nil
	})
	return x
}

// atOnce says what is wrong where an advert should have been answered before the next one was due, and the
// timer should have started again then.
func (x exchange) atOnce() error {
	interval := x.before.Interval
	if took := x.after[0].At.Sub(x.before.At); took > interval*19/20 {
		return fmt.Errorf("it was not answered: adverts at %v and, %v later, at %v", x.before.At, took, x.after[0].At)
	}
	if next := x.after[1].At.Sub(x.after[0].At); next < interval*7/8 {
		return fmt.Errorf("the timer did not start again: an answer, and an advert %v later", next)
	}
	return nil
}

func TestAnOwnerAnswersWhoShouldNotSpeak(t *testing.T) {
	t.Parallel()
	for _, v6 := range []bool{false, true} {
		t.Run(map[bool]string{false: "IPv4", true: "IPv6"}[v6], func(t *testing.T) {
			t.Parallel()
			s := alone(t, v6, 2*time.Second)
			time.Sleep(1500 * time.Millisecond) // the first announcements are over
			t.Run("V53 priority 0 is answered at once, and the timer starts again", func(t *testing.T) {
				if err := s.forge(t, 1, s.advert(0)).atOnce(); err != nil {
					t.Error(err)
				}
			})
			t.Run("V54 a losing advert is answered at once, with announcements, and the timer starts again", func(t *testing.T) {
				x := s.forge(t, 1, s.advert(lowest))
				if err := x.atOnce(); err != nil {
					t.Error(err)
				}
				if len(x.announcements) == 0 {
					t.Error("nothing was announced")
				}
			})
			t.Run("V54 many losing adverts are not answered one by one", func(t *testing.T) {
				x := s.forge(t, 50, s.advert(lowest))
				first, last := x.forged[0].At, x.forged[1].At
				answers := slices.DeleteFunc(x.after, func(f Frame) bool { return f.At.Sub(last) > s.Cell.Interval/2 })
				if most := 1 + int(last.Sub(first)/(s.Cell.Interval/4)); len(answers) < 1 || len(answers) > most {
					t.Errorf("50 losing adverts within %v were answered by %d: %v", last.Sub(first), len(answers), answers)
				}
			})
		})
	}
}

// TestAnOwnerYieldsOnlyToWhatIsAnAdvert sends one forged advert in each case. Who yields to it is silent for
// as long as its patience is then, since nobody else speaks.
func TestAnOwnerYieldsOnlyToWhatIsAnAdvert(t *testing.T) {
	t.Parallel()
	for _, v6 := range []bool{false, true} {
		t.Run(map[bool]string{false: "IPv4", true: "IPv6"}[v6], func(t *testing.T) {
			t.Parallel()
			s := alone(t, v6, 400*time.Millisecond)
			for _, tt := range []struct {
				name   string
				change func(*forgery)
				yields bool
			}{
				{"V51 a better advert", func(*forgery) {}, true},
				{"V50 an equal priority from a higher address", func(f *forgery) { f.priority = low }, true},
				{"V50 an equal priority from a lower address", func(f *forgery) { f.priority = low; f.src = below(f.src) }, false},
				{"V18 an address fewer than the count says", func(f *forgery) { f.count = len(f.list) + 1 }, false},
				{"V19 bytes after the addresses", func(f *forgery) { f.more = make([]byte, 4) }, false},
				{"V20 a TTL of 254", func(f *forgery) { f.ttl = 254 }, false},
				{"V22 version 4", func(f *forgery) { f.version = 4 }, false},
				{"V22 type 2", func(f *forgery) { f.kind = 2 }, false},
				{"V23 another VRID", func(f *forgery) { f.vrid++ }, false},
				{"V24 a wrong checksum", func(f *forgery) { f.broken = true }, false},
				{"V27 the reserved bits are set", func(f *forgery) { f.interval |= 0xf000 }, true},
				{"V28 an interval of 0", func(f *forgery) { f.interval = 0 }, false},
				{"V29 another interval", func(f *forgery) { f.interval *= 2 }, true},
				{"V32 a checksum without pseudo-header", func(f *forgery) { f.plain = true }, !v6},
				{"V36 the router's own address as source", func(f *forgery) { f.src = s.source() }, false},
				{"V36 a virtual address as source", func(f *forgery) { f.src = f.list[0] }, false},
				{"V40 another address in the list", func(f *forgery) { f.list = append(f.list, f.list[0].Next()) }, true},
				{"V42 no address", func(f *forgery) { f.list = nil }, false},
			} {
				t.Run(tt.name, func(t *testing.T) {
					settled(t, func() error { return s.serves(s.Quorate, s.Cell.virtual()) })
					f := s.advert(highest)
					tt.change(&f)
					silence, gone := s.silenced(t, f)
					learned := Cell{Version: 3, Interval: time.Duration(f.interval&0xfff) * 10 * time.Millisecond}
					if f.interval == 0 {
						learned.Interval = s.Cell.Interval
					}
					if yields := silence >= learned.Down(low)-early; yields != tt.yields {
						t.Errorf("it yields: %v, want %v: silent for %v", yields, tt.yields, silence)
					}
					if gone != tt.yields {
						t.Errorf("it gave the address up: %v", gone)
					}
				})
			}
		})
	}
}

// silenced sends a forged advert, and returns for how long quorate was silent after it, and whether it was
// without its address in that time.
func (s *Stand) silenced(t *testing.T, f forgery) (silence time.Duration, gone bool) {
	t.Helper()
	begin, bytes := s.afterAdvert(t), f.frame(s)
	s.Peer.Host().Send(s.Segment, bytes)
	settled(t, func() error {
		gone = gone || len(s.Holders(s.Cell.virtual())) == 0
		all, err := s.frames()
		if err != nil {
			return err
		}
		i := slices.IndexFunc(all, func(f Frame) bool { return !f.At.Before(begin) && slices.Equal(f.Bytes, bytes) })
		if i < 0 {
			return fmt.Errorf("the forged advert was not captured")
		}
		adverts, _ := s.said(t, all[i].At)
		if len(adverts) == 0 {
			return fmt.Errorf("no advert after %v", all[i])
		}
		silence = adverts[0].At.Sub(all[i].At)
		return nil
	})
	return silence, gone
}

// below is a lower address than any host has, of the same network.
func below(a netip.Addr) netip.Addr {
	if a.Is6() {
		return netip.MustParseAddr("fe80::1")
	}
	return netip.MustParseAddr("192.0.2.1")
}

// source is the address that quorate's adverts leave from.
func (s *Stand) source() netip.Addr {
	for _, a := range s.own {
		if a.Is6() == s.Cell.V6 && (a.Is4() || a.IsLinkLocalUnicast()) {
			return a
		}
	}
	return netip.Addr{}
}

func TestABackupIsSilent(t *testing.T) {
	t.Parallel()
	for _, v6 := range []bool{false, true} {
		t.Run(map[bool]string{false: "IPv4", true: "IPv6"}[v6], func(t *testing.T) {
			t.Parallel()
			s := newStand(t, Cell{Peer: Keepalived, Role: Standby, Version: 3, V6: v6, Interval: time.Second})
			s.Quorate.Start(s.Cell.settings(low))
			begin := time.Now()
			better := s.advert(high).frame(s)
			s.Peer.Host().Send(s.Segment, better) // the owner, of which there is nothing but its adverts
			t.Run("V67 it answers nobody", func(t *testing.T) {
				if answers := s.Client.Ask(s.Segment, s.Cell.virtual(), 500*time.Millisecond); len(answers) > 0 {
					t.Errorf("it answers: %v", answers)
				}
			})
			t.Run("V43 priority 0 in a frame to itself alone is ignored", func(t *testing.T) {
				f := s.advert(0)
				f.unicast = true
				s.Peer.Host().Send(s.Segment, better, f.frame(s))
				settled(t, func() error { // it would speak after Skew_Time if it believed that
					if adverts, _ := s.said(t, begin); len(adverts) == 0 {
						return fmt.Errorf("it has not taken over")
					}
					return nil
				})
				all, err := s.frames()
				if err != nil {
					t.Fatal(err)
				}
				adverts, announcements := s.said(t, begin)
				all = slices.DeleteFunc(all, func(f Frame) bool { return !slices.Equal(f.Bytes, better) || f.At.After(adverts[0].At) })
				if len(all) != 2 {
					t.Fatalf("%d adverts of the owner were captured before it took over", len(all))
				}
				silence := adverts[0].At.Sub(all[1].At)
				if silence < s.Cell.Down(low)-early || slices.ContainsFunc(announcements, func(f Frame) bool { return f.At.Before(adverts[0].At) }) {
					t.Errorf("%v after the owner's last advert it speaks: %v %v", silence, adverts[0], announcements)
				}
			})
		})
	}
}
