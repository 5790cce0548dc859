package director

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/quorate/quorate/director/ipvs"
	"github.com/quorate/quorate/director/mutant"
	"github.com/quorate/quorate/fsm"
)

// reconcileBeside brings what belongs to the table, but is not in it, to the state: the sync daemons and the reset guard.
func (d *Director) reconcileBeside(ctx context.Context, state *fsm.State) {
	daemons, quiet := Daemons(state.Config, state.ClusterID, d.cfg.SyncOn), d.board.quiet
	if mutant.On(mutant.BreakFirst) {
		daemons, quiet = nil, nil
	}
	if !d.beside.due(daemons, quiet) {
		return
	}
	err := errors.Join(d.daemons(ctx, daemons), d.quiet.Set(quiet))
	d.note(guarding, err)
	d.beside.done(daemons, quiet, err)
}

// besideEvery is how often the sync daemons and the reset guard are looked at though nothing has changed.
const besideEvery = 10 * time.Second

// beside remembers how and when the sync daemons and the reset guard were set last. The table is reconciled many times a second,
// and these would ask the kernel each time.
type beside struct {
	daemons []ipvs.Daemon
	quiet   []netip.AddrPort
	at      time.Time // zero: they are not as they should be
}

func (b *beside) due(daemons []ipvs.Daemon, quiet []netip.AddrPort) bool {
	return time.Since(b.at) > besideEvery || !slices.Equal(daemons, b.daemons) || !slices.Equal(quiet, b.quiet)
}

func (b *beside) done(daemons []ipvs.Daemon, quiet []netip.AddrPort, err error) {
	*b = beside{daemons: daemons, quiet: quiet}
	if err == nil {
		b.at = time.Now()
	}
}

// daemons starts and stops IPVS sync daemons until they are as wanted.
func (d *Director) daemons(ctx context.Context, want []ipvs.Daemon) error {
	if len(want) == 0 && !d.HasIPVS() {
		return nil
	}
	return setDaemons(ctx, d.cfg.Kernel, want)
}

func setDaemons(ctx context.Context, kernel *ipvs.Host, want []ipvs.Daemon) error {
	have, err := kernel.Daemons(ctx)
	if err != nil {
		return err
	}
	stop, start := ipvs.DiffDaemons(have, want)
	var errs []error
	for _, x := range stop {
		errs = append(errs, kernel.StopDaemon(ctx, x))
	}
	for _, x := range start {
		errs = append(errs, kernel.StartDaemon(ctx, x))
	}
	return errors.Join(errs...)
}

// follow is [board.update] for the keeper's orders, which depend on the servers of services, not on their health.
func (b *board) follow(s *fsm.State, names []string, all bool, director string) {
	own := s.Members[director].Sources
	b.update(s.Config, b.due(names, all, own), own, allServers)
}

// Quiet returns the addresses that the keeper of a director keeps from sending resets: those of TCP services without a real server
// on this host, whatever the health of their servers is. The reset guard goes by the servers that take traffic instead.
func Quiet(s *fsm.State, name string) []netip.AddrPort {
	var b board
	b.follow(s, nil, true, name)
	return b.quiet
}

// allServers are the real servers of a service, whatever their health is.
func allServers(svc fsm.Service) (out []Real) {
	for _, server := range svc.Servers {
		out = append(out, Real{Address: server.Address})
	}
	if svc.Fallback != nil {
		out = append(out, Real{Address: svc.Fallback.Address})
	}
	return out
}
