package sim

import "time"

// allDrain has all directors drain for a while, and the owner be cut off from the others meanwhile. It draws from a chance of its
// own, so that all else of the scenario is as it would be.
func (p *plan) allDrain(c chance) (heal time.Duration) {
	w, at, lasts := p.w, warm+c.between(0, 20*time.Second), c.between(5*time.Second, 25*time.Second)
	cut, alone := c.between(0, 2*lasts/3), c.between(time.Second, 15*time.Second)
	for _, h := range w.hosts[:w.directors] {
		f := w.drains(h)
		p.names = append(p.names, f.name)
		w.inject(at, lasts, f)
	}
	w.after(at+cut-w.now, func() {
		h := p.owner()
		if h == nil {
			return
		}
		for _, f := range w.alone(h) {
			p.names = append(p.names, f.name)
			w.inject(w.now, alone, f)
		}
	})
	p.heal = max(p.heal, at+lasts, at+cut+alone)
	return p.heal
}

// alone cuts a host off from all others, on each segment as on the wire of the cluster's traffic.
func (w *world) alone(h *host) []fault {
	side := []int{h.index}
	fs := []fault{w.splits(w.clusterOn, side)}
	for _, r := range w.routers {
		if r.on != w.clusterOn {
			fs = append(fs, w.splits(r.on, side))
		}
	}
	return fs
}
