package vrrp

import (
	"testing"
	"time"
)

func TestFaults(t *testing.T) {
	for _, reason := range []string{"link wan down", "no source address on wan"} {
		t.Run("V59 "+reason+": Initialize with the reason, and back with a full down time", func(t *testing.T) {
			g := NewGroup()
			g.Add("r", Config{Source: addr("192.0.2.5"), Interval: time.Second, Priority: 100}, "")
			g.Step(start, "", Start{})
			g.Step(start.Add(3*time.Second), "r", Received{Source: addr("192.0.2.9"), Priority: 200, Interval: 100 * time.Millisecond})
			g.Step(start.Add(4*time.Second), "r", Fault{Reason: reason})
			if g.State() != Initialize || g.Reason() != reason || !g.Deadline().IsZero() {
				t.Errorf("%v because of %q, next %v", g.State(), g.Reason(), g.Deadline())
			}
			g.Step(start.Add(9*time.Second), "r", Fit{})
			if want := start.Add(9*time.Second + 3609375*time.Microsecond); g.State() != Backup || g.Machine("r").deadline != want {
				t.Errorf("%v, next %v, want %v", g.State(), g.Machine("r").deadline, want)
			}
		})
	}
	t.Run("a group that cannot start names what is wrong now, and not that it has not started", func(t *testing.T) {
		g := NewGroup()
		g.Add("r", Config{Source: addr("192.0.2.5"), Interval: time.Second, Priority: 100}, "track up fails")
		g.Add("s", Config{Source: addr("192.0.2.6"), Interval: time.Second, Priority: 100}, "")
		if g.Reason() != "not started" {
			t.Errorf("before it: %q", g.Reason())
		}
		g.Step(start, "", Start{})
		if g.State() != Initialize || g.Reason() != "track up fails" {
			t.Errorf("%v because of %q", g.State(), g.Reason())
		}
		g.Step(start, "s", Fault{Reason: "link lan down"})
		g.Step(start, "r", Fit{})
		if g.State() != Initialize || g.Reason() != "link lan down" {
			t.Errorf("%v because of %q, when that came and the first went", g.State(), g.Reason())
		}
		g.Step(start, "s", Fit{})
		if g.State() != Backup || g.Reason() != "fit again" {
			t.Errorf("%v because of %q", g.State(), g.Reason())
		}
	})
	t.Run("V60 a flap that is shorter than an interval leaves a Backup and its timer alone", func(t *testing.T) {
		for away := time.Duration(1); away < time.Second; away += 50 * time.Millisecond {
			r := newRig(t, Config{Priority: 100})
			r.at(0, Start{})
			r.at(0, heard("192.0.2.9", 200, time.Second))
			r.expect(500*time.Millisecond, Carrier{}, "", Backup)
			r.expect(500*time.Millisecond+away-1, Expired{}, "", Backup)
			r.expect(500*time.Millisecond+away, Carrier{Up: true}, "", Backup)
			r.timer(3609375 * time.Microsecond)
		}
	})
	t.Run("V60 a Backup whose carrier is away takes nothing", func(t *testing.T) {
		r := newRig(t, Config{Priority: 100})
		r.at(0, Start{})
		r.expect(1500*time.Millisecond, Expired{}, "silent", Backup)
		r.at(3*time.Second, Carrier{})
		r.expect(3609375*time.Microsecond, Expired{}, "", Backup)
		r.timer(4 * time.Second)
		r.expect(3900*time.Millisecond, Carrier{Up: true}, "", Backup)
		r.timer(3900*time.Millisecond + time.Second + 609375*time.Microsecond)
	})
	t.Run("V60 one that is longer is a fault", func(t *testing.T) {
		r := newRig(t, Config{Priority: 100})
		r.at(0, Start{})
		r.at(500*time.Millisecond, Carrier{})
		r.expect(1500*time.Millisecond, Expired{}, "silent", Initialize)
		if r.m.Reason() != NoCarrier {
			t.Errorf("reason %q", r.m.Reason())
		}
	})
	t.Run("V60 events that say nothing new do nothing", func(t *testing.T) {
		r := newRig(t, Config{Priority: 100})
		r.expect(0, Carrier{}, "", Initialize)
		now := r.active()
		r.expect(now, Carrier{Up: true}, "", Active)
		r.at(now, Carrier{})
		r.at(now+900*time.Millisecond, Carrier{}) // and does not begin anew
		if due := now + time.Second; !r.m.severed(start.Add(due)) || r.m.severed(start.Add(due-1)) {
			t.Error("the carrier may be away for another time than an interval")
		}
	})
}

func TestWhoResignedOnOneSegmentIsNotWhoIsHeardOnAnother(t *testing.T) {
	const every = time.Second
	for _, tt := range []struct {
		name  string
		after time.Duration // of the last advert on the other segment, after the one that resigned on the first
		want  State
	}{
		{"its own last advert there came a moment later", every / 2, Active},
		{"somebody has taken over there since", 2 * every, Backup},
	} {
		g := NewGroup()
		g.Add("r", Config{Source: addr("192.0.2.5"), Interval: every, Priority: 100}, "")
		g.Add("s", Config{Source: addr("192.0.2.6"), Interval: every, Priority: 100}, "")
		g.Step(start, "", Start{})
		for _, router := range []string{"r", "s"} {
			g.Step(start, router, Received{Source: addr("192.0.2.9"), Priority: 200, Interval: every})
		}
		g.Step(start, "", Hold{Until: start.Add(tt.after)})
		g.Step(start, "r", Received{Source: addr("192.0.2.9"), Interval: every})
		g.Step(start.Add(tt.after), "s", Received{Source: addr("192.0.2.9"), Priority: 200, Interval: every})
		for d := g.Deadline(); g.State() == Backup && d.Before(start.Add(tt.after+every)); d = g.Deadline() {
			g.Step(d, "", Expired{})
		}
		if g.State() != tt.want {
			t.Errorf("%s: %v because of %q, want %v", tt.name, g.State(), g.Reason(), tt.want)
		}
	}
}
