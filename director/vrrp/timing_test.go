package vrrp

import (
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"
)

// start is the beginning of virtual time.
var start = time.Unix(1000, 0)

// rig is one machine in virtual time.
type rig struct {
	t *testing.T
	m *Machine
}

func newRig(t *testing.T, cfg Config) *rig {
	t.Helper()
	if !cfg.Source.IsValid() {
		cfg.Source = addr("192.0.2.5")
	}
	if cfg.Interval == 0 {
		cfg.Interval = time.Second
	}
	return &rig{t, NewMachine(cfg)}
}

// at steps the machine at a time since the start, and returns what it says.
func (r *rig) at(after time.Duration, ev Event) string {
	var said []string
	for _, a := range r.m.Step(start.Add(after), ev) {
		said = append(said, show(a))
	}
	return strings.Join(said, ", ")
}

// expect steps, and compares what is said and the state after it.
func (r *rig) expect(after time.Duration, ev Event, want string, state State) {
	r.t.Helper()
	if got := r.at(after, ev); got != want || r.m.State() != state {
		r.t.Errorf("at %v %T%+v: %q, then %v; want %q, then %v", after, ev, ev, got, r.m.State(), want, state)
	}
}

// next is when the timer fires, since the start.
func (r *rig) next() time.Duration { return r.m.deadline.Sub(start) }

func (r *rig) timer(want time.Duration) {
	r.t.Helper()
	if got := r.next(); got != want {
		r.t.Errorf("the timer fires at %v, want %v", got, want)
	}
}

// active makes the machine Active at the time that is returned.
func (r *rig) active() time.Duration {
	r.t.Helper()
	r.at(0, Start{})
	now := r.next()
	r.at(now, Expired{})
	if r.m.State() != Active {
		r.t.Fatalf("%v, want active", r.m.State())
	}
	return now
}

func heard(source string, priority uint8, interval time.Duration) Received {
	return Received{Source: addr(source), Priority: priority, Interval: interval}
}

const taken = "own, announce" // after the first advert

func TestDownTimer(t *testing.T) {
	for _, tt := range []struct {
		interval time.Duration
		priority uint8
		version  Version
		down     time.Duration
		skew     time.Duration
	}{
		{time.Second, 100, V3, 3609375 * time.Microsecond, 609375 * time.Microsecond},
		{time.Second, 200, V3, 3218750 * time.Microsecond, 218750 * time.Microsecond},
		{time.Second, 254, V3, 3007812500, 7812500},
		{time.Second, 1, V3, 3996093750, 996093750},
		{100 * time.Millisecond, 100, V3, 360937500, 60937500},
		{100 * time.Millisecond, 200, V3, 321875 * time.Microsecond, 21875 * time.Microsecond},
		{100 * time.Millisecond, 254, V3, 300781250, 781250},
		{10 * time.Millisecond, 100, V3, 36093750, 6093750},
		{10 * time.Millisecond, 200, V3, 32187500, 2187500},
		{10 * time.Millisecond, 254, V3, 30078125, 78125},
		{10 * time.Millisecond, 253, V3, 30117187, 117187}, // 117187.5, never rounded to centiseconds
		{time.Second, 100, V2, 3609375 * time.Microsecond, 609375 * time.Microsecond},
		{10 * time.Second, 100, V2, 30609375 * time.Microsecond, 609375 * time.Microsecond},
		{255 * time.Second, 254, V2, 765007812500, 7812500},
	} {
		name := fmt.Sprintf("priority %d, %v, version %d", tt.priority, tt.interval, tt.version)
		cfg := Config{Interval: tt.interval, Priority: tt.priority, Version: tt.version}
		t.Run("V45 Active_Down_Interval to the nanosecond: "+name, func(t *testing.T) {
			r := newRig(t, cfg)
			r.at(0, Start{})
			r.timer(tt.down)
			r.at(tt.interval, heard("192.0.2.9", 255, tt.interval))
			r.expect(tt.interval+tt.down-1, Expired{}, "silent", Backup)
			r.expect(tt.interval+tt.down, Expired{}, fmt.Sprintf("advertise %d, %s", tt.priority, taken), Active)
		})
		t.Run("V46 Skew_Time after priority 0 to the nanosecond: "+name, func(t *testing.T) {
			r := newRig(t, cfg)
			r.at(0, Start{})
			r.at(tt.interval, heard("192.0.2.9", 255, tt.interval))
			r.at(2*tt.interval, heard("192.0.2.9", 0, tt.interval))
			r.expect(2*tt.interval+tt.skew-1, Expired{}, "", Backup)
			r.expect(2*tt.interval+tt.skew, Expired{}, fmt.Sprintf("advertise %d, %s", tt.priority, taken), Active)
		})
	}
	t.Run("V45 the formula holds for all priorities and intervals", func(t *testing.T) {
		for cs := int64(1); cs <= 0xfff; cs += 7 {
			for p := int64(1); p < 256; p++ {
				m := NewMachine(Config{Interval: time.Duration(cs) * intervalUnit, Priority: uint8(p)})
				ns := big.NewInt(cs * int64(intervalUnit))
				skew := new(big.Int).Div(new(big.Int).Mul(ns, big.NewInt(256-p)), big.NewInt(256))
				if want := 3*ns.Int64() + skew.Int64(); int64(m.Down()) != want {
					t.Fatalf("priority %d, %d cs: %d, want %d", p, cs, m.Down(), want)
				}
			}
		}
	})
}

