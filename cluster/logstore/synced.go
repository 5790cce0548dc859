//go:build !mutants

package logstore

// unsynced is for builds for tests alone: the log is synced.
const unsynced = false
