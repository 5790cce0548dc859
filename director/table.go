package director

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/quorate/quorate/director/host"
	"github.com/quorate/quorate/director/ipvs"
	"github.com/quorate/quorate/director/mutant"
	"github.com/quorate/quorate/fsm"
)

// reconcile brings the kernel to the state.
func (d *Director) reconcile(ctx context.Context) {
	if state, ok := d.reconcileTable(ctx); ok {
		d.reconcileBeside(ctx, state)
	}
}

// reconcileTable brings the table to the state, and returns that; false if nothing was to do. A state
// without services needs no IPVS, and a kernel that never had a service of ours is not asked.
func (d *Director) reconcileTable(ctx context.Context) (*fsm.State, bool) {
	names, all := d.forTable.take()
	complete := d.cfg.Current() // asked before the state is read: by the word of an old state nothing may be removed
	state := d.cfg.State()
	if state.ClusterID == "" || d.cfg.Role == fsm.RoleWitness || mutant.On(mutant.DeafTables) && d.serving() > 0 {
		d.forTable.all()
		return nil, false
	}
	quorum, own := d.cfg.Quorum(), state.Members[d.cfg.Name].Sources
	names = d.board.due(names, all || quorum != d.quorum, own)
	d.quorum = quorum
	few := names
	if d.afresh {
		few = nil
	}
	f := Features(part(state.Config, few), Self{Interfaces: d.cfg.Interfaces})
	if f.IPVS, f.Sync = state.Config.Services.Len() > 0, state.Config.Services.Len() > 0; few != nil {
		f = joined(d.features, f)
	}
	d.features, d.afresh = f, false
	d.prepare(f)
	want, keys := d.board.update(state.Config, names, own, func(svc fsm.Service) []Real { return d.cfg.Pool(state, svc, quorum) })
	if len(d.board.keys) == 0 && d.serving() == 0 && !d.HasIPVS() {
		d.note("ipvs", nil)
		return nil, false
	}
	if mutant.On(mutant.FlushTables) && !quorum {
		want, keys = ipvs.Table{}, nil
		d.forTable.all()
	}
	d.apply(ctx, ipvs.Desired{Table: want, Changed: keys, Complete: complete})
	return state, true
}

// apply has the kernel's table made as it should be, and notes what it refuses.
func (d *Director) apply(ctx context.Context, want ipvs.Desired) {
	res, err := d.cfg.Tables.Apply(ctx, want)
	if len(res.Failed) > 0 && ipvs.Refused(err) { // the other directors' kernels refuse it as well: no reason to own nothing
		d.note(refused, err)
		err = nil
	} else {
		d.note(refused, nil)
	}
	d.note("ipvs", err)
	d.mu.Lock()
	d.written = len(d.board.keys)
	d.mu.Unlock()
}

// prepare sets what a configuration needs of the host, when that has changed.
func (d *Director) prepare(f host.Features) {
	d.mu.Lock()
	same := reflect.DeepEqual(f, d.prepared) && !d.failedLocked("host")
	d.mu.Unlock()
	if same {
		return
	}
	var errs []error
	for _, r := range d.cfg.Host.Ensure(host.Needs(f)) {
		if r.Err != nil {
			errs = append(errs, r.Err)
		}
	}
	d.note("host", errors.Join(errs...))
	d.mu.Lock()
	d.prepared = f
	d.mu.Unlock()
}

// maxDrift bounds the events that one audit makes: after all of a large table was removed by hand they would be all that an agent
// remembers.
const maxDrift = 20

// audit compares the table, or a part of it, with the kernel's and tells of drift. It reports whether it could.
func (d *Director) audit(compare func() (ipvs.Result, error)) bool {
	if d.serving() == 0 {
		d.note(auditing, nil)
		return true
	}
	res, err := compare()
	d.note(auditing, err)
	for _, op := range res.Drift[:min(len(res.Drift), maxDrift)] {
		d.cfg.Event("drift", fmt.Sprint(op), "healed on "+d.cfg.Name+": "+fmt.Sprint(op))
	}
	if more := len(res.Drift) - maxDrift; more > 0 {
		d.cfg.Event("drift", "", fmt.Sprintf("healed on %s: %d more changes", d.cfg.Name, more))
	}
	return err == nil
}
