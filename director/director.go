package director

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/director/host"
	"github.com/quorate/quorate/director/ipvs"
	"github.com/quorate/quorate/director/ipvs/quiet"
	"github.com/quorate/quorate/director/keeper"
	"github.com/quorate/quorate/director/mutant"
	"github.com/quorate/quorate/fsm"
)

// auditEvery is how often all of the kernel's table is compared, and auditParts in how many parts: while a large table is read
// as a whole, changes have to wait.
const (
	auditEvery = 30 * time.Second
	auditParts = 15
)

// Config is what a director needs. All funcs may be called at any time from any goroutine.
type Config struct {
	Name       string
	Role       fsm.Role
	Interfaces map[string]string // logical name to the kernel's
	State      func() *fsm.State
	Current    func() bool // the state is not older than what this director had applied before
	Quorum     func() bool
	Ready      func() bool
	Apart      func() bool                                                // another director and this one have not reached each other lately
	Blocked    func(*fsm.State) map[string]string                         // groups that this director must not own, and why
	Insists    func(*fsm.State) map[string]bool                           // groups that it owns, and whose former owner may not know that
	Pool       func(state *fsm.State, of fsm.Service, quorum bool) []Real // the real servers of a service that take traffic
	Order      func(context.Context, keeper.Order) error

	Tables *ipvs.Reconciler
	Kernel *ipvs.Host
	Host   *host.Host
	SyncOn string // interface of the IPVS sync daemons; "" for none
	Event  func(kind, name, text string)
	Log    hclog.Logger
}

// Director keeps this host as the state says. Everything it does is tried again; what fails is
// shown by Problems until it works.
type Director struct {
	cfg   Config
	quiet *quiet.Guard

	tablesDue, orderDue chan struct{} // capacity 1

	forTable, forOrder touched // services that have to be looked at again

	// These belong to the loop of the tables.
	beside   beside
	board    board
	quorum   bool          // whether there was one when the table was made
	features host.Features // that all services need
	afresh   bool          // features is to be made of all services in the next pass

	once     sync.Once
	loadable bool // set by once

	mu       sync.Mutex
	problems map[string]string // by what failed
	written  int               // services
	prepared host.Features
}

// New returns a director that does nothing yet.
func New(cfg Config) *Director {
	return &Director{
		cfg: cfg, quiet: quiet.New(),
		tablesDue: make(chan struct{}, 1), orderDue: make(chan struct{}, 1),
		problems: map[string]string{},
	}
}

// All says that any service may have changed, or the health of its real servers.
func (d *Director) All() {
	d.forTable.all()
	d.forOrder.all()
	d.Poke()
}

// Judged says that the health of real servers of these services may have changed. The keeper's orders do not depend on it.
func (d *Director) Judged(services ...string) {
	d.forTable.add(services)
	d.Poke()
}

// Changed says that these services may have changed.
func (d *Director) Changed(services ...string) {
	d.forTable.add(services)
	d.forOrder.add(services)
	d.Poke()
}

// Poke says that something else that the desired state is made of has changed.
func (d *Director) Poke() {
	for _, c := range []chan struct{}{d.tablesDue, d.orderDue} {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// Run keeps the host as the state says until ctx ends, and leaves it as it is then. Orders to the
// keeper do not wait for tables: a slow kernel delays no priority.
func (d *Director) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { d.orders(ctx) })
	wg.Go(func() { d.tables(ctx) })
	wg.Wait()
	return d.quiet.Close()
}

