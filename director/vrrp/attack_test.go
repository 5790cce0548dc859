package vrrp

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// A segment is where an Active router of priority 100 is shot at: the family, version and mode of it.
type segment struct {
	name     string
	profile  Profile
	own      netip.Addr
	attacker netip.Addr // unicast: a neighbor
	dst      netip.Addr
	list     []netip.Addr
	interval time.Duration
}

func segments() []segment {
	list4, list6 := addrs("192.0.2.100", "192.0.2.101"), addrs("fe80::100", "2001:db8::100")
	two := []Neighbor{{Address: addr("192.0.2.9")}, {Address: addr("192.0.2.1")}, {Address: addr("2001:db8::9")}, {Address: addr("2001:db8::1")}}
	return []segment{
		{"v3/4", Profile{}, addr("192.0.2.5"), addr("192.0.2.9"), group4, list4, 200 * time.Millisecond},
		{"v3/6", Profile{}, addr("fe80::5"), addr("fe80::9"), group6, list6, 200 * time.Millisecond},
		{"v2", Profile{Version: V2}, addr("192.0.2.5"), addr("192.0.2.9"), group4, list4, time.Second},
		{"unicast/4", Profile{Unicast: true, Neighbors: two}, addr("192.0.2.5"), addr("192.0.2.9"), addr("192.0.2.5"), list4, 200 * time.Millisecond},
		{"unicast/6", Profile{Unicast: true, Neighbors: two}, addr("2001:db8::5"), addr("2001:db8::9"), addr("2001:db8::5"), list6, 200 * time.Millisecond},
		{"unicast/v2", Profile{Version: V2, Unicast: true, Neighbors: two}, addr("192.0.2.5"), addr("192.0.2.9"), addr("192.0.2.5"), list4, time.Second},
	}
}

func (s segment) v6() bool { return s.own.Is6() }

// A shot is one datagram: what is encoded, and what is done to the bytes after that.
type shot struct {
	packet   Packet
	src, dst netip.Addr
	ttl      int
	fragment bool
	raw      func(b []byte) []byte // done to the encoded message
	sum      *Checksum             // then seal it like this
	sumDst   netip.Addr            // as if it went there
}

func (s segment) shot() *shot {
	return &shot{
		packet: Packet{Version: s.profile.version(), VRID: 51, Priority: 200, Interval: s.interval, Addresses: slices.Clone(s.list)},
		src:    s.attacker, dst: s.dst, ttl: TTL,
	}
}

func (h *shot) datagram(t *testing.T) Datagram {
	t.Helper()
	sumDst := h.dst
	if h.sumDst.IsValid() {
		sumDst = h.sumDst
	}
	src := h.src
	b, err := h.packet.Append(nil, src, sumDst)
	if err != nil {
		t.Fatal(err)
	}
	if h.raw != nil {
		b = h.raw(b)
	}
	if h.sum != nil {
		seal(b, len(b), src, sumDst, *h.sum)
	}
	return Datagram{Src: src, Dst: h.dst, TTL: h.ttl, Fragment: h.fragment, Payload: b}
}

// right is the checksum that a segment's messages have.
func (s segment) right() *Checksum {
	sum := Pseudo
	if s.profile.version() == V2 {
		sum = Plain
	}
	return &sum
}

// target is the Active router, as a driver runs it.
type target struct {
	judge Judge
	group *Group
	now   time.Time
}

func (s segment) target(edit func(*Judge)) *target {
	x := &target{now: time.Unix(1_795_337_481, 0), group: NewGroup()}
	x.judge = Judge{
		Profile: s.profile, Addresses: s.list, Interval: s.interval,
		Own:     map[netip.Addr]bool{s.own: true},
		Subnets: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("fe80::/64")},
		Members: map[netip.Addr]bool{},
	}
	if edit != nil {
		edit(&x.judge)
	}
	x.group.Add("r", Config{Source: s.own, Interval: s.interval, Priority: 100, Version: s.profile.Version}, "")
	x.group.Step(x.now, "", Start{})
	for x.group.State() != Active {
		x.now = x.group.Deadline()
		x.group.Step(x.now, "", Expired{})
	}
	x.now = x.now.Add(s.interval / 2)
	return x
}

// hit delivers a datagram and says what came of it: "yields", "replies" (an advert at once, and the
// announcement of a contended address), "answers" (an advert at once), "stays", or "ignored" and why.
func (x *target) hit(d Datagram) (string, []Notice) {
	vrid, drop := Peek(d)
	if drop == "" && vrid != 51 {
		drop = DropVRID
	}
	var ev Received
	var notices []Notice
	if drop == "" {
		ev, notices, drop = x.judge.Hear(x.now, d, d.Src)
	}
	if drop != "" {
		return "ignored: " + string(drop), nil
	}
	said := ""
	for _, e := range x.group.Step(x.now, "r", ev) {
		switch e.Action.(type) {
		case Advertise:
			said = "answers"
		case Announce:
			said = "replies"
		case Release:
			said = "yields"
		}
	}
	switch {
	case (x.group.State() == Active) == (said == "yields"):
		said = "is confused"
	case said == "":
		said = "stays"
	}
	return said, notices
}

