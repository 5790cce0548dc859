package keeper

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/quorate/quorate/director/accept"
	"github.com/quorate/quorate/director/address"
	"github.com/quorate/quorate/director/suspend"
	"github.com/quorate/quorate/director/vrrp"
)

// Host is the kernel's addresses. Its methods may be called concurrently.
type Host interface {
	// Renew adds addresses, or starts their lifetime again.
	Renew(as []address.Address, lifetime time.Duration) error
	// Remove removes addresses. One that is absent is no error.
	Remove(as []address.Address) error
	// Present returns all addresses of the host with what is left of their lifetime, 0 for ever.
	Present() (map[address.Address]time.Duration, error)
	// Announce tells the segment once where the addresses are. It asks may just before it tells of one,
	// and keeps silent about those that may not be told of any more.
	Announce(as []address.Address, may func(address.Address) bool) error
	// RenewPaths adds routes and rules, or starts the lifetime again of those that have one.
	RenewPaths(p address.Paths, lifetime time.Duration) error
	// RemovePaths removes routes and rules that quorate made. One that is absent is no error.
	RemovePaths(p address.Paths) error
	// Paths returns all routes and rules that quorate made, earlier runs included.
	Paths() (address.Paths, error)
	// VirtualMACs has the host have these interfaces with virtual MACs, and no others of quorate's but
	// those with addresses. It returns what is wrong with those that cannot be had.
	VirtualMACs(want []address.VirtualMAC) map[address.VirtualMAC]error
	// Watch calls f at each change of a link, an address, a route or a rule, until ctx ends.
	Watch(ctx context.Context, f func(address.Event)) error
	// Primary returns the address that an interface speaks from, the ignored ones apart.
	Primary(iface string, v6 bool, ignore map[netip.Addr]bool) (netip.Addr, bool)
}

// Screen is what keeps packets from the host. Its methods may be called concurrently.
type Screen interface {
	// Refuse has the host take no packets for some addresses, and for no others that it refused before. Again
	// says that somebody else had changed that.
	Refuse(want accept.Table) (again bool, err error)
	// Watch calls f when somebody may have changed it, until ctx ends.
	Watch(ctx context.Context, f func()) error
}

// Config is what a keeper needs.
type Config struct {
	// Socket is the path of the unix socket for orders. Beside it lies a lock file of the same name
	// with ".lock" behind it, which stays.
	Socket string
	// Record is the path of the file that the last order is kept in.
	Record string
	// Distrust is why the record can be trusted with nothing; nil if it can. It is neither read nor written then: in another
	// user's directory it may be anything, and a link to anywhere.
	Distrust error
	Log      hclog.Logger
	Host     Host
	Screen   Screen
	Quiet    Quiet // nil: nothing is done about that
	// Release says that the end of ctx is a goodbye: priority 0, and the addresses are removed.
	// Without it the addresses stay for their lifetime, and a keeper that starts within it goes on.
	Release bool
	// HandOver is how long after the end of ctx a client may take to hand over what is Active, before
	// the goodbye; 0 for no such time. Without a client nothing is waited for.
	HandOver time.Duration
	// RealTime asks for locked memory and real-time scheduling of the whole process.
	RealTime bool
	// Who asks the segments while control is away; nil: nobody is asked.
	Who Who
	// Listen opens the socket of an interface; nil for [vrrp.Listen].
	Listen func(iface string, v6 bool) (vrrp.Conn, error)
	// Through opens what the adverts of routers with a virtual MAC address leave by; nil for
	// [vrrp.Through].
	Through func(iface string, v6 bool, mac [6]byte) (vrrp.Outlet, error)
	// LinkUp returns the index of an interface that is up, and whether it has carrier, else an error that
	// says what is wrong; nil to ask the kernel.
	LinkUp func(iface string) (index int, carrier bool, err error)
	// Suspended returns for how long the host was suspended since it was asked last; nil to ask the kernel.
	Suspended func(now time.Time) time.Duration
}

