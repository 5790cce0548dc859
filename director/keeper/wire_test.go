package keeper

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/quorate/quorate/director/vrrp"
)

// wire is a socket.
type wire struct {
	b       *box
	link    link
	queue   []vrrp.Datagram
	waiting chan struct{}
	closed  chan struct{}
}

func (b *box) listen(iface string, v6 bool) (vrrp.Conn, error) {
	b.w.mu.Lock()
	defer b.w.mu.Unlock()
	c := &wire{b: b, link: link{iface, v6}, waiting: make(chan struct{}, 1), closed: make(chan struct{})}
	b.conns[c.link] = c
	return c, nil
}

func (b *box) through(iface string, v6 bool, _ [6]byte) (vrrp.Outlet, error) {
	return &wire{b: b, link: link{iface, v6}, waiting: make(chan struct{}, 1), closed: make(chan struct{})}, nil
}

// say sends an advert of the keeper's own router, with other addresses or another VRID.
func (b *box) say(id identity, r *router, priority uint8, addresses ...netip.Addr) {
	advert := vrrp.Packet{VRID: id.vrid, Priority: priority, Interval: r.spec.Interval, Addresses: addresses}
	dst := vrrp.Multicast(id.V6)
	out, err := advert.Append(nil, r.source, dst)
	if err == nil {
		err = b.keeper.ports[id.link].conn.Send(r.source, dst, out)
	}
	if err != nil {
		b.w.t.Error(err)
	}
}

func (c *wire) blocked() bool {
	return !c.b.up[c.link.Interface] || c.b.w.cut[fmt.Sprintf("%s/%d", c.link.Interface, c.b.n)]
}

func (c *wire) SetFilter(vrrp.Filter) error { return nil }

func (c *wire) Send(src, dst netip.Addr, advert []byte) error {
	w := c.b.w
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-c.closed:
		return errors.New("closed")
	default:
	}
	d := vrrp.Datagram{Src: src, Dst: dst, TTL: vrrp.TTL, Payload: slices.Clone(advert)}
	var p vrrp.Packet
	if drop := p.Parse(d, &w.profile); drop != "" {
		w.t.Errorf("host %d sent what is dropped: %s", c.b.n, drop)
	} else if !c.blocked() {
		w.wire = append(w.wire, sent{time.Now(), c.b.n, c.link, p})
	}
	for _, other := range w.boxes {
		to := other.conns[c.link]
		if other == c.b || to == nil || to.blocked() || c.blocked() {
			continue
		}
		to.queue = append(to.queue, d)
		poke(to.waiting)
	}
	return nil
}

func (c *wire) Receive([]byte) (vrrp.Datagram, bool, error) {
	c.b.w.mu.Lock()
	defer c.b.w.mu.Unlock()
	if len(c.queue) == 0 {
		return vrrp.Datagram{}, false, nil
	}
	d := c.queue[0]
	c.queue = c.queue[1:]
	return d, true, nil
}

func (c *wire) Wait() error {
	select {
	case <-c.waiting:
		return nil
	case <-c.closed:
		return errors.New("closed")
	}
}

func (c *wire) Close() error {
	c.b.w.mu.Lock()
	defer c.b.w.mu.Unlock()
	if c.b.conns[c.link] == c {
		delete(c.b.conns, c.link)
	}
	close(c.closed)
	return nil
}
