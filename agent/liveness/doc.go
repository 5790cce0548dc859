// Package liveness knows for how long each other member has been silent: its agent over the cluster port,
// and its machine on the segments. Every agent sends a word to each other one each [Tracker.Every], over a stream
// that stays open: what the word is, it is told; what answers on the segments it is told.
//
// It promises that a member which hangs or is cut off does not make another seem silent; that a stream to a
// member which is back is open within half a second; and that a process which did not run when it should
// have accuses nobody. It decides nothing, and never asks a member anything.
package liveness
