// Package power cuts a director's power while it is written to, again and again, and looks each time whether it starts
// with all that it had confirmed.
//
// The director is a guest with its data directory on a block device of its own, which is a file of this machine. The
// guest is killed with all of its processes, so what it had not synced is gone with its memory. It promises that the
// moment is random, that what counts as confirmed was printed by the guest before, and that a control without syncs
// fails. `make power-cuts` runs it; it takes minutes.
package power