// orders tells the keeper what to do whenever that has changed.
func (d *Director) orders(ctx context.Context) {
	var told *keeper.Order
	var of *fsm.State // told was made of this and the next
	var as Self
	var services board
	for {
		names, all := d.forOrder.take()
		state := d.cfg.State()
		services.follow(state, names, all, d.cfg.Name)
		self := d.self()
		self.Blocked, self.Insists, self.Apart = d.cfg.Blocked(state), d.cfg.Insists(state), d.cfg.Apart()
		if state.ClusterID != "" && (state != of || !reflect.DeepEqual(self, as)) {
			order, err := orderOf(state, self, services.quiet), error(nil)
			if told == nil || !reflect.DeepEqual(order, *told) {
				told, of = nil, nil // one that fails may be what the keeper has all the same, or is given once it answers
				err = d.cfg.Order(ctx, order)
				d.note("keeper", err)
			}
			if err == nil {
				told, of, as = &order, state, self
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-d.orderDue:
		case <-time.After(time.Second):
		}
	}
}

// tables keeps IPVS and what it needs, on change and on a slow full pass.
func (d *Director) tables(ctx context.Context) {
	audit := time.NewTicker(auditEvery / auditParts)
	defer audit.Stop()
	audited := true
	part := uint32(0)
	for {
		d.reconcile(ctx)
		select {
		case <-ctx.Done():
			return
		case <-d.tablesDue:
		case <-time.After(time.Second): // what failed is tried again
			if !audited {
				audited = d.audit(func() (ipvs.Result, error) { return d.cfg.Tables.Audit(ctx) })
			}
		case <-audit.C:
			part = (part + 1) % auditParts
			d.again(part)
			if audited {
				audited = d.audit(func() (ipvs.Result, error) { return d.cfg.Tables.Glance(ctx, part, auditParts) })
			}
		}
	}
}

// again has a part of the services looked at again, so that a change is found that nobody told of. Once in a round it also has the
// features made of all services, so that one which no service needs any more is dropped.
func (d *Director) again(part uint32) {
	var names []string
	services := d.cfg.State().Config.Services
	for _, name := range services.Names() {
		if ipvs.Share(name, auditParts) == part {
			names = append(names, name)
		}
	}
	for name := range d.board.keys {
		if !services.Has(name) {
			names = append(names, name)
		}
	}
	d.afresh = d.afresh || part == 0
	d.Changed(names...)
}

// Clear removes from this host all that quorate made in IPVS. No [Director] may run.
func Clear(ctx context.Context, kernel *ipvs.Host, tables *ipvs.Reconciler) error {
	_, err := tables.Apply(ctx, ipvs.Desired{Table: ipvs.Table{}, Complete: true})
	return errors.Join(err, setDaemons(ctx, kernel, nil))
}

// Connections returns this kernel's IPVS connections, but for those that have ended: they are most of a
// busy table, and nobody sends on them any more. It costs what they and their services do: who owns nothing, or serves nobody, is
// asked often.
func (d *Director) Connections(ctx context.Context) ([]ipvs.Conn, error) {
	if !d.HasIPVS() {
		return nil, nil
	}
	conns, err := d.cfg.Kernel.Conns()
	if err != nil {
		return nil, err
	}
	if conns = slices.DeleteFunc(conns, ipvs.Conn.Ended); len(conns) == 0 {
		return nil, nil
	}
	table, err := d.cfg.Kernel.Part(ctx, ipvs.MayHave(conns))
	if err != nil {
		return nil, err
	}
	return table.Resolve(conns), nil
}

// Inject puts connections that another director had into this kernel.
func (d *Director) Inject(ctx context.Context, conns []ipvs.Conn) error {
	if len(conns) == 0 || d.cfg.SyncOn == "" || mutant.On(mutant.BreakFirst) {
		return nil
	}
	return d.cfg.Kernel.Inject(ctx, conns)
}

// Have returns the table as this director's kernel has it.
func (d *Director) Have() ipvs.Table { return d.cfg.Tables.Have() }

// serving is how many services this director wanted last.
func (d *Director) serving() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.written
}

// CanHaveIPVS reports whether this kernel has IPVS or could load it. What it could not do once is not
// asked again: modprobe is a process.
func (d *Director) CanHaveIPVS() bool {
	if d.HasIPVS() {
		return true
	}
	d.once.Do(func() { d.loadable = d.cfg.Host.CanHaveIPVS() })
	return d.loadable
}

// HasIPVS reports whether this kernel has IPVS.
func (d *Director) HasIPVS() bool { return d.cfg.Host.HasIPVS() }

// What may fail while all that is served is served.
const (
	refused  = "ipvs refuses"
	auditing = "audit"
	guarding = "sync daemons, reset guard"
)

// Problems says what this director could not do, sorted; nothing while all is well. Serious are those for
// which it should own nothing.
func (d *Director) Problems() (serious, other []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, what := range slices.Sorted(maps.Keys(d.problems)) {
		text := what + ": " + d.problems[what]
		if what == refused || what == auditing || what == guarding {
			other = append(other, text)
		} else {
			serious = append(serious, text)
		}
	}
	return serious, other
}

// note remembers whether a part of the work failed, and tells it when that changes.
func (d *Director) note(what string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	was := d.problems[what]
	switch {
	case err == nil && was != "":
		delete(d.problems, what)
		d.cfg.Log.Info("works again", "what", what)
	case err != nil && err.Error() != was:
		d.problems[what] = err.Error()
		d.cfg.Log.Error(what, "err", err)
	}
}

func (d *Director) failedLocked(what string) bool { return d.problems[what] != "" }

func (d *Director) self() Self {
	return Self{
		Name: d.cfg.Name, Role: d.cfg.Role, Interfaces: d.cfg.Interfaces, Quorum: d.cfg.Quorum(), Ready: d.cfg.Ready(),
	}
}
