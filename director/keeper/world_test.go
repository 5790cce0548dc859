package keeper

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/quorate/quorate/director/address"
	"github.com/quorate/quorate/director/vrrp"
)

var _ Host = (*address.Host)(nil)

// world is hosts on segments, without a kernel. All time in it is the test's.
type world struct {
	t *testing.T

	profile vrrp.Profile // what all that is sent must be decoded by

	mu    sync.Mutex
	boxes []*box
	cut   map[string]bool // "segment/host": nothing passes
	wire  []sent
}

// sent is one advert on a segment.
type sent struct {
	at     time.Time
	host   int
	link   link
	advert vrrp.Packet
}

// heard returns the adverts of a host on an interface since a time.
func (w *world) heard(host int, iface string, since time.Time) []sent {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []sent
	for _, s := range w.wire {
		if s.host == host && s.link.Interface == iface && !s.at.Before(since) {
			out = append(out, s)
		}
	}
	return out
}

// box is one host: its addresses, its sockets and its keeper.
type box struct {
	w      *world
	n      int
	dir    string
	up     map[string]bool
	addrs  map[address.Address]time.Time // until when; zero for ever
	paths  address.Paths
	macs   []address.VirtualMAC
	noMAC  error    // why it can have no virtual MAC
	noPath error    // why it can have no route
	wrong  []string // order of what was done
	said   map[address.Address][]time.Time
	conns  map[link]*wire
	events func(address.Event)
	slow   time.Duration // of each call to the kernel
	mumble time.Duration // of each announcement
	noAddr error         // why it can have no address
	screen *sieve
	quiet  Quiet
	who    Who
	asleep time.Duration // for how long it was suspended, which its keeper has not seen yet
	doubts error         // why its record can be trusted with nothing

	keeper *keeper
	cancel context.CancelFunc
	ended  chan struct{}
}

func newWorld(t *testing.T) *world { return &world{t: t, cut: map[string]bool{}} }