// keeper is the loop's own. Nothing in it is touched by another goroutine, but through the channels.
type keeper struct {
	cfg      Config
	log      hclog.Logger
	worker   *worker
	survey   *surveyor
	record   *recorder
	quiet    *quieting
	segments *segments

	calls   chan func()
	ready   chan struct{} // capacity 1: a socket has a datagram
	reports chan []report
	surveys chan survey
	over    chan struct{} // closed when the loop has ended

	order   Order
	members map[netip.Addr]bool
	signs   map[place]time.Time // when a member was heard on a link, whatever it said
	groups  map[string]*group
	at      map[identity]*group // where each router is
	parting []*parting
	ports   map[link]*port
	links   map[link]facts
	outlets map[address.VirtualMAC]vrrp.Outlet
	macs    map[address.VirtualMAC]error // of those that were looked at
	waiting sync.WaitGroup               // goroutines that wait at sockets

	transitions []Transition
	seq         uint64
	drops       map[string]map[vrrp.Drop]uint64
	refusal     string // what is wrong with the screen, or empty
	changed     bool
	recorded    bool // the record is up to date
	asked       asked
	stop        *stopOrder
	until       time.Time // when to stop waiting for a client to hand over; zero: not stopping
	buf         []byte

	watching sync.Mutex // guards watchers
	watchers map[chan struct{}]bool
}

// stopOrder is an order to end the process.
type stopOrder struct{ release bool }

// Run keeps addresses until ctx ends or a client stops it.
func Run(ctx context.Context, cfg Config) error {
	if cfg.Listen == nil {
		cfg.Listen = vrrp.Listen
	}
	if cfg.Through == nil {
		cfg.Through = vrrp.Through
	}
	if cfg.LinkUp == nil {
		cfg.LinkUp = linkUp
	}
	if cfg.RealTime {
		realTime(cfg.Log)
	}
	listener, err := open(cfg)
	if err != nil {
		return fmt.Errorf("keeper: %w", err)
	}
	k := newKeeper(cfg)
	if err := k.take(); err != nil {
		return fmt.Errorf("keeper: %w", errors.Join(err, listener.Close()))
	}
	serving, hangUp := context.WithCancel(context.Background())
	var server sync.WaitGroup
	server.Go(func() { serve(serving, listener, k, cfg.Log) })
	server.Go(func() {
		if err := suspend.Watch(serving, func() { poke(k.ready) }); err != nil {
			cfg.Log.Warn("a suspend of this host is seen a moment later than it could be", "err", err)
		}
	})
	err = k.run(ctx)
	hangUp() // last, so that a client that ordered the end sees it
	server.Wait()
	return err
}

// open makes the folders and opens the socket. Control makes the same folders; on a host's first start the keeper may come
// before it. Without one for the record the keeper says so once it cannot keep that, and goes on.
func open(cfg Config) (net.Listener, error) {
	_ = os.MkdirAll(filepath.Dir(cfg.Record), 0o700)
	if err := os.MkdirAll(filepath.Dir(cfg.Socket), 0o755); err != nil {
		return nil, fmt.Errorf("make directory: %w", err)
	}
	return listenUnix(cfg.Socket)
}

// run owns the goroutines that do what the loop must not wait for. Each is waited for, but the disk
// only for a while.
func (k *keeper) run(ctx context.Context) error {
	inner, cancel := context.WithCancel(context.Background()) // the goodbye comes after the end of ctx
	defer cancel()
	var working, looking, recording sync.WaitGroup
	working.Go(func() { k.worker.run(inner) })
	looking.Go(func() { k.survey.run(inner) })
	looking.Go(func() { k.survey.watch(inner) })
	looking.Go(func() { k.worker.screen.watch(inner, k.worker.poke) })
	looking.Go(func() { k.quiet.run(inner) })
	recording.Go(func() { k.record.run(inner) })
	release := k.loop(ctx)
	close(k.over)
	if release {
		k.goodbye()
	}
	cancel()
	working.Wait()
	if release {
		k.worker.finish(time.Now().Add(2 * time.Second))
	}
	looking.Wait()
	if release {
		k.cfg.Host.VirtualMACs(nil)
	}
	for _, p := range k.ports {
		close(p.gone)
	}
	k.survey.closeAll()
	k.waiting.Wait()
	written := make(chan error, 1)
	go func() {
		recording.Wait()
		written <- k.record.flush()
	}()
	select {
	case err := <-written:
		return err
	case <-time.After(2 * time.Second):
		return fmt.Errorf("write %s: the disk does not answer", k.cfg.Record)
	}
}

