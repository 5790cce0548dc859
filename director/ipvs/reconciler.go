package ipvs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Kernel is the one door to the kernel's table.
type Kernel interface {
	Table(context.Context) (Table, error)
	Part(context.Context, func(Key) bool) (Table, error) // all services, and the destinations of those that are named
	Do(context.Context, []Op) []error                    // an error, or nil, for each operation
}

// Config is what a [Reconciler] needs.
type Config struct {
	Kernel     Kernel
	LedgerFile string        // the record of what quorate made; its folder must exist
	Settle     time.Duration // between the two dumps that must agree; 0 for none
	Log        hclog.Logger
}

// Desired is what the table should be.
type Desired struct {
	// Table holds every wanted service, or, with Changed, those of Changed that are wanted.
	Table Table
	// Changed names the services that may differ from the last Desired; nil means any.
	Changed []Key
	// Complete says that the state behind Table is known to be current. Until then nothing is
	// removed from the kernel.
	Complete bool
}

// Result is what a pass over the table found and did.
type Result struct {
	Done     []Op  // carried out
	Failed   []Op  // refused, or of unknown outcome; tried again by every later pass
	Withheld []Op  // removals that wait until the desired state is complete
	Drift    []Op  // of an audit: what had to be changed though nobody asked for it
	Disputed []Op  // differences that only one of two dumps showed; removals among them were not done
	Foreign  []Key // services that quorate neither made nor is asked for; they are kept
}

// Reconciler makes the kernel's table equal to the desired one. Its methods may be called from
// several goroutines; they take turns.
type Reconciler struct {
	cfg Config

	mu       sync.Mutex
	asked    bool         // Apply was called, so that want is meant
	adopted  bool         // have was read from the kernel
	have     Table        // what the kernel has, as far as is known
	want     Table        // the last desired table
	complete bool         // of the last Desired
	dirty    map[Key]bool // services with a change that is still owed
	ours     Ledger
	unsaved  bool // ours differs from the ledger file
	foreign  []Key
	healed   bool // in this round of glances one has read the whole table, and found drift
	owed     bool // a later one found drift again: the whole table is to be read in the next round
}

// New returns a reconciler that has not talked to the kernel yet.
func New(cfg Config) *Reconciler {
	return &Reconciler{cfg: cfg, have: make(Table), want: make(Table), dirty: make(map[Key]bool)}
}

// Have returns the table that the kernel has, as far as is known: what was read and what was written since.
func (r *Reconciler) Have() Table {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.have.Clone()
}

