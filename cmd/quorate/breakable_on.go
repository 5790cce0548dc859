//go:build mutants

package main

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/quorate/quorate/director/address"
	"github.com/quorate/quorate/director/keeper"
	"github.com/quorate/quorate/director/mutant"
)

// breakable is the keeper's host, in a build for tests alone that breaks promises of it.
func breakable(h keeper.Host) keeper.Host { return broken{h} }

// breakableQuiet is what keeps the keeper's host quiet, in the same build.
func breakableQuiet(q keeper.Quiet) keeper.Quiet { return loud{q} }

// breakableWho is what asks the segments, in the same build.
func breakableWho(w keeper.Who) keeper.Who {
	return func(ctx context.Context, iface string, source netip.Addr, targets []netip.Addr) (map[netip.Addr][]net.HardwareAddr, error) {
		if mutant.On(mutant.Unasking) {
			return nil, nil
		}
		return w(ctx, iface, source, targets)
	}
}

type loud struct{ keeper.Quiet }

// Set implements [keeper.Quiet].
func (l loud) Set(addrs []netip.AddrPort) error {
	if mutant.On(mutant.LoneGuard) {
		addrs = nil
	}
	return l.Quiet.Set(addrs)
}

type broken struct{ keeper.Host }

// Renew implements [keeper.Host].
func (b broken) Renew(as []address.Address, lifetime time.Duration) error {
	if mutant.On(mutant.NoLifetime) {
		lifetime = time.Hour
	}
	return b.Host.Renew(as, lifetime)
}

// Announce implements [keeper.Host].
func (b broken) Announce(as []address.Address, may func(address.Address) bool) error {
	if mutant.On(mutant.Mute) {
		return nil
	}
	return b.Host.Announce(as, may)
}