func newKeeper(cfg Config) *keeper {
	if cfg.Suspended == nil {
		cfg.Suspended = suspend.NewClock().Since
	}
	k := &keeper{
		cfg: cfg, log: cfg.Log,
		calls: make(chan func()), ready: make(chan struct{}, 1),
		reports: make(chan []report), surveys: make(chan survey),
		over:   make(chan struct{}),
		groups: map[string]*group{}, at: map[identity]*group{}, ports: map[link]*port{}, links: map[link]facts{},
		members: map[netip.Addr]bool{}, signs: map[place]time.Time{}, drops: map[string]map[vrrp.Drop]uint64{},
		watchers: map[chan struct{}]bool{},
		buf:      make([]byte, 8192), recorded: true,
	}
	k.worker = newWorker(cfg.Host, cfg.Screen, cfg.Log.Named("addresses"), k.reports)
	k.survey = &surveyor{
		host: cfg.Host, listen: cfg.Listen, through: cfg.Through, up: cfg.LinkUp, outlets: map[address.VirtualMAC]outlet{}, log: cfg.Log.Named("survey"),
		poke: make(chan struct{}, 1), facts: k.surveys, sockets: map[link]socket{},
	}
	k.quiet = &quieting{Quiet: cfg.Quiet, log: cfg.Log.Named("quiet"), poke: make(chan struct{}, 1)}
	k.segments = &segments{who: cfg.Who, log: cfg.Log.Named("segments"), gathering: map[place]*round{}}
	k.record = newRecorder(cfg.Record, cfg.Distrust, cfg.Log.Named("record"))
	return k
}

// loop runs until ctx ends or a client stops it, and returns whether to say goodbye.
func (k *keeper) loop(ctx context.Context) (release bool) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	end := ctx.Done()
	for {
		var do func()
		select {
		case <-end:
			end = nil
			k.until, k.changed = time.Now().Add(k.cfg.HandOver), true
		case <-timer.C:
		case <-k.ready:
		case do = <-k.calls:
		case s := <-k.surveys:
			do = func() { k.learn(time.Now(), s) }
		case rs := <-k.reports:
			do = func() { k.reported(time.Now(), rs) }
		}
		k.turn(do)
		switch {
		case k.stop != nil:
			return k.stop.release
		case end == nil && k.relieved(time.Now()):
			return k.cfg.Release
		}
		if next := k.deadline(); next.IsZero() {
			timer.Reset(time.Hour)
		} else {
			timer.Reset(max(time.Until(next), 0))
		}
	}
}

// relieved reports whether a keeper that was told to stop need not wait any longer: nothing is owned, or
// there is nobody who could hand it over.
func (k *keeper) relieved(now time.Time) bool {
	k.watching.Lock()
	clients := len(k.watchers)
	k.watching.Unlock()
	return clients == 0 || !now.Before(k.until) || !k.owns()
}

// owns reports whether any addresses are here, those that stay a moment after a yield among them.
func (k *keeper) owns() bool {
	for _, g := range k.groups {
		for _, r := range g.routers {
			if r.owned {
				return true
			}
		}
	}
	return false
}