// box makes host number n, with an address of its own on wan and lan.
func (w *world) box(n int) *box {
	b := &box{
		w: w, n: n, dir: w.t.TempDir(), up: map[string]bool{"wan": true, "lan": true},
		addrs: map[address.Address]time.Time{}, said: map[address.Address][]time.Time{}, conns: map[link]*wire{},
	}
	for _, a := range []address.Address{b.own("wan"), b.own("lan")} {
		b.addrs[a] = time.Time{}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.boxes = append(w.boxes, b)
	return b
}

func (b *box) own(iface string) address.Address {
	net := map[string]int{"wan": 2, "lan": 3}[iface]
	return address.Address{Interface: iface, Prefix: netip.MustParsePrefix(fmt.Sprintf("192.0.%d.%d/24", net, b.n))}
}

func vip(iface string) address.Address {
	net := map[string]int{"wan": 2, "lan": 3}[iface]
	return address.Address{Interface: iface, Prefix: netip.MustParsePrefix(fmt.Sprintf("192.0.%d.100/24", net))}
}

// start starts the box's keeper with what its record says.
func (b *box) start() {
	b.w.t.Helper()
	cfg := Config{
		Record: filepath.Join(b.dir, "record"), Distrust: b.doubts, Host: b, Listen: b.listen, Through: b.through, LinkUp: b.linkUp,
		Log: hclog.NewNullLogger(), Quiet: b.quiet, Who: b.who, Suspended: b.suspended,
	}
	if b.screen != nil {
		cfg.Screen = b.screen
	}
	k := newKeeper(cfg)
	if err := k.take(); err != nil {
		b.w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.w.t.Context())
	b.keeper, b.cancel, b.ended = k, cancel, make(chan struct{})
	go func() {
		defer close(b.ended)
		if err := k.run(ctx); err != nil {
			b.w.t.Error(err)
		}
	}()
}

func (b *box) suspended(time.Time) (asleep time.Duration) {
	b.w.mu.Lock()
	defer b.w.mu.Unlock()
	asleep, b.asleep = b.asleep, 0
	return asleep
}

// kill ends the keeper without a word. The addresses stay for their lifetime.
func (b *box) kill() {
	b.cancel()
	<-b.ended
}

// set gives an order: one group of routers on the interfaces.
func (b *box) set(priority uint8, epoch uint64, ifaces ...string) {
	b.w.t.Helper()
	b.order(Order{Groups: []Group{gateway(priority, epoch, time.Second, ifaces...)}})
}

// gateway is a group of routers on the interfaces.
func gateway(priority uint8, epoch uint64, interval time.Duration, ifaces ...string) Group {
	g := Group{Name: "gateway", Priority: priority, Epoch: epoch}
	for i, iface := range ifaces {
		g.Routers = append(g.Routers, Router{
			Name: iface, VRID: uint8(51 + i), Interface: iface, Interval: interval,
			Addresses: []netip.Prefix{vip(iface).Prefix},
		})
	}
	return g
}

func (b *box) order(o Order) {
	b.w.t.Helper()
	for _, other := range b.w.boxes {
		if other != b {
			o.Members = append(o.Members, other.own("wan").Prefix.Addr(), other.own("lan").Prefix.Addr())
		}
	}
	if err := o.Validate(); err != nil {
		b.w.t.Fatal(err)
	}
	b.do(func(now time.Time) { b.keeper.set(now, o, nil) })
}

func (b *box) do(f func(now time.Time)) {
	b.w.t.Helper()
	if err := b.keeper.call(b.w.t.Context(), f); err != nil {
		b.w.t.Fatal(err)
	}
}

func (b *box) claim(priority uint8) error {
	var done <-chan error
	b.do(func(now time.Time) { done = b.keeper.claim(now, "gateway", priority) })
	return <-done
}

func (b *box) step(ev vrrp.Event) {
	b.do(func(now time.Time) {
		g := b.keeper.groups["gateway"]
		b.keeper.carry(now, g, g.machine.Step(now, "", ev))
	})
}

func (b *box) status() Status {
	var s Status
	b.do(func(now time.Time) { s = b.keeper.status(now) })
	return s
}

func (b *box) state() string {
	g, _ := b.status().Group("gateway")
	return g.State
}

func (b *box) last() Transition {
	s := b.status()
	if len(s.Transitions) == 0 {
		return Transition{}
	}
	return s.Transitions[len(s.Transitions)-1]
}

// link sets the carrier of an interface.
func (b *box) link(iface string, up bool) {
	b.w.mu.Lock()
	b.up[iface] = up
	f := b.events
	b.w.mu.Unlock()
	if f != nil {
		f(address.Event{Interface: iface, Up: up})
	}
}

// steal removes an address behind the keeper's back.
func (b *box) steal(a address.Address) {
	b.w.mu.Lock()
	delete(b.addrs, a)
	f := b.events
	b.w.mu.Unlock()
	f(address.Event{Interface: a.Interface, Removed: a})
}

// has reports whether the host answers for an address.
func (b *box) has(a address.Address) bool {
	b.w.mu.Lock()
	defer b.w.mu.Unlock()
	until, ok := b.addrs[a]
	return ok && (until.IsZero() || until.After(time.Now()))
}

// announced returns when the host announced an address.
func (b *box) announced(a address.Address) []time.Time {
	b.w.mu.Lock()
	defer b.w.mu.Unlock()
	return slices.Clone(b.said[a])
}

// owners are the numbers of the hosts that answer for an address.
func (w *world) owners(a address.Address) []int {
	var out []int
	for _, b := range w.boxes {
		if b.has(a) {
			out = append(out, b.n)
		}
	}
	return out
}

// during samples the owners of an address each millisecond while f runs, and returns the longest time
// without one and the longest time with more than one.
func (w *world) during(a address.Address, f func()) (none, many time.Duration) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	var noneNow, manyNow time.Duration
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		switch n := len(w.owners(a)); {
		case n == 0:
			noneNow, manyNow = noneNow+time.Millisecond, 0
		case n > 1:
			noneNow, manyNow = 0, manyNow+time.Millisecond
		default:
			noneNow, manyNow = 0, 0
		}
		none, many = max(none, noneNow), max(many, manyNow)
		select {
		case <-done:
			return none, many
		case <-tick.C:
		}
	}
}

