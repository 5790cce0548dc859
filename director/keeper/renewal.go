package keeper

import "time"

// renewAt returns when the addresses are to be renewed: those of an Active router just before one of its adverts, so
// that the last advert that somebody heard tells when they end.
func (h *holding) renewAt(v want) time.Time {
	last := v.spoke.load()
	if v.ends {
		return h.renewed.Add(never)
	}
	if last.IsZero() {
		return h.renewed.Add(h.lifetime / 4)
	}
	every := v.interval
	before := last.Add(-min(every/2, renewLead))
	// Routers that speak together are renewed together, whatever was before: of several adverts before the same one.
	until := h.renewed.Add(every + renewGrid)
	if group := renewEvery - every; group >= every {
		until = onGrid(h.renewed.Add(every), group).Add(group)
	}
	at := before.Add(until.Sub(before) / every * every)
	if every >= renewEvery {
		at = onGrid(at, renewGrid)
	}
	return earlier(at, h.renewed.Add(max(every, renewEvery)+renewGrid)) // whatever comes late
}

// next returns when the router needs the worker again.
func (h *holding) next(v want) time.Time {
	if !h.retry.IsZero() {
		return h.retry
	}
	if h.lapsed {
		return time.Time{}
	}
	var next time.Time
	if len(h.slots) > 0 {
		next = h.renewAt(v)
	}
	next = earlier(next, h.pathRetry)
	if h.quiet {
		return next
	}
	for _, s := range h.slots {
		next = earlier(next, s.next)
	}
	return next
}
