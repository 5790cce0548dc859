package suspend

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Uptime is how long ago this host was started, with the time for which it was suspended: what all processes of the host agree on.
func Uptime() time.Duration { return clock(unix.CLOCK_BOOTTIME) }

// Slept is for how long this host has been suspended since it was started.
func Slept() time.Duration {
	return between(Uptime, func() time.Duration { return clock(unix.CLOCK_MONOTONIC) })
}

func clock(id int32) time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(id, &ts); err != nil {
		return 0 // every kernel has both
	}
	return time.Duration(ts.Nano())
}

// Watch calls f when the host goes on after a suspend, and when somebody sets its clock, until ctx ends. It costs nothing
// meanwhile: a timer that never fires is cancelled by either.
func Watch(ctx context.Context, f func()) error {
	fd, err := unix.TimerfdCreate(unix.CLOCK_REALTIME, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return fmt.Errorf("timer: %w", err)
	}
	timer := os.NewFile(uintptr(fd), "timer")
	defer timer.Close()
	defer context.AfterFunc(ctx, func() { timer.Close() })()
	never := unix.ItimerSpec{Value: unix.Timespec{Sec: math.MaxInt32}}
	for {
		err := unix.TimerfdSettime(fd, unix.TFD_TIMER_ABSTIME|unix.TFD_TIMER_CANCEL_ON_SET, &never, nil)
		if err == nil {
			_, err = timer.Read(make([]byte, 8))
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, unix.ECANCELED):
			f()
		default:
			return fmt.Errorf("timer: %w", err)
		}
	}
}
