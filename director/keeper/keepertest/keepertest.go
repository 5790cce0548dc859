// Package keepertest has a keeper for tests of those who give it orders.
package keepertest

import (
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/director/address"
	"github.com/quorate/quorate/director/keeper"
	"github.com/quorate/quorate/director/vrrp"
)

// Run runs a keeper on a host without interfaces until the test is over, and returns its socket.
func Run(t *testing.T) (socket string) {
	t.Helper()
	dir, none := t.TempDir(), errors.New("none")
	socket = filepath.Join(dir, "k")
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- keeper.Run(ctx, keeper.Config{
			Socket: socket, Record: filepath.Join(dir, "r"), Log: hclog.NewNullLogger(), Host: Bare{},
			Listen: func(string, bool) (vrrp.Conn, error) { return nil, none },
			LinkUp: func(string) (int, bool, error) { return 0, false, none },
		})
	}()
	t.Cleanup(func() { cancel(); <-done })
	return socket
}

// Bare is a host without addresses.
type Bare struct{}

func (Bare) Renew([]address.Address, time.Duration) error { return nil }
func (Bare) Remove([]address.Address) error               { return nil }
func (Bare) Present() (map[address.Address]time.Duration, error) {
	return map[address.Address]time.Duration{}, nil
}
func (Bare) Announce([]address.Address, func(address.Address) bool) error     { return nil }
func (Bare) RenewPaths(address.Paths, time.Duration) error                    { return nil }
func (Bare) RemovePaths(address.Paths) error                                  { return nil }
func (Bare) Paths() (address.Paths, error)                                    { return address.Paths{}, nil }
func (Bare) VirtualMACs([]address.VirtualMAC) map[address.VirtualMAC]error    { return nil }
func (Bare) Primary(string, bool, map[netip.Addr]bool) (a netip.Addr, b bool) { return a, b }
func (Bare) Watch(ctx context.Context, _ func(address.Event)) error {
	<-ctx.Done()
	return nil
}
