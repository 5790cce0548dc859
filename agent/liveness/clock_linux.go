package liveness

import (
	"time"

	"golang.org/x/sys/unix"
)

// Slept is for how long this machine has been suspended since it was started.
func Slept() time.Duration { return clock(unix.CLOCK_BOOTTIME) - clock(unix.CLOCK_MONOTONIC) }

func clock(id int32) time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(id, &ts); err != nil {
		return 0 // every kernel has both
	}
	return time.Duration(ts.Nano())
}
