package agent

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/quorate/quorate/checks"
	"github.com/quorate/quorate/director"
	"github.com/quorate/quorate/director/host"
	"github.com/quorate/quorate/director/ipvs"
	"github.com/quorate/quorate/director/mutant"
	"github.com/quorate/quorate/fsm"
)

// ledgerSettle is the time between the two dumps of the kernel's table that must agree before
// anything is removed on their word.
const ledgerSettle = 100 * time.Millisecond

// newDirector joins a session's parts to what keeps this host.
func (a *Agent) newDirector(s *session) (*director.Director, error) {
	kernel, err := ipvs.Open()
	if err != nil {
		return nil, err
	}
	s.kernel = kernel
	log := s.log.Named("director")
	syncOn := s.cfg.Interface(s.cfg.SyncInterface)
	if syncOn == "" {
		syncOn = interfaceOf(s.cfg.Bind.Addr())
	}
	return director.New(director.Config{
		Name: s.cfg.Name, Role: s.cfg.Role, Interfaces: s.cfg.Interfaces,
		State: s.node.State, Current: s.node.Current, Quorum: s.quorum,
		Ready:   func() bool { return len(s.unready(s.node.State())) == 0 },
		Apart:   s.apart,
		Blocked: s.blocked,
		Insists: s.groups.Insists,
		Pool:    s.pool,
		Order:   s.order,
		Tables:  ipvs.New(ipvs.Config{Kernel: kernel, LedgerFile: ledgerFile(s.cfg.DataDir), Settle: ledgerSettle, Log: log}),
		Kernel:  kernel,
		Host:    host.New(host.Config{ReadOnly: !s.cfg.Prepare, Log: log}),
		SyncOn:  syncOn,
		Event:   func(kind, name, text string) { s.events.add(s.cfg.Name, 0, kind, name, text) },
		Log:     log,
	}), nil
}

// ledgerFile is where it is kept which IPVS services quorate made.
func ledgerFile(dataDir string) string { return filepath.Join(dataDir, "ipvs.json") }

// clearKernel removes from this host all that quorate made in IPVS, by the ledger on disk, and that with it:
// without one nothing is left. It is for an agent that is in no cluster any more.
func (a *Agent) clearKernel(ctx context.Context) error {
	file := ledgerFile(a.cfg.File.DataDir)
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	kernel, err := ipvs.Open()
	if err != nil {
		return err
	}
	defer kernel.Close()
	log := a.cfg.Log.Named("director")
	if err := director.Clear(ctx, kernel, ipvs.New(ipvs.Config{Kernel: kernel, LedgerFile: file, Settle: ledgerSettle, Log: log})); err != nil {
		return err
	}
	return os.Remove(file)
}

// clearLeft does what a leave that was cut off did not come to.
func (a *Agent) clearLeft(ctx context.Context) {
	if err := a.clearKernel(ctx); err != nil {
		a.cfg.Log.Warn("what quorate made in IPVS is not all removed", "err", err)
	}
}

// pool says which real servers of a service take traffic on this director.
func (s *session) pool(state *fsm.State, svc fsm.Service, quorum bool) []director.Real {
	pool := checks.Pool(svc, state.Verdicts, blinded(s.runner.ObservationsOf(svc.Name)), quorum)
	out := make([]director.Real, len(pool))
	for i, r := range pool {
		out[i] = director.Real{Address: r.Address, Weight: r.Weight, Forward: r.Forward}
	}
	return out
}

// observations is what this director's checks saw.
func (s *session) observations() map[fsm.ServerKey]checks.Observation {
	return blinded(s.runner.Observations())
}

// blinded is what was seen, or that all is well where the safeguard is off.
func blinded(seen map[fsm.ServerKey]checks.Observation) map[fsm.ServerKey]checks.Observation {
	if mutant.On(mutant.BlindChecks) {
		for key, o := range seen {
			o.Health, o.Cause = fsm.Up, ""
			seen[key] = o
		}
	}
	return seen
}
