package ipvs

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Attributes of a synchronisation daemon.
const (
	daemonState = iota + 1
	daemonInterface
	daemonSyncID
	daemonMaxLen
	daemonGroup
	daemonGroup6
	daemonPort
	daemonTTL
)

const (
	stateMaster uint32 = 1
	stateBackup uint32 = 2
)

// daemonTimeout bounds a request about a daemon. One that stops a daemon right after its start is
// carried out and never answered, so waiting longer is of no use.
const daemonTimeout = time.Second

// Daemons returns the synchronisation daemons that run.
func (h *Host) Daemons(ctx context.Context) ([]Daemon, error) {
	var daemons []Daemon
	err := h.with(ctx, daemonTimeout, func(ctx context.Context, c *conn) error {
		daemons = nil
		return c.ask(ctx, request{cmd: cmdGetDaemon, dump: true}, func(b []byte) error {
			a, err := parseAttrs(b)
			if err != nil {
				return err
			}
			d, err := decodeDaemon(a[attrDaemon])
			if err == nil {
				daemons = append(daemons, d)
			}
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read the ipvs sync daemons: %w", err)
	}
	return daemons, nil
}

// StartDaemon starts a daemon. One of its role that runs is left alone if it is what is wanted,
// and replaced if not.
func (h *Host) StartDaemon(ctx context.Context, d Daemon) error {
	have, err := h.Daemons(ctx)
	if err != nil {
		return err
	}
	if running, ok := sameRole(have, d.Master); ok {
		if running.satisfies(d) {
			return nil
		}
		if err := h.StopDaemon(ctx, running); err != nil {
			return err
		}
	}
	err = h.daemonRequest(ctx, cmdNewDaemon, appendDaemon(nil, d))
	if err = h.settleDaemon(ctx, err, d, true); err != nil {
		return fmt.Errorf("start the %v: %w", d, err)
	}
	return nil
}

// StopDaemon stops the daemon of d's role. That none runs is no error.
func (h *Host) StopDaemon(ctx context.Context, d Daemon) error {
	err := h.daemonRequest(ctx, cmdDelDaemon, appendUint32(nil, daemonState, stateOf(d)))
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err = h.settleDaemon(ctx, err, d, false); err != nil {
		return fmt.Errorf("stop the %v: %w", d, err)
	}
	return nil
}

// settleDaemon looks whether a request that was not answered, or was answered that there was
// nothing to do, left the daemon as it was to be.
func (h *Host) settleDaemon(ctx context.Context, err error, d Daemon, running bool) error {
	if !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, unix.EEXIST) && !errors.Is(err, unix.EINTR) {
		return err
	}
	have, look := h.Daemons(ctx)
	if look != nil {
		return errors.Join(err, look)
	}
	if found, ok := sameRole(have, d.Master); ok == running && (!running || found.satisfies(d)) {
		return nil
	}
	return err
}

func (h *Host) daemonRequest(ctx context.Context, cmd uint8, body []byte) error {
	body = appendNested(nil, attrDaemon, func(b []byte) []byte { return append(b, body...) })
	return h.with(ctx, daemonTimeout, func(ctx context.Context, c *conn) error {
		return c.ask(ctx, request{cmd: cmd, body: body}, func([]byte) error { return nil })
	})
}

func stateOf(d Daemon) uint32 {
	if d.Master {
		return stateMaster
	}
	return stateBackup
}

func appendDaemon(b []byte, d Daemon) []byte {
	b = appendUint32(b, daemonState, stateOf(d))
	b = appendString(b, daemonInterface, d.Interface)
	b = appendUint32(b, daemonSyncID, uint32(d.SyncID))
	if d.MaxLen != 0 {
		b = appendUint16(b, daemonMaxLen, d.MaxLen)
	}
	switch {
	case d.Group.Is4():
		b = appendAttr(b, daemonGroup, d.Group.AsSlice())
	case d.Group.Is6():
		b = appendAttr(b, daemonGroup6, d.Group.AsSlice())
	}
	if d.Port != 0 {
		b = appendUint16(b, daemonPort, d.Port) // in host order, unlike every other port
	}
	if d.TTL != 0 {
		b = appendUint8(b, daemonTTL, d.TTL)
	}
	return b
}

func decodeDaemon(b []byte) (Daemon, error) {
	a, err := parseAttrs(b)
	if err != nil {
		return Daemon{}, fmt.Errorf("sync daemon: %w", err)
	}
	d := Daemon{
		Master:    a.uint32(daemonState)&stateMaster != 0,
		Interface: a.string(daemonInterface), SyncID: uint8(a.uint32(daemonSyncID)),
		MaxLen: a.uint16(daemonMaxLen), Port: a.uint16(daemonPort), TTL: a.uint8(daemonTTL),
	}
	var group netip.Addr
	switch {
	case a[daemonGroup] != nil:
		group, err = a.addr(daemonGroup, syscall.AF_INET)
	case a[daemonGroup6] != nil:
		group, err = a.addr(daemonGroup6, syscall.AF_INET6)
	}
	d.Group = group
	return d, err
}
