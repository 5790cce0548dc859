package vrrp

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// at is the time that a golden signed advert was made at.
var at = time.Unix(0x6b02ad09, 300e6)

func signedBy(t *testing.T, sign *Signing, src netip.Addr, now time.Time, priority uint8) []byte {
	t.Helper()
	list := addrs("192.0.2.100")
	if src.Is6() {
		list = addrs("fe80::100", "2001:db8::100")
	}
	s, err := NewSender(51, time.Second, list, src, Profile{Signing: sign})
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(s.Adverts(now, priority)[0].Message)
}

func judgeOf(p Profile) *Judge {
	return &Judge{Profile: p, Addresses: addrs("192.0.2.100"), Interval: time.Second, Subnets: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}
}

func fromTo(src, dst netip.Addr, b []byte) Datagram {
	return Datagram{Src: src, Dst: dst, TTL: TTL, Payload: b}
}

func TestPasswords(t *testing.T) {
	profile := Profile{Version: V2, Auth: Password, Secret: secret("s3cr3t")}
	src := addr("192.0.2.1")
	s, err := NewSender(52, time.Second, addrs("192.0.2.100"), src, profile)
	if err != nil {
		t.Fatal(err)
	}
	good := s.Adverts(at, 100)[0].Message
	t.Run("V72 what is sent is keepalived's", func(t *testing.T) {
		if want := unhex(t, "213464010101ad4ac00002647333637233740000"); !bytes.Equal(good, want) {
			t.Errorf("sent %x, want %x", good, want)
		}
	})
	for _, tt := range []struct {
		name, password string
		auth           Auth
		want           Drop
	}{
		{"V72 the password is right", "s3cr3t", Password, ""},
		{"V72 another password", "s3cr3T", Password, DropAuthData},
		{"V72 a password that ours begins with", "s3cr3", Password, DropAuthData},
		{"V72 a password that begins with ours", "s3cr3ts", Password, DropAuthData},
		{"V72 the eighth byte counts", "s3cr3t\x00x", Password, DropAuthData},
		{"V72 no password", "", Password, DropAuthData},
		{"V25 no authentication where there is a password", "s3cr3t", NoAuth, DropAuthType},
		{"V25 the type of AH without the header", "s3cr3t", Header, DropAuthType},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := Packet{Version: V2, VRID: 52, Priority: 100, Interval: time.Second, Addresses: addrs("192.0.2.100"), Auth: tt.auth, Secret: secret(tt.password)}
			b, err := p.Append(nil, src, group4)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, got := judgeOf(profile).Hear(at, fromTo(src, group4, b), src); got != tt.want {
				t.Errorf("drop %q, want %q", got, tt.want)
			}
		})
	}
}

func TestTheAuthenticationHeader(t *testing.T) {
	golden := goldenPackets(t)[3]
	frame := unhex(t, golden.frame)
	hear := func(j *Judge, now time.Time, b []byte) Drop {
		d, ok := parse4(b[14:])
		if !ok {
			t.Fatal("not delivered")
		}
		_, _, drop := j.Hear(now, d, d.Src)
		return drop
	}
	for _, tt := range []struct {
		name  string
		edit  func(p *Profile, b []byte)
		want  Drop
		other bool
	}{
		{name: "V73 keepalived's is right"},
		{name: "V73 another key", edit: func(p *Profile, _ []byte) { p.Secret[0]++ }, want: DropAuthData},
		{name: "V73 TOS, fragment bits and checksum do not count", edit: func(_ *Profile, b []byte) { b[15], b[20], b[24], b[25] = 0, 0x40, 1, 2 }},
		{name: "V73 the identification counts", edit: func(_ *Profile, b []byte) { b[19]++ }, want: DropAuthData},
		{name: "V73 the source counts", edit: func(_ *Profile, b []byte) { b[29]++ }, want: DropAuthData},
		{name: "V73 the SPI counts", edit: func(_ *Profile, b []byte) { b[41]++ }, want: DropAuthData},
		{name: "V73 another next header", edit: func(_ *Profile, b []byte) { b[34]++ }, want: DropAuthData},
		{name: "V73 another length", edit: func(_ *Profile, b []byte) { b[35]++ }, want: DropAuthData},
		{name: "V73 the message counts", edit: func(_ *Profile, b []byte) {
			b[60] = 255
			seal(b[58:], len(b)-58, addr("192.0.2.1"), group4, Plain)
		}, want: DropAuthData},
		{name: "V25 where there is no authentication", edit: func(p *Profile, _ []byte) { p.Auth = NoAuth }, want: DropAuthType},
		{name: "V25 where there is a password", edit: func(p *Profile, _ []byte) { p.Auth = Password }, want: DropAuthType},
		{name: "V18 the header alone", edit: func(_ *Profile, b []byte) { b[17] = 20 + ahLen }, want: DropLength},
		{name: "V18 half a header", edit: func(_ *Profile, b []byte) { b[17] = 30 }, want: DropLength},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, profile := slices.Clone(frame), golden.profile
			if tt.edit != nil {
				tt.edit(&profile, b)
			}
			if got := hear(judgeOf(profile), at, b); got != tt.want {
				t.Errorf("drop %q, want %q", got, tt.want)
			}
		})
	}
	t.Run("V73 A5 a sequence that was heard is a replay, until its sender has been silent", func(t *testing.T) {
		j := judgeOf(golden.profile)
		for _, step := range []struct {
			after time.Duration
			want  Drop
		}{{0, ""}, {0, DropReplay}, {4 * time.Second, DropReplay}, {4*time.Second + 1, ""}} {
			if got := hear(j, at.Add(step.after), frame); got != step.want {
				t.Errorf("after %v: drop %q, want %q", step.after, got, step.want)
			}
		}
	})
	t.Run("V73 the TTL of a unicast does not count", func(t *testing.T) {
		b := slices.Clone(frame[14:])
		if verifyAH(b, secret("s3cr3t"), true) {
			t.Error("a multicast's header is taken for a unicast's")
		}
		b[8] = 0
		withZero := verifyAH(b, secret("s3cr3t"), false)
		b[8] = 17
		if withZero || verifyAH(b, secret("s3cr3t"), false) {
			t.Error("the TTL of a multicast does not count")
		}
	})
	t.Run("V25 a header that nobody asked for, and one that is missing", func(t *testing.T) {
		d, _ := parse4(frame[14:])
		with := d
		plain, err := (&Packet{VRID: 53, Priority: 100, Interval: time.Second, Addresses: addrs("192.0.2.100")}).Append(nil, d.Src, d.Dst)
		if err != nil {
			t.Fatal(err)
		}
		with.Payload = plain
		without := d
		without.AH = nil
		for _, tt := range []struct {
			name string
			d    Datagram
			r    Profile
		}{{"version 3", with, Profile{}}, {"missing", without, golden.profile}} {
			if _, _, got := judgeOf(tt.r).Hear(at, tt.d, d.Src); got != DropAuthType {
				t.Errorf("%s: drop %q", tt.name, got)
			}
		}
	})
	t.Run("V73 a sender refuses it", func(t *testing.T) {
		if _, err := NewSender(53, time.Second, addrs("192.0.2.100"), addr("192.0.2.1"), golden.profile); err == nil {
			t.Error("no error")
		}
	})
}