func TestBackup(t *testing.T) {
	t.Run("V47 a lower advert leaves the timer alone, and so does a raise of the priority", func(t *testing.T) {
		r := newRig(t, Config{Priority: 100, Preempt: true})
		r.at(0, Start{})
		for i := range 3 {
			r.expect(time.Duration(i+1)*time.Second, heard("192.0.2.9", 99, time.Second), "", Backup)
			r.timer(3609375 * time.Microsecond)
		}
		r.expect(3100*time.Millisecond, SetPriority{Priority: 200, Preempt: true}, "", Backup)
		r.timer(3609375 * time.Microsecond)
		r.expect(3200*time.Millisecond, SetPriority{Priority: 10, Preempt: true}, "", Backup)
		r.timer(3609375 * time.Microsecond)
	})
	t.Run("V48 without preempt a lower advert starts it again, with the interval that it says", func(t *testing.T) {
		r := newRig(t, Config{Priority: 200})
		r.at(0, Start{})
		r.expect(time.Second, heard("192.0.2.9", 1, 500*time.Millisecond), "", Backup)
		r.timer(time.Second + 3*500*time.Millisecond + 56*500*time.Millisecond/256)
	})
	for _, source := range []string{"192.0.2.1", "192.0.2.9"} {
		t.Run("V49 equal priority is followed, from "+source, func(t *testing.T) {
			r := newRig(t, Config{Priority: 100, Preempt: true})
			r.at(0, Start{})
			r.expect(time.Second, heard(source, 100, time.Second), "", Backup)
			r.timer(4609375 * time.Microsecond)
		})
	}
	t.Run("V29 V55 the interval of a new Active router is learned at once, and forgotten at the next start", func(t *testing.T) {
		r := newRig(t, Config{Priority: 100})
		r.at(0, Start{})
		r.at(time.Second, heard("192.0.2.9", 200, 100*time.Millisecond))
		r.timer(time.Second + 360937500)
		r.at(time.Second, heard("192.0.2.8", 210, 2*time.Second))
		r.timer(time.Second + 7218750*time.Microsecond)
		r.at(2*time.Second, Stop{})
		r.at(3*time.Second, Start{})
		r.timer(3*time.Second + 3609375*time.Microsecond)
	})
	t.Run("V16 what is learned is not what is sent, nor the own timer", func(t *testing.T) {
		r := newRig(t, Config{Priority: 100})
		r.at(0, Start{})
		r.at(0, heard("192.0.2.9", 200, 100*time.Millisecond))
		r.expect(360937500, Expired{}, "silent, advertise 100, "+taken, Active)
		r.timer(360937500 + time.Second)
	})
	t.Run("V56 a new interval leaves the learned timer alone", func(t *testing.T) {
		r := newRig(t, Config{Priority: 100})
		r.at(0, Start{})
		r.at(time.Second, heard("192.0.2.9", 200, time.Second))
		r.expect(2*time.Second, SetInterval{100 * time.Millisecond}, "", Backup)
		r.timer(4609375 * time.Microsecond)
	})
	t.Run("a Backup that has heard nobody yet waits as long as a new interval wants", func(t *testing.T) {
		r := newRig(t, Config{Priority: 100, Interval: 100 * time.Millisecond})
		r.at(0, Start{})
		r.timer(360937500)
		r.expect(10*time.Millisecond, SetInterval{time.Second}, "", Backup)
		r.timer(10*time.Millisecond + 3609375*time.Microsecond)
		r.expect(20*time.Millisecond, SetInterval{500 * time.Millisecond}, "", Backup) // who is there may not know it yet
		r.timer(10*time.Millisecond + 3609375*time.Microsecond)
	})
	t.Run("V14 nothing is said at a stop", func(t *testing.T) {
		r := newRig(t, Config{Priority: 100})
		r.at(0, Start{})
		r.expect(time.Second, Stop{}, "", Initialize)
		r.expect(5*time.Second, Expired{}, "", Initialize)
	})
	t.Run("V12 the advert goes before the addresses, and those before their announcement", func(t *testing.T) {
		r := newRig(t, Config{Priority: 100})
		r.at(0, Start{})
		r.expect(1500*time.Millisecond, Expired{}, "silent", Backup)
		r.expect(3609375*time.Microsecond, Expired{}, "advertise 100, own, announce", Active)
	})
}