// The box is a Host.

func (b *box) Renew(as []address.Address, lifetime time.Duration) error {
	time.Sleep(b.slow)
	b.w.mu.Lock()
	defer b.w.mu.Unlock()
	if b.noAddr != nil {
		return b.noAddr
	}
	for _, a := range as {
		b.addrs[a] = time.Now().Add(lifetime)
	}
	return nil
}

func (b *box) Remove(as []address.Address) error {
	time.Sleep(b.slow)
	b.w.mu.Lock()
	defer b.w.mu.Unlock()
	if len(as) > 0 && !b.paths.Empty() {
		b.wrong = append(b.wrong, "addresses removed before the routes")
	}
	for _, a := range as {
		delete(b.addrs, a)
	}
	return nil
}

func (b *box) Present() (map[address.Address]time.Duration, error) {
	b.w.mu.Lock()
	defer b.w.mu.Unlock()
	out := map[address.Address]time.Duration{}
	for a, until := range b.addrs {
		switch left := time.Until(until); {
		case until.IsZero():
			out[a] = 0
		case left > 0:
			out[a] = left
		}
	}
	return out, nil
}

func (b *box) Announce(as []address.Address, may func(address.Address) bool) error {
	time.Sleep(b.mumble)
	b.w.mu.Lock()
	defer b.w.mu.Unlock()
	for _, a := range as {
		if may(a) {
			b.said[a] = append(b.said[a], time.Now())
		}
	}
	return nil
}

func (b *box) RenewPaths(p address.Paths, _ time.Duration) error {
	b.w.mu.Lock()
	defer b.w.mu.Unlock()
	if b.noPath != nil {
		return b.noPath
	}
	if len(b.addrs) == 2 { // its own
		b.wrong = append(b.wrong, "routes before the addresses")
	}
	lacks := b.paths.Lacks(p)
	b.paths.Routes = append(b.paths.Routes, lacks.Routes...)
	b.paths.Rules = append(b.paths.Rules, lacks.Rules...)
	return nil
}

func (b *box) RemovePaths(p address.Paths) error {
	b.w.mu.Lock()
	defer b.w.mu.Unlock()
	b.paths = b.paths.Beyond(p)
	return nil
}

func (b *box) Paths() (address.Paths, error) {
	b.w.mu.Lock()
	defer b.w.mu.Unlock()
	return address.Paths{Routes: slices.Clone(b.paths.Routes), Rules: slices.Clone(b.paths.Rules)}, nil
}

func (b *box) VirtualMACs(want []address.VirtualMAC) map[address.VirtualMAC]error {
	b.w.mu.Lock()
	defer b.w.mu.Unlock()
	b.macs = slices.Clone(want)
	out := map[address.VirtualMAC]error{}
	for _, v := range want {
		if b.noMAC != nil {
			out[v] = b.noMAC
		}
	}
	return out
}

func (b *box) Watch(ctx context.Context, f func(address.Event)) error {
	b.w.mu.Lock()
	b.events = f
	b.w.mu.Unlock()
	<-ctx.Done()
	return nil
}

func (b *box) Primary(iface string, _ bool, ignore map[netip.Addr]bool) (netip.Addr, bool) {
	b.w.mu.Lock()
	defer b.w.mu.Unlock()
	for _, a := range slices.SortedFunc(maps.Keys(b.addrs), func(x, y address.Address) int { return x.Prefix.Compare(y.Prefix) }) {
		if a.Interface == iface && !ignore[a.Prefix.Addr()] {
			return a.Prefix.Addr(), true
		}
	}
	return netip.Addr{}, false
}

func (b *box) linkUp(iface string) (int, bool, error) {
	b.w.mu.Lock()
	defer b.w.mu.Unlock()
	return 1, b.up[iface], nil
}