func TestSigning(t *testing.T) {
	for _, g := range goldenPackets(t) {
		if !g.want.Signed {
			continue
		}
		t.Run("V74 V35 "+g.name+" is signed to the same bytes at the same time", func(t *testing.T) {
			b, start := g.datagram(t)
			d, _ := g.deliver(b)
			fraction := g.want.Stamp.Sequence >> 16 & 0xffff
			now := time.Unix(int64(g.want.Stamp.Sequence>>32), int64((fraction*1e9+0xffff)>>16))
			s, err := NewSender(51, time.Second, g.want.Addresses, d.Src, Profile{Signing: goldenKey(t)})
			if err != nil {
				t.Fatal(err)
			}
			if got := s.Adverts(now, 100)[0].Message; !bytes.Equal(got, b[start:]) {
				t.Errorf("sent %x\nwant %x", got, b[start:])
			}
		})
	}
	src := addr("192.0.2.1")
	key := func(n byte) Key { return Key{n, bytes.Repeat([]byte{n}, 32)} }
	by := func(active uint8, keys ...Key) *Signing {
		s, err := NewSigning(active, keys...)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	plain, err := (&Packet{VRID: 51, Priority: 100, Interval: time.Second, Addresses: addrs("192.0.2.100")}).Append(nil, src, group4)
	if err != nil {
		t.Fatal(err)
	}
	optional := func(s *Signing) *Signing { s.Optional = true; return s }
	monotonic := func(s *Signing) *Signing { s.Monotonic = true; return s }
	wide := func(s *Signing) *Signing { s.Window = time.Minute; return s }
	for _, tt := range []struct {
		name    string
		advert  []byte
		signing *Signing
		after   time.Duration
		want    Drop
	}{
		{name: "V74 a key that is known", advert: signedBy(t, by(1, key(1)), src, at, 100), signing: by(1, key(1))},
		{name: "V74 the other key of two", advert: signedBy(t, by(2, key(2)), src, at, 100), signing: by(1, key(1), key(2))},
		{name: "V74 another key", advert: signedBy(t, by(2, key(2)), src, at, 100), signing: by(1, key(1)), want: DropSignature},
		{name: "V74 another secret of the same id", advert: signedBy(t, by(1, Key{1, bytes.Repeat([]byte{9}, 32)}), src, at, 100), signing: by(1, key(1)), want: DropSignature},
		{name: "V74 signed for another source", advert: signedBy(t, by(1, key(1)), addr("192.0.2.2"), at, 100), signing: by(1, key(1)), want: DropChecksum},
		{name: "V74 not signed", advert: plain, signing: by(1, key(1)), want: DropUnsigned},
		{name: "V74 not signed where that is optional", advert: plain, signing: optional(by(1, key(1)))},
		{name: "V74 badly signed where that is optional", advert: signedBy(t, by(2, key(2)), src, at, 100), signing: optional(by(1, key(1))), want: DropSignature},
		{name: "V19 signed where nothing is", advert: signedBy(t, by(1, key(1)), src, at, 100), want: DropTrailing},
		{name: "A5 five seconds ago", advert: signedBy(t, by(1, key(1)), src, at, 100), signing: by(1, key(1)), after: 5 * time.Second},
		{name: "A5 six seconds ago", advert: signedBy(t, by(1, key(1)), src, at, 100), signing: by(1, key(1)), after: 6 * time.Second, want: DropClock},
		{name: "A5 in six seconds", advert: signedBy(t, by(1, key(1)), src, at, 100), signing: by(1, key(1)), after: -6 * time.Second, want: DropClock},
		{name: "A5 six seconds ago in a window of a minute", advert: signedBy(t, by(1, key(1)), src, at, 100), signing: wide(by(1, key(1))), after: 6 * time.Second},
		{name: "A5 a year ago where only the order counts", advert: signedBy(t, by(1, key(1)), src, at, 100), signing: monotonic(by(1, key(1))), after: 365 * 24 * time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, _, got := judgeOf(Profile{Signing: tt.signing}).Hear(at.Add(tt.after), fromTo(src, group4, tt.advert), src)
			if got != tt.want {
				t.Errorf("drop %q, want %q", got, tt.want)
			}
		})
	}
}

