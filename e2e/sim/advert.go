package sim

// advertise sends an advert to all who are on the wire.
func (w *world) advertise(from *host, r *keptRouter, priority uint8) {
	w.trace.mix(uint64(w.now)<<8 | uint64(priority))
	r.spoke = w.now
	if w.virtual && priority > 0 {
		w.watch.announced(from, r.router) // it leaves from the MAC address: switches learn where that is
	}
	d := datagram{from: from, router: r.router, vrid: r.spec.VRID, priority: priority, interval: r.spec.Interval, addresses: r.judge.Addresses}
	for _, h := range w.hosts {
		if h == from || h.keeper == nil || !w.passes(r.on, vrrpKind, from.index, h.index) || from.stalls > 0 || h.stalls > 0 {
			continue
		}
		k, life := h.keeper, h.keeping.life
		w.after(w.transit(r.on, from.index, h.index), func() {
			if h.keeping.life != life || !h.keeping.alive || h.stalls > 0 {
				return
			}
			w.watch.advert(from, h, r.router)
			k.inbox = append(k.inbox, d)
			if h.keeping.runs() {
				k.turn(nil)
			}
		})
	}
}
