package vrrp

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// random turns fuzz bytes into events.
type random struct {
	data  []byte
	now   time.Time
	asked time.Time // until when the last question is
}

func (r *random) next() int {
	if len(r.data) == 0 {
		return 0
	}
	b := r.data[0]
	r.data = r.data[1:]
	return int(b)
}

func (r *random) event(routers int) (string, Event) {
	r.now = r.now.Add(time.Duration(r.next()) * 7 * time.Millisecond)
	router := fmt.Sprint(r.next() % routers)
	switch r.next() % 18 {
	case 0:
		return "", Start{}
	case 1:
		return "", Start{Resume: 50 * time.Millisecond}
	case 2:
		return "", Stop{}
	case 3:
		return router, Fault{Reason: "down"}
	case 4:
		return router, Fit{}
	case 5:
		return "", Claim{Priority: uint8(248 + r.next()%7)}
	case 6:
		return "", Yield{Wait: 100 * time.Millisecond}
	case 7:
		return "", Resign{Linger: r.next()%2 == 0}
	case 8:
		return "", Stalled{Resume: 50 * time.Millisecond}
	case 9:
		return "", Abandon{}
	case 10:
		return "", SetPriority{Priority: uint8(1 + r.next()%255), Preempt: r.next()%2 == 0, PreemptDelay: time.Duration(r.next()%3) * 200 * time.Millisecond}
	case 11, 12:
		return router, Received{
			Source:   netip.AddrFrom4([4]byte{192, 0, 2, byte(1 + r.next()%3)}),
			Priority: uint8(r.next()), Interval: 100 * time.Millisecond, Member: r.next()%2 == 0,
		}
	}
	switch r.next() % 9 {
	case 8:
		return "", Expired{Unattended: true}
	case 7:
		return "", Answer{Until: r.asked, Taken: r.next()%2 == 0}
	case 6:
		return "", Renew{}
	case 0:
		return router, Carrier{}
	case 1:
		return router, Carrier{Up: true}
	case 2:
		return router, SetInterval{time.Duration(1+r.next()%20) * 10 * time.Millisecond}
	case 3:
		return "", Hold{Until: r.now.Add(time.Duration(r.next()) * time.Millisecond)}
	}
	return "", Expired{}
}

// config is one of all kinds.
func (r *random) config() Config {
	kind := r.next()
	cfg := Config{Source: netip.MustParseAddr("192.0.2.2"), Interval: 100 * time.Millisecond, Priority: 100, VirtualMAC: kind&1 != 0}
	if kind&2 != 0 {
		cfg.Version = V2
	}
	if kind&4 != 0 {
		cfg.Preempt, cfg.PreemptDelay = true, time.Second
	}
	if kind&8 != 0 {
		cfg.Priority = 255
	}
	return cfg
}

// FuzzStep asserts what must hold for one machine after any event.
func FuzzStep(f *testing.F) {
	f.Add([]byte("seed of some length to begin with, 0123456789"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := &random{data: data, now: time.Unix(0, 0)}
		m := NewMachine(r.config())
		owned := false
		for len(r.data) > 0 {
			_, ev := r.event(1)
			resumes := m.State() == Initialize
			actions := m.Step(r.now, ev)
			if start, ok := ev.(Start); ok && resumes && start.Resume > 0 {
				owned = true // it was before the machine was
			}
			owned = track(t, owned, actions)
			check(t, m, owned)
		}
	})
}

func track(t *testing.T, owned bool, actions []Action) bool {
	t.Helper()
	for _, a := range actions {
		switch a.(type) {
		case Own:
			if owned {
				t.Fatal("Own twice")
			}
			owned = true
		case Release:
			if !owned {
				t.Fatal("Release of what is not owned")
			}
			owned = false
		}
	}
	return owned
}

func check(t *testing.T, m *Machine, owned bool) {
	t.Helper()
	keeps := m.state == Active || m.resume || !m.linger.IsZero()
	if owned != m.owned || owned != keeps {
		t.Fatalf("%v: owned %v, the machine says %v; resume %v, linger %v", m.state, owned, m.owned, m.resume, m.linger)
	}
	if m.state == Initialize && !m.cut.IsZero() {
		t.Fatalf("Initialize that waits for a carrier until %v", m.cut)
	}
	if (m.state == Initialize) != m.deadline.IsZero() {
		t.Fatalf("%v with timer %v", m.state, m.deadline)
	}
	if m.state == Active && (m.resume || !m.linger.IsZero() || m.bye != 0) {
		t.Fatalf("Active with resume %v, linger %v, bye %d", m.resume, m.linger, m.bye)
	}
}