func TestReplay(t *testing.T) {
	src, other := addr("192.0.2.1"), addr("192.0.2.2")
	t.Run("A5 V74 each advert is believed once, and none that is older than the last", func(t *testing.T) {
		key := goldenKey(t)
		j := judgeOf(Profile{Signing: goldenKey(t)})
		first, second := signedBy(t, key, src, at, 100), signedBy(t, key, src, at.Add(time.Second), 100)
		for i, step := range []struct {
			b    []byte
			want Drop
		}{{first, ""}, {first, DropReplay}, {second, ""}, {first, DropReplay}, {second, DropReplay}} {
			if _, _, got := j.Hear(at, fromTo(src, group4, step.b), src); got != step.want {
				t.Errorf("step %d: drop %q, want %q", i, got, step.want)
			}
		}
	})
	t.Run("A5 the marks of two senders are apart", func(t *testing.T) {
		j := judgeOf(Profile{Signing: goldenKey(t)})
		for i, b := range [][]byte{signedBy(t, goldenKey(t), src, at.Add(time.Second), 100), signedBy(t, goldenKey(t), other, at, 100)} {
			from := []netip.Addr{src, other}[i]
			if _, _, got := j.Hear(at, fromTo(from, group4, b), from); got != "" {
				t.Errorf("from %v: drop %q", from, got)
			}
		}
	})
	t.Run("A5 what is not signed moves no mark", func(t *testing.T) {
		j := judgeOf(Profile{Signing: goldenKey(t)})
		good := signedBy(t, goldenKey(t), src, at, 100)
		forged := slices.Clone(good)
		forged[len(forged)-macLen-1]++ // a later counter
		if _, _, got := j.Hear(at, fromTo(src, group4, forged), src); got != DropSignature {
			t.Errorf("forged: drop %q", got)
		}
		if _, _, got := j.Hear(at, fromTo(src, group4, good), src); got != "" {
			t.Errorf("after it: drop %q", got)
		}
	})
	t.Run("A5 the sequence grows though the clock goes back", func(t *testing.T) {
		key := goldenKey(t)
		j := judgeOf(Profile{Signing: goldenKey(t)})
		for i, now := range []time.Time{at, at, at.Add(-time.Hour), at.Add(-time.Minute), at.Add(time.Second)} {
			if _, _, got := j.Hear(at, fromTo(src, group4, signedBy(t, key, src, now, 100)), src); got != "" {
				t.Errorf("advert %d: drop %q", i, got)
			}
		}
	})
	t.Run("A5 the oldest sender is forgotten where there are too many", func(t *testing.T) {
		m := marks{}
		for i := range senders + 1 {
			m.advance(at.Add(time.Duration(i)), netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 1, 0)
		}
		if _, there := m[netip.AddrFrom4([4]byte{192, 0, 2, 0})]; there || len(m) != senders {
			t.Errorf("%d senders, the oldest among them: %v", len(m), there)
		}
	})
}

func TestKeysThatAreRefused(t *testing.T) {
	long := func(n int) []byte { return make([]byte, n) }
	for _, tt := range []struct {
		name   string
		active uint8
		keys   []Key
	}{
		{"V74 a key of 31 bytes", 1, []Key{{1, long(31)}}},
		{"V74 a key of 65 bytes", 1, []Key{{1, long(65)}}},
		{"V74 key 0", 0, []Key{{0, long(32)}}},
		{"V74 a key that is there twice", 1, []Key{{1, long(32)}, {1, long(33)}}},
		{"V74 no key", 0, nil},
		{"V74 no key to sign with", 2, []Key{{1, long(32)}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := NewSigning(tt.active, tt.keys...); err == nil {
				t.Error("no error")
			}
		})
	}
}
