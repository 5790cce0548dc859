//go:build !mutants

package cluster

// unscrubbed is for builds for tests alone: states are scrubbed.
func unscrubbed() bool { return false }
