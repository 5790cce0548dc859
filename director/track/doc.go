// Package track watches what decides whether this director may own a group, or how well it would:
// interfaces, scripts, numbers in files, and processes.
//
// It promises that what is known is kept while what is watched stays the same; that a track which has
// said nothing yet is told apart from one that fails; that one result too few in a row, or one instant
// too short, changes nothing; and that the judgement of a group is a pure function of the results,
// with the reasons for it.
//
// It never decides who owns a group, and never changes anything on the host.
package track
