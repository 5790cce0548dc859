package sim

import "time"

// crashKeeper kills the keeper process.
func (h *host) crashKeeper() {
	if !h.keeping.alive {
		return
	}
	h.w.say(h.name, "keeper dies", "", "")
	h.keeping.kill()
	h.keeperEnded()
}

// keeperEnded has the keeper started again: by whoever looks after it.
func (h *host) keeperEnded() {
	if h.controlling.alive {
		h.control.lostKeeper()
	}
	if h.w.external {
		h.system(100*time.Millisecond, h.restartKeeper)
		return
	}
	if h.controlling.alive {
		h.controlling.after(h.w.chance.between(20*time.Millisecond, 80*time.Millisecond), h.restartKeeper)
	}
}

func (h *host) restartKeeper() {
	if h.keeping.alive || h.stopped {
		return
	}
	h.startKeeper()
	if h.controlling.alive {
		h.control.attach()
	}
}

// crashControl kills the control process.
func (h *host) crashControl() {
	if !h.controlling.alive {
		return
	}
	h.w.say(h.name, "control dies", "", "")
	h.control.end()
	h.system(time.Second+h.w.chance.between(100*time.Millisecond, 600*time.Millisecond), h.restartControl)
}

func (h *host) restartControl() {
	if h.controlling.alive || h.stopped {
		return
	}
	h.control.start()
	if !h.keeping.alive && !h.w.external {
		h.controlling.after(h.w.chance.between(20*time.Millisecond, 80*time.Millisecond), h.restartKeeper)
	}
}

// system has the machine's service manager do something, if the machine lives so long.
func (h *host) system(d time.Duration, do func()) {
	boot := h.boots
	var try func()
	try = func() {
		switch {
		case !h.up || h.boots != boot:
		case h.stalls > 0:
			h.w.after(10*time.Millisecond, try)
		default:
			do()
		}
	}
	h.w.after(d, try)
}

// leave has the agent stop as an operator asks it to: it hands over first.
func (h *host) leave() {
	if !h.controlling.runs() || !h.keeping.alive {
		return
	}
	h.w.say(h.name, "leaves", "", "")
	h.control.leaving, h.out = true, true
	h.control.changed()
	h.await(h.w.now + 8*time.Second)
}

func (h *host) await(limit time.Duration) {
	h.controlling.after(tickEvery, func() {
		if !h.out {
			h.control.leaving = false
			return
		}
		if h.keeper.owns() && h.w.now < limit && h.keeping.alive {
			h.await(limit)
			return
		}
		h.stopped = true
		h.keeper.stop(2 * time.Second)
		h.w.say(h.name, "control ends", "", "")
		h.control.end()
	})
}

// enter starts the agent again.
func (h *host) enter() {
	h.stopped, h.out = false, false
	switch {
	case !h.up:
	case h.stalls > 0: // nothing is started on a machine that stands still
		h.system(0, h.startAgent)
	default:
		h.startAgent()
	}
}

// startAgent starts what is not there: control may have been started on its own before, and attaches to the keeper then.
func (h *host) startAgent() {
	h.restartKeeper()
	h.restartControl()
}
