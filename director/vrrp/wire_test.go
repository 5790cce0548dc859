package vrrp

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// wireOf connects machines by a wire with a delay, and runs them in virtual time.
type wireOf struct {
	machines []*Machine
	delay    time.Duration
	now      time.Time
	flying   []flight
	sent     []int // adverts, by machine
}

type flight struct {
	at   time.Time
	from int
	ev   Received
}

func (w *wireOf) carry(from int, actions []Action) {
	for _, a := range actions {
		if a, ok := a.(Advertise); ok {
			w.sent[from]++
			cfg := w.machines[from].cfg
			w.flying = append(w.flying, flight{w.now.Add(w.delay), from, Received{Source: cfg.Source, Priority: a.Priority, Interval: cfg.Interval}})
		}
	}
}

// run runs until an end.
func (w *wireOf) run(end time.Time) {
	for {
		next, due := end, -1
		for i, m := range w.machines {
			if d := m.Deadline(); !d.IsZero() && d.Before(next) {
				next, due = d, i
			}
		}
		if len(w.flying) > 0 && !w.flying[0].at.After(next) {
			f := w.flying[0]
			w.flying, w.now = w.flying[1:], f.at
			for i, m := range w.machines {
				if i != f.from {
					w.carry(i, m.Step(w.now, f.ev))
				}
			}
			continue
		}
		w.now = next
		if due < 0 {
			return
		}
		w.carry(due, w.machines[due].Step(w.now, Expired{}))
	}
}

func (w *wireOf) active() (out []netip.Addr) {
	for _, m := range w.machines {
		if m.State() == Active {
			out = append(out, m.cfg.Source)
		}
	}
	return out
}

func TestRoutersOnOneWire(t *testing.T) {
	for _, tt := range []struct {
		name       string
		priorities []uint8
		within     time.Duration
		want       string
	}{
		{"V44 two owners converge to the higher address", []uint8{255, 255}, 10 * time.Millisecond, "192.0.2.2"},
		{"V44 three owners converge to the highest address", []uint8{255, 255, 255}, 10 * time.Millisecond, "192.0.2.3"},
		{"V44 an owner stays before all others", []uint8{254, 255, 254}, 10 * time.Millisecond, "192.0.2.2"},
		{"V45 the highest priority is Active", []uint8{100, 101, 99}, 4 * time.Second, "192.0.2.2"},
		{"V49 V50 of equal priorities one is Active", []uint8{100, 100, 100}, 4 * time.Second, "192.0.2.3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := &wireOf{delay: time.Millisecond, now: start, sent: make([]int, len(tt.priorities))}
			for i, p := range tt.priorities {
				w.machines = append(w.machines, NewMachine(Config{Source: netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}), Interval: time.Second, Priority: p, Preempt: true}))
			}
			for i, m := range w.machines {
				w.carry(i, m.Step(start, Start{}))
			}
			w.run(start.Add(tt.within))
			for range 100 { // and it stays so
				if got := fmt.Sprint(w.active()); got != "["+tt.want+"]" {
					t.Fatalf("after %v active are %v, want %s", w.now.Sub(start), got, tt.want)
				}
				w.run(w.now.Add(100 * time.Millisecond))
			}
		})
	}
}
