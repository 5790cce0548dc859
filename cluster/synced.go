//go:build !mutants

package cluster

// unsynced is for builds for tests alone: the log is synced.
const unsynced = false

// unscrubbed is too: states are.
func unscrubbed() bool { return false }
