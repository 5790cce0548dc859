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
	raw, err := timer.SyscallConn() // as it is closed from elsewhere
	if err != nil {
		return fmt.Errorf("timer: %w", err)
	}
	for {
		var set error
		err := raw.Control(func(fd uintptr) { set = never(int(fd)) })
		if err = errors.Join(err, set); err == nil {
			_, err = timer.Read(make([]byte, 8))
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, unix.ECANCELED):
			f()
		case err == nil: // to go on would be to fire again at once
			return errors.New("timer: the clock is beyond what it can be set to")
		default:
			return fmt.Errorf("timer: %w", err)
		}
	}
}

// never sets a timer to when no clock can be: Linux lets it be set to 2232 at most.
func never(fd int) error {
	at := unix.NsecToTimespec(min(math.MaxInt, 1<<33) * int64(time.Second))
	return unix.TimerfdSettime(fd, unix.TFD_TIMER_ABSTIME|unix.TFD_TIMER_CANCEL_ON_SET, &unix.ItimerSpec{Value: at}, nil)
}
