package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/quorate/quorate/director/placement"
	"github.com/quorate/quorate/fsm"
)

// fault is something that goes wrong for a while.
type fault struct {
	name  string
	begin func()
	end   func()
}

// inject lets a fault happen at a time, for as long as it lasts.
func (w *world) inject(at, lasts time.Duration, f fault) {
	w.after(at-w.now, func() {
		w.say("fault", "begins", f.name, "")
		w.touch()
		f.begin()
		if f.end == nil {
			return
		}
		w.after(lasts, func() {
			w.say("fault", "ends", f.name, "")
			w.touch()
			f.end()
		})
	})
}

func (w *world) controlDies(h *host) fault {
	return fault{"control of " + h.name + " dies", h.crashControl, nil}
}

func (w *world) keeperDies(h *host) fault {
	return fault{"keeper of " + h.name + " dies", h.crashKeeper, nil}
}

func (w *world) bothDie(h *host) fault {
	return fault{"both processes of " + h.name + " die", func() { h.crashControl(); h.crashKeeper() }, nil}
}

func (w *world) machineDies(h *host) fault {
	return fault{h.name + " dies", func() {
		if h.up {
			h.die()
		}
		h.deaths++
	}, func() {
		if h.deaths--; h.deaths == 0 {
			h.boot()
		}
	}}
}

func (w *world) controlFreezes(h *host) fault {
	return freezes("control of "+h.name+" freezes", h.controlling.freeze)
}

func (w *world) keeperFreezes(h *host) fault {
	return freezes("keeper of "+h.name+" freezes", h.keeping.freeze)
}

func (w *world) bothFreeze(h *host) fault {
	return freezes("both processes of "+h.name+" freeze", func() func() {
		keeper, control := h.keeping.freeze(), h.controlling.freeze()
		return func() { keeper(); control() }
	})
}

func (w *world) machineFreezes(h *host) fault { return freezes(h.name+" freezes", h.freeze) }

func freezes(name string, freeze func() func()) fault {
	var thaw func()
	return fault{name, func() { thaw = freeze() }, func() { thaw() }}
}

// cuts loses kinds of traffic from a to b on a wire.
func (w *world) cutsOff(on int, ks []kind, pairs [][2]int, name string) fault {
	change := func(by int) func() {
		return func() {
			for _, k := range ks {
				w.cuts[on][k] += by
				for _, p := range pairs {
					w.wires[on].cut[k][p[0]][p[1]] += by
				}
			}
			w.touch()
		}
	}
	return fault{name, change(1), change(-1)}
}

// kindsOn are the kinds of traffic that a wire carries.
func (w *world) kindsOn(on int) []kind {
	switch {
	case on == own:
		return []kind{portKind}
	case on == w.clusterOn:
		return []kind{vrrpKind, arpKind, portKind}
	}
	return []kind{vrrpKind, arpKind}
}

// parts are the pairs of stations on different sides.
func (w *world) parts(side []int) [][2]int {
	var pairs [][2]int
	stations := append(w.indexes(), client)
	for _, a := range stations {
		for _, b := range stations {
			if slices.Contains(side, a) != slices.Contains(side, b) {
				pairs = append(pairs, [2]int{a, b})
			}
		}
	}
	return pairs
}

func (w *world) indexes() []int {
	var out []int
	for _, h := range w.hosts {
		out = append(out, h.index)
	}
	return out
}

// splits cuts a wire in two.
func (w *world) splits(on int, side []int) fault {
	return w.cutsOff(on, w.kindsOn(on), w.parts(side), fmt.Sprintf("%s is cut in two: %v", wireNames[on], side))
}

// loses loses one kind of traffic from one host to another, or between all.
func (w *world) loses(on int, k kind, from, to int) fault {
	name := fmt.Sprintf("%s loses %s from %d to %d", wireNames[on], kindNames[k], from, to)
	return w.cutsOff(on, []kind{k}, [][2]int{{from, to}}, name)
}

func (w *world) losesAll(on int, k kind) fault {
	var pairs [][2]int
	for _, a := range w.hosts {
		for _, b := range w.hosts {
			if a != b {
				pairs = append(pairs, [2]int{a.index, b.index})
			}
		}
	}
	return w.cutsOff(on, []kind{k}, pairs, fmt.Sprintf("%s loses all %s", wireNames[on], kindNames[k]))
}

// isolates cuts a host's cluster port off, and nothing else.
func (w *world) isolates(h *host) fault {
	return w.cutsOff(w.clusterOn, []kind{portKind}, w.parts([]int{h.index}), "the cluster port of "+h.name+" is cut off")
}

func (w *world) unplugs(on int, h *host) fault {
	change := func(by int) func() {
		return func() {
			h.plugs[on].severed += by
			w.touch()
			if k := h.keeper; k != nil && h.keeping.alive {
				h.keeping.after(w.chance.between(time.Millisecond, 5*time.Millisecond), func() { k.turn(k.survey) })
			}
		}
	}
	return fault{h.name + " has no carrier on " + wireNames[on], change(1), change(-1)}
}

// moves has a host's port on another wire, with carrier.
func (w *world) movesPort(on int, h *host) fault {
	change := func(by int) func() {
		return func() {
			h.plugs[on].away += by
			w.touch()
		}
	}
	return fault{h.name + " is on another segment than " + wireNames[on], change(1), change(-1)}
}

func (w *world) delays(on int, by time.Duration) fault {
	change := func(by time.Duration) func() {
		return func() {
			for a := range most {
				for b := range most {
					w.wires[on].delay[a][b] += by
				}
			}
			if on != w.clusterOn {
				return
			}
			if by < 0 {
				w.was, w.faster = w.slow, since{true, w.now}
			}
			w.slow += by
		}
	}
	return fault{fmt.Sprintf("%s delays by %v", wireNames[on], by), change(by), change(-by)}
}

func (w *world) slowDisk(h *host, by time.Duration) fault {
	return fault{fmt.Sprintf("the disk of %s takes %v", h.name, by), func() { h.disk += by }, func() { h.disk -= by }}
}

func (w *world) drains(h *host) fault {
	set := func(on bool) func() {
		return func() {
			w.operator(func(*fsm.State) fsm.Command { return fsm.SetDraining{Name: h.name, Draining: on} })
		}
	}
	return fault{h.name + " drains", set(true), set(false)}
}

func (w *world) leaves(h *host) fault { return fault{h.name + " leaves", h.leave, h.enter} }

// moves has an operator move a group.
func (w *world) moves(group string, to *host) fault {
	return fault{"an operator moves " + group + " to " + to.name, func() {
		w.asks++
		w.after(calmTime, func() { w.asks--; w.touch() })
		w.operator(func(s *fsm.State) fsm.Command {
			l := w.leader()
			a := placement.MayMove(placement.MoveWanted{
				Group: group, To: to.name, Exists: true, Log: s.Groups[group], Reason: "an operator asked for it",
				Role: s.Members[to.name].Role, Views: l.control.views(slices.Index(w.groups, group)),
			})
			if a.Move == nil {
				w.say("operator", "is refused", group, a.Refuse)
				return nil
			}
			return *a.Move
		})
	}, nil}
}