// HaveOf is [Reconciler.Have] for some services. It costs what they do.
func (r *Reconciler) HaveOf(keys []Key) Table {
	named := make(map[Key]bool, len(keys))
	for _, key := range keys {
		named[key.Normalize()] = true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.have.only(named).Clone()
}

// Apply makes the kernel's table equal to the desired one. The first call reads the kernel's table
// and adopts it; later calls compare with what was last written, cut to the changed services. Every
// change is tried; the error holds all that failed.
func (r *Reconciler) Apply(ctx context.Context, d Desired) (Result, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	keys := r.desire(d)
	if !r.adopted {
		return r.full(ctx)
	}
	maps.Copy(keys, r.dirty)
	r.own(r.have.only(keys))
	return r.change(ctx, Diff(r.have.only(keys), r.want.only(keys), r.ours), Result{})
}

// Audit reads the whole table and makes it equal to the last desired one. What it had to change is
// drift. It does nothing before the first Apply.
func (r *Reconciler) Audit(ctx context.Context) (Result, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.asked {
		return Result{}, nil
	}
	return r.full(ctx)
}

// Glance is one part of an [Reconciler.Audit] in parts: it reads all services, and the destinations of one in so many of them. If
// quorate's are not what the kernel was last known to have, it reads the whole table as an audit does, since one dump alone is
// not believed; those of others may change. Once a whole table has been read and drift found in it, the next is not read before
// the next round of parts: while another program keeps changing the services, that costs one whole table in a round.
func (r *Reconciler) Glance(ctx context.Context, part, parts uint32) (Result, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.asked {
		return Result{}, nil
	}
	if !r.adopted {
		return r.full(ctx)
	}
	of := func(key Key) bool { return key.share(parts) == part }
	dump, err := r.cfg.Kernel.Part(ctx, of)
	if err != nil {
		return Result{}, err
	}
	stands := r.stands(dump, of) && !(r.complete && r.shrunk(dump))
	if part == 0 { // a round begins
		stands = stands && !r.owed
		r.healed, r.owed = false, false
	}
	switch {
	case !stands && r.healed:
		r.owed = true
		return Result{Foreign: slices.Clone(r.foreign)}, nil
	case !stands:
		result, err := r.full(ctx)
		r.healed = len(result.Drift) > 0
		return result, err
	}
	for key := range r.have {
		if _, there := dump[key]; !there { // a foreign one
			delete(r.have, key)
		}
	}
	for key, entry := range dump {
		if of(key) {
			r.have[key] = entry
		}
	}
	r.believe(r.have)
	return Result{Foreign: slices.Clone(r.foreign)}, nil
}

// stands reports whether a dump has quorate's services as they are known, and the destinations of those that of selects.
func (r *Reconciler) stands(dump Table, of func(Key) bool) bool {
	mine := func(key Key) bool {
		_, wanted := r.want[key]
		return wanted || r.ours.Has(key)
	}
	for key, have := range r.have {
		entry, there := dump[key]
		if mine(key) && (!there || entry.Service != have.Service || of(key) && !maps.Equal(entry.Dests, have.Dests)) {
			return false
		}
	}
	for key := range dump {
		if _, known := r.have[key]; !known && mine(key) {
			return false
		}
	}
	return true
}

// desire takes over what is desired and returns the services to look at.
func (r *Reconciler) desire(d Desired) map[Key]bool {
	r.asked = true
	table := d.Table.Normalize()
	keys := make(map[Key]bool)
	if d.Changed == nil || len(r.want) == 0 {
		for key := range r.want {
			keys[key] = true
		}
		r.want = table
		for key := range table {
			keys[key] = true
		}
	}
	for _, key := range d.Changed {
		key = key.Normalize()
		keys[key] = true
		if entry, ok := table[key]; ok {
			r.want[key] = entry
		} else {
			delete(r.want, key)
		}
	}
	if d.Complete && !r.complete { // removals were withheld until now
		for key := range r.have {
			keys[key] = true
		}
	}
	r.complete = d.Complete
	return keys
}

// full compares the desired table with the kernel's. What one dump shows is believed when a second
// one shows it too.
func (r *Reconciler) full(ctx context.Context) (Result, error) {
	if r.ours == nil {
		r.ours = r.loadLedger()
	}
	first, err := r.cfg.Kernel.Table(ctx)
	if err != nil {
		return Result{}, err
	}
	r.own(first)
	ops, believed := Diff(first, r.want, r.ours), []Op(nil)
	last, result := first, Result{}
	if len(ops) > 0 || !r.adopted || r.shrunk(first) {
		if err := sleep(ctx, r.cfg.Settle); err != nil {
			return Result{}, err
		}
		if last, err = r.cfg.Kernel.Table(ctx); err != nil {
			return Result{}, err
		}
		r.own(last)
		ops, believed, result.Disputed = agree(ops, Diff(last, r.want, r.ours))
		r.disown(first, last)
	}
	if r.adopted {
		result.Drift = r.drift(believed)
	}
	r.believe(last)
	return r.change(ctx, ops, result)
}

// agree compares the differences that two dumps showed. To do are those of the second, but a
// removal only if the first showed it too; believed are those of both; disputed is the rest.
func agree(first, second []Op) (todo, believed, disputed []Op) {
	seen := make(map[Op]bool, len(first))
	for _, op := range first {
		seen[op] = true
	}
	for _, op := range second {
		switch {
		case seen[op]:
			todo, believed = append(todo, op), append(believed, op)
			delete(seen, op)
		case op.Removes():
			disputed = append(disputed, op)
		default: // it does no harm where it is not needed
			todo, disputed = append(todo, op), append(disputed, op)
		}
	}
	for _, op := range first {
		if seen[op] {
			disputed = append(disputed, op)
		}
	}
	return todo, believed, disputed
}

// own takes over the services of the kernel's table that are wanted, so that what a crash or
// another program left in them is ours to put right.
func (r *Reconciler) own(table Table) {
	for key := range table {
		if _, wanted := r.want[key]; wanted && !r.ours.Has(key) {
			r.cfg.Log.Info("adopting virtual service", "service", key)
			r.ours[key], r.unsaved = true, true
		}
	}
}

// shrunk reports whether a service of ours that is not wanted is missing from a dump.
func (r *Reconciler) shrunk(dump Table) bool {
	for key := range r.ours {
		_, wanted := r.want[key]
		if _, ok := dump[key]; !ok && !wanted {
			return true
		}
	}
	return false
}

// disown forgets the services of ours that are not wanted and that two dumps lack: one that
// appears under that name later is somebody else's.
func (r *Reconciler) disown(first, second Table) {
	if !r.complete {
		return
	}
	for key := range r.ours {
		_, wanted := r.want[key]
		_, in1 := first[key]
		_, in2 := second[key]
		if !wanted && !in1 && !in2 {
			delete(r.ours, key)
			r.unsaved = true
		}
	}
}

// maxLogged bounds the lines that one pass logs about drift.
const maxLogged = 20

// drift returns the operations that nothing explains but somebody else's hand on the table.
func (r *Reconciler) drift(ops []Op) []Op {
	var drift []Op
	for _, op := range ops {
		if r.dirty[op.Key] || op.Removes() && !r.complete {
			continue
		}
		if drift = append(drift, op); len(drift) <= maxLogged {
			r.cfg.Log.Warn("drift in the kernel's table", "healing", op)
		}
	}
	if len(drift) > maxLogged {
		r.cfg.Log.Warn("more drift in the kernel's table", "changes", len(drift))
	}
	return drift
}

// believe takes over a dump.
func (r *Reconciler) believe(dump Table) {
	r.have, r.adopted = dump, true
	foreign := Foreign(r.have, r.want, r.ours)
	if !slices.Equal(foreign, r.foreign) {
		r.cfg.Log.Info("virtual services that are not quorate's are kept", "services", foreign)
	}
	r.foreign = foreign
}

// change carries out operations and remembers what became of them.
func (r *Reconciler) change(ctx context.Context, ops []Op, result Result) (Result, error) {
	if !r.complete {
		n := slices.IndexFunc(ops, Op.Removes) // removals come last
		if n >= 0 {
			ops, result.Withheld = ops[:n], ops[n:]
		}
	}
	for _, op := range ops {
		if !op.Removes() && !r.ours.Has(op.Key) {
			r.ours[op.Key], r.unsaved = true, true
		}
	}
	errs := []error{r.saveLedger()} // before the kernel hears of it
	clear(r.dirty)
	for i, err := range r.do(ctx, ops) {
		op := ops[i]
		if err != nil {
			errs = append(errs, fmt.Errorf("%v: %w", op, err))
			result.Failed = append(result.Failed, op)
			r.dirty[op.Key] = true
			continue
		}
		result.Done = append(result.Done, op)
		r.have.apply(op)
		if op.Verb == DelService {
			delete(r.ours, op.Key)
			r.unsaved = true
		}
	}
	for _, op := range result.Withheld {
		r.dirty[op.Key] = true
	}
	errs = append(errs, r.saveLedger())
	r.foreign = slices.DeleteFunc(r.foreign, r.ours.Has) // adopted
	result.Foreign = slices.Clone(r.foreign)
	return result, errors.Join(errs...)
}

func (r *Reconciler) do(ctx context.Context, ops []Op) []error {
	if len(ops) == 0 {
		return nil
	}
	return r.cfg.Kernel.Do(ctx, ops)
}

// loadLedger reads the ledger. One that cannot be read is set aside: then nothing that is not
// wanted is removed, and what is wanted is adopted anew.
func (r *Reconciler) loadLedger() Ledger {
	ledger, err := LoadLedger(r.cfg.LedgerFile)
	if err != nil {
		r.cfg.Log.Error("the record of quorate's virtual services is unreadable; those that are not configured stay in the kernel", "err", err)
		_ = os.Rename(r.cfg.LedgerFile, r.cfg.LedgerFile+".damaged")
		return make(Ledger)
	}
	return ledger
}

// saveLedger writes the ledger if it changed. A disk that is full must not stop the kernel's
// table from following: the error is reported, and the next pass tries again.
func (r *Reconciler) saveLedger() error {
	if !r.unsaved {
		return nil
	}
	if err := r.ours.Save(r.cfg.LedgerFile); err != nil {
		return err
	}
	r.unsaved = false
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
