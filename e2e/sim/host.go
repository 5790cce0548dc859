package sim

import (
	"net/netip"
	"time"
)

// host is a machine of the cluster: its kernel, its ports, its disk and the two processes of its agent.
type host struct {
	w       *world
	index   int
	name    string
	witness bool

	up         bool // the machine runs
	deaths     int  // how many faults have it dead
	stalls     int  // how many faults freeze all of it
	boots      int  // counts the starts
	plugs      [wires]plug
	disk       time.Duration // what a write takes
	kernel     kernel
	record     record        // what the keeper left on disk
	renumbered time.Duration // when its keeper was told of another VRID last
	stopped    bool          // the agent is not to run
	out        bool          // it was asked to end, and has not been asked to come back

	keeping, controlling process
	keeper               *keeper  // nil: it never ran
	control              *control // likewise
}

// source is a host's own address on a wire.
func (h *host) source(on int) netip.Addr {
	return netip.AddrFrom4([4]byte{192, 0, byte(2 + on), byte(11 + h.index)})
}

// kernel is the virtual addresses that a host has, by router: each ends by itself unless it is renewed.
type kernel struct {
	h     *host
	until []time.Duration
}

// has reports whether the kernel answers for a router's address, whatever becomes of that.
func (k *kernel) has(router int) bool { return k.h.up && k.until[router] > k.h.w.now }

// renew adds an address, or starts its lifetime again.
func (k *kernel) renew(router int, lifetime time.Duration) {
	w, had := k.h.w, k.has(router)
	k.until[router] = w.now + lifetime
	if had {
		return
	}
	w.say(k.h.name, "has", w.routers[router].name, "")
	w.touch()
	k.watch(router)
}

// watch sees an address end.
func (k *kernel) watch(router int) {
	w, until := k.h.w, k.until[router]
	w.after(until-w.now, func() {
		switch {
		case !k.h.up || k.until[router] == 0:
		case k.until[router] > w.now:
			if k.until[router] != until { // else another one watches
				k.watch(router)
			}
		case k.until[router] == until || w.now >= k.until[router]:
			k.until[router] = 0
			w.say(k.h.name, "lets", w.routers[router].name, "its lifetime has ended")
			w.touch()
		}
	})
}

// remove takes an address away.
func (k *kernel) remove(router int, why string) {
	if !k.has(router) {
		return
	}
	k.until[router] = 0
	k.h.w.say(k.h.name, "lets", k.h.w.routers[router].name, why)
	k.h.w.touch()
}

// die ends the machine: all that it had in memory is gone.
func (h *host) die() {
	h.w.say(h.name, "dies", "", "")
	h.up = false
	h.keeping.kill()
	h.control.end()
	clear(h.kernel.until)
	h.w.touch()
}

// boot starts the machine, and its agent with it.
func (h *host) boot() {
	h.w.say(h.name, "boots", "", "")
	h.up, h.stalls = true, 0
	h.boots++
	h.w.touch()
	if !h.stopped {
		h.startKeeper()
		h.control.start()
	}
}

// freeze stops everything on the machine but its ports' carrier, until the func that it returns is called, or
// the machine is started anew.
func (h *host) freeze() (thaw func()) {
	if !h.up {
		return func() {}
	}
	boot := h.boots
	h.stalls++
	keeper, control := h.keeping.freeze(), h.controlling.freeze()
	return func() {
		if h.boots == boot {
			h.stalls--
			keeper()
			control()
		}
	}
}
