package sim

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/quorate/quorate/director/ownership"
	"github.com/quorate/quorate/fsm"
)

// layout is what a world consists of.
type layout struct {
	directors int
	witness   bool
	pair      bool          // a sync group of a router on each segment; else one router
	interval  time.Duration // of the adverts
	clusterOn int           // the wire of the cluster's traffic
	witnessOn bool          // the witness has ports on the segments
	gateways  bool          // each segment has a gateway that the directors know
	policy    fsm.Policy    // of the group
	onLoss    fsm.QuorumLoss
	onCut     fsm.SegmentCut
	virtual   bool // the addresses have a MAC address of their own
	external  bool // something else than control restarts the keeper
	peers     bool // foreign routers are known on each segment, and none is alive
	without   Mutant
}

// router is a virtual router: an address on a segment.
type router struct {
	index int
	name  string
	group string
	on    int
	vrid  uint8
}

// world is hosts on wires in virtual time.
type world struct {
	clock
	layout
	chance  chance
	trace   trace
	wires   [wires]wire
	hosts   []*host
	routers []*router
	groups  []string
	agreed  agreement
	watch   *watch
	dirty   bool
	cuts    [wires][kinds]int // how many faults lose something
	shut    [most][most]int   // how many faults keep one from opening connections to another's port
	slow    time.Duration     // the delay of the cluster's traffic
	was     time.Duration     // what it was before it became less
	faster  since             // when that was
	asks    int               // operators that have just asked for something
	config  fsm.Config

	intervals struct { // what intervalOf said last
		state   *fsm.State
		group   string
		longest time.Duration
	}
}

func newWorld(seed uint64, l layout) *world {
	w := &world{layout: l, chance: newChance(seed)}
	w.watch = newWatch(w)
	w.agreed.w = w
	name := "web"
	if l.pair {
		name = "gateway"
	}
	w.groups = []string{name}
	w.routers = append(w.routers, &router{0, "outside", name, wan, 51})
	if l.pair {
		w.routers = append(w.routers, &router{1, "inside", name, lan, 52})
	} else {
		w.routers[0].name = name
	}
	if l.pair && w.without(GroupRule) {
		w.groups = []string{"outside", "inside"}
		w.routers[0].group, w.routers[1].group = "outside", "inside"
	}
	n := l.directors
	if l.witness {
		n++
	}
	for i := range n {
		h := &host{w: w, index: i, name: fmt.Sprintf("d%d", i+1), witness: i >= l.directors, disk: time.Millisecond}
		if h.witness {
			h.name = "w"
		}
		h.kernel = kernel{h: h, until: make([]time.Duration, len(w.routers))}
		h.keeping.w, h.controlling.w = w, w
		if h.witness && !l.witnessOn {
			h.plugs[wan].away, h.plugs[lan].away = 1, 1
			if l.clusterOn != own {
				h.plugs[l.clusterOn].away = 0
			}
		}
		w.hosts = append(w.hosts, h)
	}
	w.begin()
	w.watch.begin()
	return w
}