func TestV46_A4_WhoResignsOverAndOverKeepsNobodyWaiting(t *testing.T) {
	r := newRig(t, Config{Priority: 100, Preempt: true})
	r.at(0, Start{})
	r.at(0, heard("192.0.2.9", 200, time.Second))
	r.at(time.Second, heard("192.0.2.9", 0, time.Second))
	for now := time.Second; now < 1609375*time.Microsecond; now += 10 * time.Millisecond {
		r.at(now, heard("192.0.2.66", 50, time.Second))
		r.at(now+time.Millisecond, heard("192.0.2.66", 0, time.Second))
	}
	r.timer(1609375 * time.Microsecond)
}

func TestV43_AStrangerOfLowerPriorityDoesNotResignForTheActiveRouter(t *testing.T) {
	r := newRig(t, Config{Priority: 100, Preempt: true})
	r.at(0, Start{})
	r.at(0, heard("192.0.2.9", 200, time.Second))
	for now := time.Second; now <= 3*time.Second; now += 10 * time.Millisecond {
		r.at(now, heard("192.0.2.66", 50, time.Second))
		if got := r.m.Peer().Source; got != addr("192.0.2.9") { // whose resignation alone is believed
			t.Fatalf("after %v it follows %v", now, got)
		}
	}
}

func TestTieBreak(t *testing.T) {
	for _, tt := range []struct {
		own, peer string
		stays     bool
	}{
		{"192.0.2.5", "192.0.2.4", true},
		{"192.0.2.5", "192.0.2.6", false},
		{"192.0.2.127", "192.0.2.128", false}, // unsigned
		{"192.0.2.128", "192.0.2.127", true},
		{"10.0.0.255", "192.0.2.1", false}, // the first byte counts most
		{"192.0.2.1", "10.0.0.255", true},
		{"fe80::7fff", "fe80::8000", false},
		{"fe80::8000", "fe80::7fff", true},
		{"fe80::1:0:0:0", "fe80::ffff", true},
		{"192.0.2.5", "192.0.2.5", true},
	} {
		t.Run(fmt.Sprintf("V50 at equal priority %s stays against %s: %v", tt.own, tt.peer, tt.stays), func(t *testing.T) {
			r := newRig(t, Config{Source: addr(tt.own), Priority: 100})
			now := r.active() + 100*time.Millisecond
			if tt.stays {
				r.expect(now, heard(tt.peer, 100, time.Second), "advertise 100, announce", Active)
				return
			}
			r.expect(now, heard(tt.peer, 100, time.Second), "release", Backup)
		})
	}
	t.Run("V50 by the address that adverts leave from now", func(t *testing.T) {
		r := newRig(t, Config{Source: addr("192.0.2.5"), Priority: 100})
		now := r.active() + 100*time.Millisecond
		r.at(now, SetSource{addr("192.0.2.9")})
		r.expect(now, heard("192.0.2.6", 100, time.Second), "advertise 100, announce", Active)
	})
}

func TestPreemptDelay(t *testing.T) {
	lower := heard("192.0.2.9", 100, time.Second)
	t.Run("V47 a delay of 4 s, then the timer from the last advert before its end", func(t *testing.T) {
		r := newRig(t, Config{Priority: 150, Preempt: true, PreemptDelay: 4 * time.Second})
		r.at(0, Start{})
		for i := range 8 {
			r.at(time.Duration(i)*time.Second, lower)
		}
		r.timer(3*time.Second + 3414062500)
	})
	t.Run("V47 a member is followed, and no delay begins", func(t *testing.T) {
		r := newRig(t, Config{Priority: 150, Preempt: true, PreemptDelay: time.Second})
		r.at(0, Start{})
		ev := lower
		ev.Member = true
		for i := range 8 {
			r.at(time.Duration(i)*time.Second, ev)
		}
		r.timer(7*time.Second + 3414062500)
	})
	t.Run("V47 an owner that lost takes from a lower router, whatever preempt says", func(t *testing.T) {
		r := newRig(t, Config{Priority: 255})
		r.at(0, Start{})
		r.expect(time.Second, heard("192.0.2.9", 255, time.Second), "release", Backup)
		r.at(2*time.Second, lower)
		r.timer(4*time.Second + 3906250)
	})
	t.Run("V47 the delay of an order is used", func(t *testing.T) {
		r := newRig(t, Config{Priority: 150, Preempt: true})
		r.at(0, Start{})
		r.at(0, SetPriority{Priority: 150, Preempt: true, PreemptDelay: time.Hour})
		r.at(3*time.Second, lower)
		r.timer(3*time.Second + 3414062500)
	})
}
