//go:build !mutants

package main

import "github.com/quorate/quorate/director/keeper"

// breakableWho is what asks the segments, as it is.
func breakableWho(w keeper.Who) keeper.Who { return w }

// breakable is the keeper's host, as it is.
func breakable(h keeper.Host) keeper.Host { return h }

// breakableQuiet is what keeps the keeper's host quiet, as it is.
func breakableQuiet(q keeper.Quiet) keeper.Quiet { return q }