// FuzzGroup asserts the same for each router of a group, that all have one state after each step, and
// that what the group says about its state is what its routers have.
func FuzzGroup(f *testing.F) {
	f.Add([]byte("seed of some length to begin with, 0123456789"))
	f.Fuzz(func(t *testing.T, data []byte) {
		const routers = 3
		r := &random{data: data, now: time.Unix(0, 0)}
		g := NewGroup()
		for i := range routers {
			g.Add(fmt.Sprint(i), r.config(), "")
		}
		owned, state := map[string]bool{}, Initialize
		for len(r.data) > 0 {
			router, ev := r.event(routers)
			before := g.State()
			effects := g.Step(r.now, router, ev)
			if start, ok := ev.(Start); ok && before == Initialize && g.State() != Initialize && start.Resume > 0 {
				for i := range routers {
					owned[fmt.Sprint(i)] = true
				}
			}
			for _, e := range effects {
				owned[e.Router] = track(t, owned[e.Router], []Action{e.Action})
				if a, ok := e.Action.(Ask); ok {
					r.asked = a.Until
				}
				if b, ok := e.Action.(Became); ok {
					if b.From != state || b.Reason == "" {
						t.Fatalf("%+v after %v", b, state)
					}
					state = b.To
				}
			}
			if state != g.State() {
				t.Fatalf("the group is %v and said %v", g.State(), state)
			}
			for _, m := range g.members {
				if m.machine.state != g.state && !m.guest {
					t.Fatalf("after %T: router %s is %v in a group that is %v", ev, m.name, m.machine.state, g.state)
				}
				if m.fault != "" && g.state != Initialize {
					t.Fatalf("a group with a fault is %v", g.state)
				}
				check(t, m.machine, owned[m.name])
			}
		}
	})
}

// FuzzRegroup moves routers between two groups, and takes some in and out, while both get events. What
// holds for one group must hold for both; a router that moves brings its addresses along.
func FuzzRegroup(f *testing.F) {
	f.Add([]byte("seed of some length to begin with, 0123456789"))
	f.Add([]byte{0, 0, 0, 200, 0, 13, 0, 1, 14, 0, 0, 15, 255, 0, 13})
	f.Fuzz(func(t *testing.T, data []byte) {
		r := &random{data: data, now: time.Unix(0, 0)}
		groups := []*Group{NewGroup(), NewGroup()}
		cfg := r.config()
		owned := map[string]bool{}
		for i := range 4 {
			groups[i%2].Add(fmt.Sprint(i), cfg, "")
		}
		for len(r.data) > 0 {
			i := r.next() % 2
			g := groups[i]
			var effects []Effect
			router := fmt.Sprint(r.next() % 4)
			switch r.next() % 8 {
			case 0:
				if m := g.Detach(router); m != nil {
					groups[1-i].Adopt(router, m, "")
				}
				effects = append(groups[0].Join(r.now, Start{}), groups[1].Join(r.now, Start{})...)
			case 1:
				_, effects = g.Remove(r.now, router)
				effects = append(effects, g.Join(r.now, Start{})...)
			case 2:
				if groups[0].Machine(router) == nil && groups[1].Machine(router) == nil {
					g.Add(router, cfg, "")
					effects = g.Join(r.now, Start{})
				}
			default:
				to, ev := r.event(4)
				if start, ok := ev.(Start); ok && start.Resume > 0 {
					ev = Start{}
				}
				effects = g.Step(r.now, to, ev)
			}
			for _, e := range effects {
				owned[e.Router] = track(t, owned[e.Router], []Action{e.Action})
			}
			for _, g := range groups {
				sound(t, g, owned)
			}
		}
	})
}

func sound(t *testing.T, g *Group, owned map[string]bool) {
	t.Helper()
	for _, m := range g.members {
		if m.guest && (g.state != Active || m.machine.state != Backup) || !m.guest && m.machine.state != g.state {
			t.Fatalf("router %s is %v, guest %v, in a group that is %v", m.name, m.machine.state, m.guest, g.state)
		}
		check(t, m.machine, owned[m.name])
	}
}
