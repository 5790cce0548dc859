//go:build mutants

package main

import (
	"time"

	"github.com/quorate/quorate/director/address"
	"github.com/quorate/quorate/director/keeper"
	"github.com/quorate/quorate/director/mutant"
)

// breakable is the keeper's host, in a build for tests alone that breaks promises of it.
func breakable(h keeper.Host) keeper.Host { return broken{h} }

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
