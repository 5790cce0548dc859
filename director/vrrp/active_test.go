package vrrp

import (
	"fmt"
	"testing"
	"time"
)

func TestActive(t *testing.T) {
	t.Run("V13 one advert each interval, without drift, whatever the driver is late by", func(t *testing.T) {
		for _, interval := range []time.Duration{time.Second, 100 * time.Millisecond, 10 * time.Millisecond} {
			r := newRig(t, Config{Priority: 100, Interval: interval})
			began := r.active()
			for i := range 1000 {
				due := began + time.Duration(i+1)*interval
				r.timer(due)
				r.expect(due+time.Duration(i%10)*interval/11, Expired{}, "advertise 100", Active)
			}
		}
	})
	t.Run("V13 a driver that is late by more than an interval does not catch up in a burst", func(t *testing.T) {
		r := newRig(t, Config{Priority: 100})
		began := r.active()
		r.expect(began+3500*time.Millisecond, Expired{}, "advertise 100", Active)
		r.timer(began + 4500*time.Millisecond)
	})
	t.Run("V14 V15 priority 0 before the addresses go, three times 10 ms apart", func(t *testing.T) {
		r := newRig(t, Config{Priority: 100})
		now := r.active()
		r.expect(now, Stop{}, "advertise 0, release", Initialize)
		r.expect(now+10*time.Millisecond, Expired{}, "advertise 0", Initialize)
		r.expect(now+20*time.Millisecond, Expired{}, "advertise 0", Initialize)
		r.expect(now+30*time.Millisecond, Expired{}, "", Initialize)
		if !r.m.Deadline().IsZero() {
			t.Errorf("something is due at %v", r.m.Deadline())
		}
	})
	t.Run("V15 a successor that speaks ends the repetition", func(t *testing.T) {
		r := newRig(t, Config{Priority: 100})
		now := r.active()
		r.at(now, Stop{})
		r.at(now+5*time.Millisecond, heard("192.0.2.9", 50, time.Second))
		r.expect(now+10*time.Millisecond, Expired{}, "", Initialize)
	})
	t.Run("V15 the repetition starts no timer of those that hear it again", func(t *testing.T) {
		r := newRig(t, Config{Priority: 100})
		r.at(0, Start{})
		r.at(0, heard("192.0.2.9", 200, time.Second))
		for i := range 3 {
			r.at(time.Second+time.Duration(i)*10*time.Millisecond, heard("192.0.2.9", 0, time.Second))
			r.timer(time.Second + 609375*time.Microsecond)
		}
	})
	for _, preempt := range []bool{true, false} {
		t.Run(fmt.Sprintf("V51 V52 it yields to a higher advert without a word, preempt %v", preempt), func(t *testing.T) {
			r := newRig(t, Config{Priority: 100, Preempt: preempt})
			now := r.active()
			r.expect(now+time.Millisecond, heard("192.0.2.1", 101, 100*time.Millisecond), "release", Backup)
			r.timer(now + time.Millisecond + 360937500) // and learns
			r.expect(now+time.Second, Expired{}, "silent, advertise 100, "+taken, Active)
		})
	}
	t.Run("who could not be asked keeps its addresses for a moment when a member wins, and for no stranger", func(t *testing.T) {
		for _, member := range []bool{true, false} {
			r := newRig(t, Config{Priority: 100})
			now := r.active()
			ev := heard("192.0.2.1", 101, time.Second)
			ev.Member, ev.Unasked = member, true
			if !member {
				r.expect(now, ev, "release", Backup)
				continue
			}
			r.expect(now, ev, "advertise 100, shorten", Backup)
			r.expect(now+Linger, Expired{}, "release", Backup)
		}
	})
	t.Run("who could not be asked loses to nobody worse", func(t *testing.T) {
		r := newRig(t, Config{Priority: 100})
		now := r.active()
		ev := heard("192.0.2.1", 100, time.Second)
		ev.Member, ev.Unasked = true, true
		r.expect(now, ev, "advertise 100, announce", Active)
	})
	t.Run("V53 priority 0 is answered at once", func(t *testing.T) {
		r := newRig(t, Config{Priority: 100})
		now := r.active() + 400*time.Millisecond
		r.expect(now, heard("192.0.2.9", 0, time.Second), "advertise 100", Active)
		r.timer(now + time.Second)
	})
	t.Run("V54 a losing advert is answered at once, four times an interval", func(t *testing.T) {
		r := newRig(t, Config{Priority: 100})
		now := r.active() + 100*time.Millisecond
		for i := range 16 {
			want := ""
			if i%4 == 0 {
				want = "advertise 100, announce"
			}
			r.expect(now+time.Duration(i)*62500*time.Microsecond, heard("192.0.2.9", 50, time.Second), want, Active)
		}
	})
	t.Run("V54 without an announcement where the MAC is virtual", func(t *testing.T) {
		r := newRig(t, Config{Priority: 100, VirtualMAC: true})
		r.expect(r.active()+100*time.Millisecond, heard("192.0.2.9", 50, time.Second), "advertise 100", Active)
	})
	t.Run("V56 a new interval is advertised at once, and used", func(t *testing.T) {
		r := newRig(t, Config{Priority: 100})
		now := r.active() + 100*time.Millisecond
		r.expect(now, SetInterval{100 * time.Millisecond}, "advertise 100", Active)
		r.timer(now + 100*time.Millisecond)
	})
	t.Run("V77 a new priority is advertised at once", func(t *testing.T) {
		r := newRig(t, Config{Priority: 100})
		now := r.active() + 100*time.Millisecond
		r.expect(now, SetPriority{Priority: 90}, "advertise 90", Active)
		r.timer(now + time.Second)
	})
	t.Run("V60 it says that it is there when the carrier returns", func(t *testing.T) {
		r := newRig(t, Config{Priority: 100})
		now := r.active()
		r.expect(now+100*time.Millisecond, Carrier{}, "", Active)
		r.expect(now+900*time.Millisecond, Carrier{Up: true}, "advertise 100, announce", Active)
		r.timer(now + 1900*time.Millisecond)
	})
	t.Run("V57 V83 it says at once that it is there when its list changed, or another was Active too", func(t *testing.T) {
		r := newRig(t, Config{Priority: 100})
		r.expect(0, Renew{}, "", Initialize)
		r.at(0, Start{})
		r.expect(time.Second, Renew{}, "", Backup)
		r.timer(3609375 * time.Microsecond)
		r.at(r.next(), Expired{})
		r.expect(4*time.Second, Renew{}, "advertise 100, announce", Active)
		r.timer(5 * time.Second)
	})
	t.Run("V61 after a stall what waits is heard before anything is sent", func(t *testing.T) {
		r := newRig(t, Config{Priority: 100})
		now := r.active() + 30*time.Second
		r.expect(now, Stalled{Resume: 50 * time.Millisecond}, "", Backup)
		r.expect(now, heard("192.0.2.9", 200, time.Second), "release", Backup)
		r.timer(now + 3609375*time.Microsecond)
	})
	t.Run("V14 one that stops after a stall says goodbye, unless it has heard another owner", func(t *testing.T) {
		for _, other := range []bool{false, true} {
			r := newRig(t, Config{Priority: 100})
			now := r.active() + 30*time.Second
			r.expect(now, Stalled{Resume: 50 * time.Millisecond}, "", Backup)
			want := "advertise 0, release"
			if other {
				r.expect(now, heard("192.0.2.9", 200, time.Second), "release", Backup)
				want = ""
			}
			r.expect(now+10*time.Millisecond, Stop{}, want, Initialize)
		}
	})
	t.Run("V62 a router that has its addresses goes on within an interval", func(t *testing.T) {
		r := newRig(t, Config{Priority: 100})
		r.expect(0, Start{Resume: 50 * time.Millisecond}, "", Backup)
		r.expect(50*time.Millisecond, Expired{}, "advertise 100, announce", Active)
	})
}
