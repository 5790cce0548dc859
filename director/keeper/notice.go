package keeper

import (
	"fmt"
	"hash/fnv"
	"net/netip"
	"time"

	"github.com/quorate/quorate/director/vrrp"
)

// drop counts datagrams that no router is known of.
func (k *keeper) drop(l link, why vrrp.Drop, n uint64) {
	if k.drops[l.Interface] == nil {
		k.drops[l.Interface] = map[vrrp.Drop]uint64{}
	}
	k.drops[l.Interface][why] += n
}

// notice counts an oddity, and reports what a source says when that is another thing than before. At
// most one report a second is made of a router, whoever sends what.
func (k *keeper) notice(now time.Time, g *group, r *router, n vrrp.Notice, src netip.Addr, p *vrrp.Packet) {
	r.notices[n]++
	conflict := n == vrrp.NoticeOwner && g.spec.Priority == 255
	stranger := n == vrrp.NoticeStranger || n == vrrp.NoticeStrangeOwner
	if n != vrrp.NoticeAddresses && n != vrrp.NoticeInterval && !conflict && !stranger {
		return
	}
	said := fmt.Sprintf("%s: %v advertises %v every %v", r.spec.Name, src, p.Addresses, p.Interval)
	switch {
	case stranger:
		said = fmt.Sprintf("%s: %v, which is neither a member nor a known peer, advertises this VRID with priority %d", r.spec.Name, src, p.Priority)
	case conflict:
		said = fmt.Sprintf("%s: %v has priority 255 too", r.spec.Name, src)
	}
	k.remark(now, g, r, src, said)
}

// remark makes an event of what a source says or is, when that is another thing than before, and of one
// router one a second at most.
func (k *keeper) remark(now time.Time, g *group, r *router, src netip.Addr, said string) {
	h := fnv.New64a()
	h.Write([]byte(said))
	if r.noted[src] == h.Sum64() || now.Sub(r.notedAt) < time.Second {
		return
	}
	if len(r.noted) >= 64 { // strangers must not fill the memory
		clear(r.noted)
	}
	r.noted[src], r.notedAt = h.Sum64(), now
	k.event(now, g, said)
}

// contend takes an advert of another router that is Active while this one is. Of two such in a row the time
// between is one in which both were.
func (r *router) contend(now time.Time, interval time.Duration) {
	r.contested++
	if since := now.Sub(r.contender); since <= 3*interval {
		r.contest += since
	}
	r.contender = now
}
