package sim

import (
	"fmt"
	"time"

	"github.com/quorate/quorate/fsm"
)

// Segment is what happens to the segment that the address is on.
type Segment string

// Port is what happens to the cluster's traffic.
type Port string

// The segments. The owner is one side of a cut, its successor and a third member the other.
const (
	Whole Segment = "whole"
	Deaf  Segment = "loses VRRP"
	Parts Segment = "cut, the gateway on the owner's side"
	Alone Segment = "cut, the owner alone on its side"

	PairParts Segment = "one of a pair's cut, the gateway on the owner's side"
	PairAlone Segment = "one of a pair's cut, the owner alone on its side"
)

// pair reports whether the group has a second segment, which stays whole.
func (s Segment) pair() bool { return s == PairParts || s == PairAlone }

// The ports.
const (
	Open      Port = "open"
	Few       Port = "open, too few members live"
	OwnerCut  Port = "cut at the owner"
	OthersCut Port = "cut at the successor"
	AllCut    Port = "cut between all"
)

// Situation is a cell of the truth table, without its policy.
type Situation struct {
	Segment Segment
	Port    Port
	Witness bool // the third member is one, and is not on the segment
}

// Quorum says who has it.
func (s Situation) Quorum() string {
	return map[Port]string{
		Open: "all", Few: "nobody", OwnerCut: "the others", OthersCut: "the owner's side", AllCut: "nobody",
	}[s.Port]
}

// Outcome is what becomes of a situation: who answers for the address after a while, and who after all has healed:
// "owner", who owned it before, "another", "owner and another", "each" of them or "nobody".
type Outcome struct{ Serves, Healed string }

// Find plays a situation, and returns what becomes of it, or what is broken.
func (s Situation) Find(seed uint64, policy fsm.QuorumLoss, interval time.Duration, without Mutant) (Outcome, *Violation) {
	return s.play(seed, layout{interval: interval, onLoss: policy, without: without})
}

// play is Find with what else is set of a group.
func (s Situation) play(seed uint64, l layout) (Outcome, *Violation) {
	l.directors, l.clusterOn, l.gateways, l.pair = 3, own, true, s.Segment.pair()
	if s.Witness {
		l.directors, l.witness = 2, true
	}
	if s.Port == Few {
		l.directors++
	}
	w := newWorld(seed, l)
	w.run(warm)
	w.order()
	if s.Port == Few {
		for _, h := range w.hosts[2:] {
			w.inject(w.now, 60*time.Second, w.machineDies(h))
		}
		w.run(w.now + 5*time.Second)
	}
	for _, f := range s.faults(w) {
		w.inject(w.now, 30*time.Second, f)
	}
	w.run(w.now + 29*time.Second)
	out := Outcome{Serves: w.servers()}
	w.run(w.now + 60*time.Second)
	out.Healed = w.servers()
	return out, w.watch.broken
}

// order holds that the hosts are in the order of their parts: the owner is the first.
func (w *world) order() {
	if w.servers() != "owner" {
		panic("sim: " + w.servers() + " owns it at first")
	}
}

// faults are what a situation consists of. The first host owns the address.
func (s Situation) faults(w *world) []fault {
	var out []fault
	segment := []kind{vrrpKind, arpKind}
	switch s.Segment {
	case Deaf:
		out = append(out, w.losesAll(wan, vrrpKind))
	case Parts, PairParts:
		out = append(out, w.cutsOff(wan, segment, w.parts([]int{0, client}), string(s.Segment)))
	case Alone, PairAlone:
		out = append(out, w.cutsOff(wan, segment, w.parts([]int{0}), string(s.Segment)))
	}
	switch s.Port {
	case OwnerCut:
		out = append(out, w.isolates(w.hosts[0]))
	case OthersCut:
		out = append(out, w.isolates(w.hosts[1]))
	case AllCut:
		out = append(out, w.isolates(w.hosts[0]), w.isolates(w.hosts[1]))
	}
	return out
}

// servers says who answers for the address, whoever reaches them.
func (w *world) servers() string {
	owner, others := w.hosts[0].kernel.has(0), 0
	for _, h := range w.hosts[1:] {
		if h.kernel.has(0) {
			others++
		}
	}
	switch {
	case owner && others == 0:
		return "owner"
	case owner && others == 1:
		return "owner and another"
	case others == 1:
		return "another"
	case others == 0:
		return "nobody"
	}
	return "each"
}

// Losses are what may be done without quorum.
var Losses = []fsm.QuorumLoss{fsm.HoldOn, fsm.GiveWay, fsm.LetGo}

func (s Situation) String() string {
	third := "director"
	if s.Witness {
		third = "witness"
	}
	return fmt.Sprintf("segment %s, cluster port %s, third member a %s", s.Segment, s.Port, third)
}