func TestAttacks(t *testing.T) {
	for _, a := range attacks() {
		for _, s := range segments() {
			want := a.expect(s)
			if want == "-" {
				continue
			}
			t.Run(a.name+": "+s.name+" "+want, func(t *testing.T) {
				h := s.shot()
				if a.shot != nil {
					a.shot(s, h)
				}
				d := h.datagram(t)
				if _, drop := Peek(d); drop != "" { // what has no VRID does not parse either
					var p Packet
					if again := p.Parse(d, &s.profile); again != drop || want != "ignored: "+string(drop) {
						t.Errorf("Peek drops for %q, Parse for %q, want %s", drop, again, want)
					}
				}
				got, notices := s.target(a.judge).hit(d)
				if got != want {
					t.Fatalf("it %s, want %s", got, want)
				}
				for _, n := range a.notices {
					if !strings.HasPrefix(got, "ignored") && !slices.Contains(notices, n) {
						t.Errorf("notices %q, want %q too", notices, n)
					}
				}
			})
		}
	}
}

// A Backup believes that its Active router resigns, and nobody else.
func TestV43_A7_WhoMayResign(t *testing.T) {
	for _, s := range segments() {
		h := s.shot()
		h.packet.Priority = 0
		d := h.datagram(t)
		for active, want := range map[netip.Addr]Drop{s.attacker: "", s.own: DropResignation, {}: DropResignation} {
			if _, _, got := s.target(nil).judge.Hear(at, d, active); got != want {
				t.Errorf("%s: %v resigns while %v is active: drop %q, want %q", s.name, d.Src, active, got, want)
			}
		}
	}
}

func TestV23_VRIDZeroIsNoRouters(t *testing.T) {
	if vrid, drop := Peek(Datagram{Payload: make([]byte, 20)}); drop != DropVRID {
		t.Errorf("Peek = %d, drop %q", vrid, drop)
	}
}

// A1: the addresses are dark for no longer than the clamped interval says, not for two minutes.
func TestV29_A1_AStrangerSilencesTheRouterForSecondsOnly(t *testing.T) {
	s := segments()[0]
	for _, tt := range []struct {
		name  string
		judge func(*Judge)
		want  time.Duration
	}{
		{"a stranger", nil, 3*time.Second + 156*time.Second/256},
		{"a member", func(j *Judge) { j.Members[s.attacker] = true }, 3*MaxInterval + 156*MaxInterval/256},
		{"a neighbor", func(j *Judge) { j.Profile.Neighbors = []Neighbor{{Address: s.attacker}} }, 3*MaxInterval + 156*MaxInterval/256},
	} {
		t.Run("V29 "+tt.name, func(t *testing.T) {
			x := s.target(tt.judge)
			h := s.shot()
			h.packet.Interval = MaxInterval
			if got, _ := x.hit(h.datagram(t)); got != "yields" {
				t.Fatalf("it %s", got)
			}
			if got := x.group.Machine("r").deadline.Sub(x.now); got != tt.want {
				t.Errorf("back after %v, want %v", got, tt.want)
			}
		})
	}
}

// Interval zero made keepalived flap, and FRR a zombie.
func TestV28_A8_IntervalZeroDoesNothingAtAll(t *testing.T) {
	for _, s := range segments() {
		x := s.target(nil)
		before := x.group.Deadline()
		h := s.shot()
		resealed(func(b []byte) []byte { b[4], b[5] = b[4]&0xf0, 0; return b })(s, h)
		for range 1000 {
			x.hit(h.datagram(t))
		}
		if x.group.State() != Active || x.group.Deadline() != before {
			t.Errorf("%s: %v, next %v, want active and %v", s.name, x.group.State(), x.group.Deadline(), before)
		}
	}
}

// What is received must not decide how much is sent.
func TestV54_A4_AnswersAreRateLimited(t *testing.T) {
	for _, p := range []uint8{0, 50} {
		s := segments()[0]
		x := s.target(nil)
		h := s.shot()
		h.packet.Priority = p
		d := h.datagram(t)
		answers := 0
		for range 10_000 { // ten thousand in one interval
			if got, _ := x.hit(d); got != "stays" {
				answers++
			}
			x.now = x.now.Add(s.interval / 10_000)
		}
		if answers != 4 {
			t.Errorf("priority %d: %d answers in an interval, want 4", p, answers)
		}
	}
}
