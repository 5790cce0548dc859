//go:build !mutants

package cluster

// unsynced is for builds for tests alone: the log is synced.
const unsynced = false
