// Package levels decides when the cluster's feature level is raised by itself: a while after every member supports
// the next, so that there is a way back until then. It is pure: it is told the time and what is known of the members.
//
// It promises that no level is named that a member was not seen to support, whether that answers or not, and that a
// level is never lowered.
package levels

import (
	"fmt"
	"time"

	"github.com/quorate/quorate/config"
)

// Never is how long is waited where nobody but a person is to raise the level.
const Never = config.Never

// Member is what is known of the binary that a member runs.
type Member struct {
	Name     string
	Version  string
	Min, Max int // feature levels that it supports
}

// Seen is a member as it is in the log and as it says itself, if it answers and says anything: the lower of both
// counts. One that has just gone back to an older version may not be in the log as that yet, and one that was
// heard last while it ran another may be there as the newer already.
func Seen(log Member, said *Member) Member {
	if said == nil || said.Max == 0 {
		return log
	}
	if said.Max <= log.Max {
		return *said
	}
	return log
}

// Highest is the highest feature level that all members support; 0 if there are none.
func Highest(members []Member) int {
	highest := 0
	for i, m := range members {
		if i == 0 || m.Max < highest {
			highest = m.Max
		}
	}
	return highest
}

// Lacking returns the members that do not support a level.
func Lacking(members []Member, level int) []Member {
	var old []Member
	for _, m := range members {
		if m.Max < level {
			old = append(old, m)
		}
	}
	return old
}

// Longest is the longest of what is to be waited. A 0 says nothing: it is of a member that knows no such setting.
func Longest(after ...time.Duration) time.Duration {
	var longest time.Duration
	for _, d := range after {
		if d == Never {
			return Never
		}
		longest = max(longest, d)
	}
	return longest
}

// Watch remembers since when all members support a level beyond the cluster's.
type Watch struct {
	level int
	since time.Time
}

// Look notes what the members support at now, and returns the level that all of them do and since when, or 0 if that
// is not beyond the cluster's.
func (w *Watch) Look(now time.Time, level int, members []Member) (next int, since time.Time) {
	highest := Highest(members)
	switch {
	case highest <= level:
		*w = Watch{}
	case highest != w.level:
		*w = Watch{highest, now}
	}
	return w.level, w.since
}

// Due says at now whether the level that all members support is to be raised to, and why, if they have supported it
// since a time and that is long enough.
func Due(now time.Time, next int, since time.Time, after time.Duration) (why string, due bool) {
	if next == 0 || after == Never || after <= 0 || now.Sub(since) < after {
		return "", false
	}
	return fmt.Sprintf("every member has supported it for %s", inWords(after)), true
}

// inWords writes a duration as short as it can be.
func inWords(d time.Duration) string {
	switch {
	case d == 24*time.Hour:
		return "a day"
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return d.String()
}