// turn does what is due, and do. Nothing is done, and no timer fires, while a datagram waits: after a
// stall, the advert that made somebody else Active is read before anything is sent.
func (k *keeper) turn(do func()) {
	now := time.Now()
	k.stalls(now)
	k.receive(now)
	if do != nil {
		do()
		now = time.Now() // it may have been long
		k.stalls(now)
		k.receive(now)
	}
	k.expire(now)
	k.worker.beat.store(now)
	if !k.recorded {
		k.recorded = true
		k.record.put(record{Order: k.order, Active: k.active()})
	}
	if k.changed {
		k.changed = false
		k.tell()
	}
}

// watch has a channel poked at each change. It may be called from anywhere, as may unwatch.
func (k *keeper) watch(c chan struct{}) {
	k.watching.Lock()
	defer k.watching.Unlock()
	k.watchers[c] = true
}

func (k *keeper) unwatch(c chan struct{}) {
	k.watching.Lock()
	defer k.watching.Unlock()
	delete(k.watchers, c)
}

func (k *keeper) tell() {
	k.watching.Lock()
	defer k.watching.Unlock()
	for c := range k.watchers {
		poke(c)
	}
}

// stalls finds groups that the loop is late for: the process or the machine was frozen, or the host suspended.
func (k *keeper) stalls(now time.Time) {
	asleep := k.cfg.Suspended(now)
	s := Stall{Now: now, Frozen: now.Sub(k.worker.beat.load()) + asleep, Asleep: asleep}
	if s.Unasked(k.deadline()) {
		k.asked.stood(now)
	}
	for _, g := range k.groups {
		events := s.Events(g.machine, g.spec.listening(), g.spec.lifetime())
		if len(events) == 0 {
			continue
		}
		k.log.Warn("stalled", "group", g.spec.Name, "for", s.Frozen)
		for _, ev := range events {
			k.carry(now, g, g.machine.Step(now, "", ev))
		}
		for id, r := range g.routers {
			if r.owned {
				k.worker.check(id, false)
			}
		}
	}
}

func (k *keeper) expire(now time.Time) {
	for _, g := range k.groups {
		for range 4 { // what one step makes due is done at once, within reason
			if d := g.machine.Deadline(); d.IsZero() || d.After(now) {
				break
			}
			k.carry(now, g, g.machine.Step(now, "", vrrp.Expired{Unattended: k.unattended(now, g)}))
		}
		if g.claimed && !now.Before(g.claimEnds) {
			k.event(now, g, "its claim ends: no order has followed it in "+ClaimLasts.String())
			k.unclaim(now, g)
		}
	}
	k.part(now)
}

func (k *keeper) deadline() time.Time {
	var next time.Time
	beat := k.worker.beat.load()
	for _, g := range k.groups {
		next = earlier(next, g.machine.Deadline())
		if g.claimed {
			next = earlier(next, g.claimEnds)
		}
		if g.machine.State() == vrrp.Active {
			continue // and runs at each advert
		}
		for _, r := range g.routers {
			if r.owned { // the worker wants to see that the loop runs
				next = earlier(next, beat.Add(r.spec.Interval))
			}
		}
	}
	for _, p := range k.parting {
		next = earlier(next, p.machine.Deadline())
	}
	return earlier(next, k.until)
}

// goodbye resigns everything, and lets the repeated priority 0 leave.
func (k *keeper) goodbye() {
	k.record.put(record{Order: k.order}) // the next start begins with what was ordered, owning nothing
	k.set(time.Now(), Order{}, nil)
	for len(k.parting) > 0 {
		if d := time.Until(k.deadline()); d > 0 {
			time.Sleep(d)
		}
		k.part(time.Now())
	}
}

// call runs f in the loop.
func (k *keeper) call(ctx context.Context, f func(now time.Time)) error {
	done := make(chan struct{})
	select {
	case k.calls <- func() { defer close(done); f(time.Now()) }:
	case <-ctx.Done():
		return errors.Join(errors.New("the keeper does not answer"), ctx.Err())
	}
	<-done
	return nil
}
