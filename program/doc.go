// Package program runs programs of the administrator's on this host: checks, tracks and hooks.
//
// It promises that no shell stands in between; that a program runs as the user it was given, who can
// gain no privileges; that its whole process group is killed when it has ended or its time is up; that
// a run ends soon after its context, even where the kernel cannot kill the program; that what it
// writes, how many processes it has and the memory of each are bounded; and that an agent which is root
// runs nothing that somebody else could have changed.
//
// It never finds processes that leave the group (setsid). They hold nothing of ours, and cannot keep a
// run from ending.
package program
