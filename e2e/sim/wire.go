package sim

import "time"

// The wires that a host may have a port on. The cluster's traffic has one of its own, or shares one.
const (
	wan = iota
	lan
	own
	wires
)

var wireNames = [wires]string{"wan", "lan", "cluster"}

// kind is a kind of traffic, which a wire may lose by itself.
type kind int

// The kinds of traffic.
const (
	vrrpKind kind = iota
	arpKind
	portKind // TCP to the cluster port
	kinds
)

var kindNames = [kinds]string{"VRRP", "ARP", "cluster port"}

// most is how many stations there are at most: five hosts, and a client on each wire.
const (
	most   = 6
	client = most - 1
)

// wire is a segment: what passes from whom to whom, and how long it takes.
type wire struct {
	cut   [kinds][most][most]int // how many faults lose it
	delay [most][most]time.Duration
}

// plug is where a host's port is: on the wire itself, or on another one on which nobody else is.
type plug struct {
	away    int // how many faults have it elsewhere
	severed int // how many faults take its carrier
}

func (p plug) there() bool { return p.away == 0 && p.severed == 0 }

// joined reports whether two stations are on one wire.
func (w *world) joined(on, a, b int) bool { return w.plugged(on, a) && w.plugged(on, b) }

func (w *world) plugged(on, station int) bool {
	return station == client || w.hosts[station].up && w.hosts[station].plugs[on].there()
}

// passes reports whether one kind of traffic gets from a to b.
func (w *world) passes(on int, k kind, a, b int) bool {
	return w.joined(on, a, b) && w.wires[on].cut[k][a][b] == 0
}

// both reports whether one kind of traffic gets from a to b and back.
func (w *world) both(on int, k kind, a, b int) bool {
	return w.passes(on, k, a, b) && w.wires[on].cut[k][b][a] == 0
}

// transit is how long a packet takes from a to b.
func (w *world) transit(on, a, b int) time.Duration {
	return w.wires[on].delay[a][b] + w.chance.between(50*time.Microsecond, 400*time.Microsecond)
}

// opens reports whether an agent reaches the port of another over a connection that it opens itself: TCP needs both ways.
func (w *world) opens(a, b int) bool {
	return w.both(w.clusterOn, portKind, a, b) && w.shut[a][b] == 0
}

// answers reports whether a station's ARP request for the own address of another is answered: by the kernel of
// that one, whatever its processes do.
func (w *world) answers(on, asker, asked int) bool {
	return w.both(on, arpKind, asker, asked) && (asked == client || w.hosts[asked].stalls == 0)
}

// serves reports whether a host answers for a router's address to a station.
func (w *world) serves(r *router, asker int, h *host) bool {
	return h.kernel.has(r.index) && w.answers(r.on, asker, h.index)
}