// begin makes the cluster, and starts its machines.
func (w *world) begin() {
	w.config = fsm.Config{Routers: map[string]fsm.Router{}, SyncGroups: map[string]fsm.SyncGroup{}}
	var names []string
	for _, r := range w.routers {
		out := fsm.Router{
			Name: r.name, VRID: r.vrid, Interface: wireNames[r.on], Interval: w.interval, VirtualMAC: w.virtual,
			Addresses: []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, byte(2 + r.on), 100}), 24)},
			Placement: w.placement(),
		}
		if w.peers {
			out.Peers = []fsm.Peer{{Address: netip.AddrFrom4([4]byte{192, 0, byte(2 + r.on), 200})}}
		}
		w.config.Routers[r.name] = out
		names = append(names, r.name)
	}
	if w.pair && !w.without(GroupRule) {
		w.config.SyncGroups[w.groups[0]] = fsm.SyncGroup{Name: w.groups[0], Routers: names, Placement: w.placement()}
	}
	state := fsm.State{ClusterID: "sim", Level: 2, Members: map[string]fsm.Member{}}
	for _, h := range w.hosts {
		m := fsm.Member{ID: h.name, Name: h.name, Role: fsm.RoleDirector, Sources: []netip.Addr{h.source(wan), h.source(lan)}}
		if h.witness {
			m.Role = fsm.RoleWitness
		}
		state.Members[h.name] = m
	}
	state, _, err := fsm.Apply(state, 0, fsm.PutConfig{Config: w.config})
	if err != nil {
		panic(err)
	}
	w.agreed.states = []*fsm.State{&state}
	for _, h := range w.hosts {
		h.control = h.newControl()
		h.up = true
	}
	for _, h := range w.hosts {
		h.control.start()
		h.startKeeper()
		h.control.attach()
	}
	w.startLog()
}

// placement is where the group is to be.
func (w *world) placement() fsm.Placement {
	p := fsm.Placement{Policy: w.policy, Hold: 5 * time.Second, OnQuorumLoss: w.onLoss, OnSegmentCut: w.onCut}
	switch w.policy {
	case fsm.Pinned:
		p.Directors = []string{"d2", "d1"}
	case fsm.Score:
		p.Scores = map[string]int{"d1": 10, "d2": 20, "d3": 20}
	}
	return p
}

// run lets virtual time pass until a time, or until something is broken.
func (w *world) run(until time.Duration) {
	for w.watch.broken == nil {
		next, ok := w.next()
		if d := w.watch.deadline; d != 0 && d <= until && (!ok || d < next) {
			w.now = max(w.now, d)
			w.watch.look()
			continue
		}
		if !ok || next > until {
			w.now = until
			return
		}
		e := w.pop()
		w.now = e.at
		e.happen()
		if w.dirty {
			w.dirty = false
			w.watch.look()
		}
	}
}

// touch says that something has changed that is watched.
func (w *world) touch() { w.dirty = true }

func (w *world) routerNamed(name string) *router {
	for _, r := range w.routers {
		if r.name == name {
			return r
		}
	}
	return nil
}

func (w *world) hostNamed(name string) *host {
	for _, h := range w.hosts {
		if h.name == name {
			return h
		}
	}
	return nil
}

// memberAt returns the member that has an address of its own on a wire, -1 for none.
func (w *world) memberAt(on int, a netip.Addr) int {
	for _, h := range w.hosts {
		if h.source(on) == a {
			return h.index
		}
	}
	return -1
}

// intervalOf is the longest interval of a group's routers.
func (w *world) intervalOf(s *fsm.State, group string) time.Duration {
	if w.intervals.state == s && w.intervals.group == group {
		return w.intervals.longest
	}
	longest := time.Duration(0)
	for _, r := range w.routers {
		if r.group == group {
			longest = max(longest, s.Config.Routers[r.name].Interval)
		}
	}
	w.intervals.state, w.intervals.group, w.intervals.longest = s, group, longest
	return longest
}

func (w *world) newMachine() machine { return wrap(w, ownership.NewMachine()) }

// leader is the member that leads now, nil for none.
func (w *world) leader() *host {
	for _, h := range w.hosts {
		if h.controlling.runs() && h.control.leads && h.control.term == w.agreed.term {
			return h
		}
	}
	return nil
}

// operator has a person ask for something, and again until it is taken.
func (w *world) operator(make func(*fsm.State) fsm.Command) {
	again := func() { w.after(time.Second, func() { w.operator(make) }) }
	l := w.leader()
	if l == nil {
		again()
		return
	}
	cmd := make(l.control.state)
	if cmd == nil {
		return
	}
	l.control.append(cmd, func(err error) {
		if err != nil {
			again()
		}
	})
}
